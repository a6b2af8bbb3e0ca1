//! Paths to a field: `order_id`, `header.order_id`, `0`, `0.id`.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Fields, Index, LitFloat, LitInt, LitStr, Member, Token};

/// A field, or a field of a field.
pub(crate) struct FieldPath(Vec<Member>);

impl Parse for FieldPath {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            let message = format!("name the field without quotes: `{}`", text.value());
            return Err(syn::Error::new(text.span(), message));
        }
        let mut members = Vec::new();
        loop {
            if input.peek(LitFloat) {
                // The tokenizer takes `0.1` for one number.
                let number: LitFloat = input.parse()?;
                for index in number.base10_digits().split('.') {
                    members.push(index_member(index, number.span())?);
                }
            } else if input.peek(LitInt) {
                let number: LitInt = input.parse()?;
                members.push(index_member(number.base10_digits(), number.span())?);
            } else {
                members.push(Member::Named(field_name(input)?));
            }
            if !input.peek(Token![.]) {
                return Ok(FieldPath(members));
            }
            input.parse::<Token![.]>()?;
        }
    }
}

fn index_member(digits: &str, span: Span) -> syn::Result<Member> {
    let index = digits.parse().map_err(|_| syn::Error::new(span, "no field: write its name or its index"))?;
    Ok(Member::Unnamed(Index { index, span }))
}

fn field_name(input: ParseStream<'_>) -> syn::Result<Ident> {
    let name = input.call(Ident::parse_any).map_err(|error| {
        syn::Error::new(error.span(), "name a field of the event: `order_id`, `header.order_id` or `0`")
    })?;
    match name.to_string().as_str() {
        "self" => Err(syn::Error::new(name.span(), "name the field without `self.`")),
        _ if syn::parse_str::<Ident>(&name.to_string()).is_err() => {
            Err(syn::Error::new(name.span(), format!("`{name}` is a keyword: write the field as `r#{name}`")))
        }
        _ => Ok(name),
    }
}

impl FieldPath {
    /// The field of the event itself.
    pub(crate) fn first(&self) -> &Member {
        &self.0[0]
    }

    /// Whether it is a field of the event itself.
    pub(crate) fn is_direct(&self) -> bool {
        self.0.len() == 1
    }

    /// The expression for this path, where `first` stands for the first field.
    pub(crate) fn text_of(&self, first: &TokenStream) -> TokenStream {
        let mut place = first.clone();
        for member in &self.0[1..] {
            place = quote_spanned!(member.span()=> #place.#member);
        }
        quote_spanned!(self.span()=> ::std::string::ToString::to_string(&#place))
    }

    /// Where it was written.
    pub(crate) fn span(&self) -> Span {
        self.0.iter().map(ToTokens::to_token_stream).collect::<TokenStream>().span()
    }

    /// Looks up the first field among `fields` of `owner`.
    ///
    /// # Errors
    ///
    /// When there is no such field; the message lists those that there are.
    pub(crate) fn find<'f>(&self, owner: &str, fields: &'f Fields) -> syn::Result<&'f syn::Field> {
        let wanted = self.first();
        if let Some((_, field)) = fields.members().zip(fields).find(|(member, _)| member == wanted) {
            return Ok(field);
        }
        let wanted = wanted.to_token_stream();
        let there: Vec<_> =
            fields.members().map(|member| format!("`{}`", member.to_token_stream())).collect();
        let message = match there.as_slice() {
            [] => format!("`{owner}` has no field `{wanted}`; it has no fields"),
            _ => format!("`{owner}` has no field `{wanted}`; it has {}", there.join(", ")),
        };
        Err(syn::Error::new(self.first().span(), message))
    }
}

/// A literal without a suffix, for patterns.
pub(crate) fn number(number: u32) -> Literal {
    Literal::u32_unsuffixed(number)
}

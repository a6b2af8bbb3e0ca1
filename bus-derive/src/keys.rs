//! The grammar that all attributes share: `key`, `key = value`, `key(…)`, parted by commas.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{LitInt, LitStr, Token};

use crate::errors::Errors;

/// A key with its value, if it was given.
pub(crate) struct Slot<T>(Option<(Ident, T)>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot(None)
    }
}

impl<T> Slot<T> {
    /// Takes the value of `key`; a second one is a mistake.
    pub(crate) fn set(&mut self, key: Ident, value: T) -> syn::Result<()> {
        if self.0.is_some() {
            return Err(syn::Error::new(key.span(), format!("`{key}` is given twice: remove one")));
        }
        self.0 = Some((key, value));
        Ok(())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }

    pub(crate) fn into_value(self) -> Option<T> {
        self.0.map(|(_, value)| value)
    }

    /// Where the key stands, if it was given.
    pub(crate) fn span(&self) -> Option<Span> {
        self.0.as_ref().map(|(key, _)| key.span())
    }

    /// This, or what `other` says where this says nothing.
    pub(crate) fn or<'a>(&'a self, other: &'a Slot<T>) -> &'a Slot<T> {
        if self.0.is_some() { self } else { other }
    }
}

/// Reads all keys of `input`, each by `read`, which gets the input behind the key. A mistake costs only its own
/// key: reading goes on behind the next comma.
pub(crate) fn read_keys(
    input: ParseStream<'_>,
    errors: &mut Errors,
    mut read: impl FnMut(Ident, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) -> syn::Result<()> {
    while !input.is_empty() {
        let done = input
            .call(Ident::parse_any)
            .and_then(|key| read(key, input, errors))
            .and_then(|()| if input.is_empty() { Ok(()) } else { comma(input) });
        if let Err(error) = done {
            errors.push(error);
            skip_to_next_key(input)?;
        }
    }
    Ok(())
}

fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    let missing = |error: syn::Error| syn::Error::new(error.span(), "a comma is missing before this");
    input.parse::<Token![,]>().map(drop).map_err(missing)
}

/// Skips what is left of `input`, behind a mistake.
pub(crate) fn skip_rest(input: ParseStream<'_>) {
    while input.parse::<proc_macro2::TokenTree>().is_ok() {}
}

fn skip_to_next_key(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        let comma = input.peek(Token![,]);
        input.parse::<proc_macro2::TokenTree>()?;
        if comma {
            break;
        }
    }
    Ok(())
}

/// Reads `= "text"`, which must not be empty.
pub(crate) fn text(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    equals(key, input, "\"…\"")?;
    let wrong = || format!("`{key}` takes a text in quotes: write `{key} = \"…\"`");
    let text: LitStr = input.parse().map_err(|error| syn::Error::new(error.span(), wrong()))?;
    if text.value().trim().is_empty() {
        return Err(syn::Error::new(text.span(), format!("`{key}` is empty")));
    }
    Ok(text)
}

/// Reads `= 3`, which must be at least 1.
pub(crate) fn count(key: &Ident, input: ParseStream<'_>) -> syn::Result<u32> {
    equals(key, input, "3")?;
    let wrong = || format!("`{key}` takes a whole number of at least 1: write `{key} = 3`");
    let number: LitInt = input.parse().map_err(|error| syn::Error::new(error.span(), wrong()))?;
    match number.base10_parse() {
        Ok(0) | Err(_) => Err(syn::Error::new(number.span(), wrong())),
        Ok(count) => Ok(count),
    }
}

/// Reads nothing, `= true` or `= false`.
pub(crate) fn flag(key: &Ident, input: ParseStream<'_>) -> syn::Result<bool> {
    let wrong = || format!("`{key}` takes no value: write `{key}`, or `{key} = false`");
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(true);
    }
    input.parse::<Token![=]>().map_err(|error| syn::Error::new(error.span(), wrong()))?;
    input
        .parse::<syn::LitBool>()
        .map(|flag| flag.value)
        .map_err(|error| syn::Error::new(error.span(), wrong()))
}

/// Reads `= "some::path"`: the crate that expansions refer to.
pub(crate) fn crate_path(key: &Ident, input: ParseStream<'_>) -> syn::Result<syn::Path> {
    let text = text(key, input)?;
    let wrong = "no path of a crate: write the name under which it is imported, as in `crate = \"jitney\"`";
    text.parse_with(syn::Path::parse_mod_style).map_err(|_| syn::Error::new(text.span(), wrong))
}

/// Reads the sign between a key and its value.
pub(crate) fn equals(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<()> {
    let wrong = || syn::Error::new(key.span(), format!("`{key}` takes a value: write `{key} = {example}`"));
    input.parse::<Token![=]>().map(drop).map_err(|_| wrong())
}

/// The mistake of a key that nobody knows.
pub(crate) fn unknown(key: &Ident, attribute: &str, known: &[&str]) -> syn::Error {
    let known: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
    syn::Error::new(key.span(), format!("`{attribute}` has no key `{key}`; it has {}", known.join(", ")))
}

//! `#[event(pseudonym)]` on fields: what is written of them, and the code that says so.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Attribute, Field, Fields, LitStr, Meta};

use super::model::{Event, EventType};
use crate::errors::Errors;
use crate::keys::{self, Slot};
use crate::locked::kind;
use crate::serde_names;

/// The purpose of a pseudonym that names none.
const PURPOSE: &str = "default";

/// The longest name of a purpose, in bytes.
const MAX_PURPOSE_BYTES: usize = 64;

const KEYS: &[&str] = &["pseudonym", "subject"];

/// A field that is replaced by a pseudonym.
pub(crate) struct Pseudonym {
    pub(crate) ident: Ident,
    /// What serde writes it as.
    serde_name: String,
    purpose: String,
    subject: Option<Subject>,
}

/// The text of a data subject, with fields of the event in it.
struct Subject {
    text: LitStr,
    fields: Vec<Ident>,
}

#[derive(Default)]
struct FieldKeys {
    pseudonym: Slot<String>,
    subject: Slot<LitStr>,
}

/// The fields among `fields` that are replaced. `rule` is serde's `rename_all` for writing them, `owner` the type or the variant, of which
/// `items` are the attributes for serde.
pub(crate) fn read(
    owner: &str,
    fields: &Fields,
    items: &[Meta],
    rule: Option<&str>,
    errors: &mut Errors,
) -> Vec<Pseudonym> {
    let mut pseudonyms = Vec::new();
    for field in fields {
        let Some(keys) = FieldKeys::read(&field.attrs, errors) else { continue };
        let Some(ident) = &field.ident else {
            errors.on(
                &field.ty,
                "a pseudonym takes the place of a field with a name: give the field one, in braces",
            );
            continue;
        };
        let own = serde_names::items(&field.attrs);
        refuse(field, &own, errors);
        let subject = keys.subject.get().and_then(|text| errors.ok(subject(owner, text, fields)));
        let plain = ident.unraw().to_string();
        let ruled = rule.map(|rule| serde_names::field_name(rule, &plain));
        pseudonyms.push(Pseudonym {
            ident: ident.clone(),
            serde_name: serde_names::text_for_writing(&own, "rename").or(ruled).unwrap_or(plain),
            purpose: keys.pseudonym.into_value().unwrap_or_else(|| PURPOSE.to_owned()),
            subject,
        });
    }
    if !pseudonyms.is_empty() {
        refuse_container(items, fields, errors);
    }
    pseudonyms
}

impl FieldKeys {
    /// Reads the `#[event(…)]` attributes among `attrs`; none where there is no pseudonym.
    fn read(attrs: &[Attribute], errors: &mut Errors) -> Option<Self> {
        let mut read = FieldKeys::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("event")) {
            if attr.meta.require_list().is_err() {
                errors.on(attr.path(), "write the keys in parentheses: `#[event(pseudonym)]`");
                continue;
            }
            let keys = attr.parse_args_with(|input: ParseStream<'_>| {
                keys::read_keys(input, errors, |key, input, _| read.read_key(key, input))
            });
            errors.ok(keys);
        }
        if let (Some(span), None) = (read.subject.span(), read.pseudonym.get()) {
            errors
                .at(span, "`subject` says whom a pseudonym is about: write `pseudonym` too, or leave it out");
        }
        read.pseudonym.get().is_some().then_some(read)
    }

    fn read_key(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "pseudonym" => self.pseudonym.set(key, purpose(key, input)?),
            "subject" => self.subject.set(key, keys::text(key, input)?),
            "id" | "key" => {
                let advice = format!("name the field on the type: `#[event({key} = field)]` above it");
                Err(syn::Error::new(key.span(), advice))
            }
            _ => Err(keys::unknown(key, "event", KEYS)),
        }
    }
}

/// Reads nothing, or `= "analytics"`.
fn purpose(key: &Ident, input: ParseStream<'_>) -> syn::Result<String> {
    if input.is_empty() || input.peek(syn::Token![,]) {
        return Ok(PURPOSE.to_owned());
    }
    let text = keys::text(key, input)?;
    let purpose = text.value();
    let is_right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if purpose.len() > MAX_PURPOSE_BYTES || !purpose.bytes().all(is_right) {
        let wrong = format!(
            "no name of a purpose: write up to {MAX_PURPOSE_BYTES} lower-case letters, digits, `.`, `_` and `-`, as in \
             `pseudonym = \"analytics\"`"
        );
        return Err(syn::Error::new(text.span(), wrong));
    }
    Ok(purpose)
}

/// Reports what a pseudonym cannot take the place of.
fn refuse(field: &Field, items: &[Meta], errors: &mut Errors) {
    if let Some(kind) = kind::of(&field.ty).filter(|kind| kind.json != "string") {
        let message = format!(
            "a pseudonym is a text, and cannot be read as what is written as JSON's `{}`: make the field a `String`, or seal it, \
             `Personal<…>`",
            kind.json
        );
        errors.on(&field.ty, message);
    }
    for item in items {
        let Some(key) = item.path().get_ident().map(ToString::to_string) else { continue };
        if matches!(key.as_str(), "flatten" | "skip" | "skip_serializing") {
            errors
                .on(item.path(), format!("`{key}` leaves nothing that a pseudonym could take the place of"));
        }
    }
}

/// Reports what keeps the fields of the whole from being written under their names.
fn refuse_container(items: &[Meta], fields: &Fields, errors: &mut Errors) {
    let flattened = fields.iter().flat_map(|field| serde_names::items(&field.attrs));
    let flattened = flattened.filter(|item| item.path().is_ident("flatten"));
    let converted = items.iter().filter(|item| {
        ["into", "transparent", "remote", "serialize_with", "with"]
            .iter()
            .any(|key| item.path().is_ident(key))
    });
    for item in converted.cloned().chain(flattened) {
        let message = "a field with a pseudonym is looked for by its name, and with this serde writes others: remove it, or put the \
                       pseudonym elsewhere";
        errors.on(item.path(), message);
    }
}

/// The fields that `text` names in braces.
fn subject(owner: &str, text: &LitStr, fields: &Fields) -> syn::Result<Subject> {
    let wrong = |message: String| Err(syn::Error::new(text.span(), message));
    let value = text.value();
    let (mut named, mut rest) = (Vec::new(), value.replace("{{", "").replace("}}", ""));
    while let Some((_, behind)) = rest.split_once('{') {
        let Some((name, behind)) = behind.split_once('}') else { break };
        let found = fields.iter().filter_map(|field| field.ident.as_ref());
        let Some(found) = found.clone().find(|ident| **ident == name) else {
            let there: Vec<_> = found.map(|ident| format!("`{{{ident}}}`")).collect();
            return wrong(format!("`{owner}` has no field `{name}`; it has {}", there.join(", ")));
        };
        if !named.contains(found) {
            named.push(found.clone());
        }
        rest = behind.to_owned();
    }
    if named.is_empty() {
        return wrong(
            "the subject is the same for all events: name a field in it, as in `subject = \"customer/{customer_id}\"`"
                .to_owned(),
        );
    }
    Ok(Subject { text: text.clone(), fields: named })
}

impl Pseudonym {
    /// The runtime's word for it, where `field` gives the expression for a field of the event.
    fn value(&self, field: &impl Fn(&Ident) -> TokenStream, private: &TokenStream) -> TokenStream {
        let Pseudonym { serde_name, purpose, subject, .. } = self;
        let about = subject.as_ref().map(|Subject { text, fields }| {
            let arguments = fields.iter().map(|ident| {
                let value = field(ident);
                quote!(#ident = #value)
            });
            quote!(.about(::std::format!(#text, #(#arguments),*)))
        });
        quote!(#private::PseudonymField::new(#serde_name, #purpose) #about)
    }

    /// The fields that it is made of.
    fn fields(&self) -> impl Iterator<Item = &Ident> {
        self.subject.iter().flat_map(|subject| &subject.fields)
    }
}

/// The body of `serialize_payload` for events with pseudonyms.
pub(super) fn serialize_payload(event: &Event, private: &TokenStream) -> Option<TokenStream> {
    if event.types.iter().all(|event_type| event_type.pseudonyms.is_empty()) {
        return None;
    }
    let written = |event: TokenStream, pseudonyms: &[Pseudonym], field: &dyn Fn(&Ident) -> TokenStream| {
        let values = pseudonyms.iter().map(|pseudonym| pseudonym.value(&|ident| field(ident), private));
        quote! {
            #private::Serialize::serialize(
                &#private::Pseudonymous::new(#event, &[#(#values),*]),
                serializer,
            )
        }
    };
    if !event.is_enum() {
        let pseudonyms = &event.types.first()?.pseudonyms;
        return Some(written(quote!(self), pseudonyms, &|ident| quote!(self.#ident)));
    }
    let arms = event.types.iter().filter(|event_type| !event_type.pseudonyms.is_empty());
    let arms = arms.filter_map(|EventType { variant, pseudonyms, .. }| {
        let ident = &variant.as_ref()?.ident;
        let mut fields: Vec<&Ident> = pseudonyms.iter().flat_map(Pseudonym::fields).collect();
        fields.sort();
        fields.dedup();
        let body = written(quote!(&#private::VariantPayload(self)), pseudonyms, &|ident| quote!(#ident));
        Some(quote!(Self::#ident { #(#fields,)* .. } => #body,))
    });
    Some(quote! {
        match self {
            #(#arms)*
            #[allow(unreachable_patterns)]
            _ => #private::Serialize::serialize(&#private::VariantPayload(self), serializer),
        }
    })
}

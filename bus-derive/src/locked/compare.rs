//! The fields of the code beside those of the locked schema.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;

use super::fields::{OwnField, OwnFields};
use super::file::Found;
use super::json::Json;
use super::kind::Kind;
use crate::errors::Errors;
use crate::event::EventType;

/// Which event type is compared with what, and where its mistakes go that are at no field.
pub(super) struct Place<'a> {
    pub(super) ident: &'a Ident,
    pub(super) event_type: &'a EventType,
    pub(super) found: &'a Found,
    /// Where what generated code calls is.
    pub(super) private: &'a TokenStream,
}

/// References lead no further than this to a type.
const DEPTH: usize = 16;

/// Adds a mistake for each field that breaks what is locked. Answers items that are mistakes for fields whose types turn out not to
/// be optional: a name may stand for an `Option`.
pub(super) fn compare(place: &Place<'_>, own: &OwnFields<'_>, errors: &mut Errors) -> TokenStream {
    let mut asked = TokenStream::new();
    let Some(schema) = place.found.schema() else { return asked };
    let locked = schema.get("properties").map_or(&[][..], Json::members);
    // A schema that is put together of others has fields elsewhere too.
    let whole = !["allOf", "anyOf", "oneOf"].iter().any(|keyword| schema.get(keyword).is_some());
    let required = schema.get("required").map_or(&[][..], Json::list);
    let is_required = |name: &str| required.iter().any(|required| required.text() == Some(name));
    let is_own = |name: &str| own.fields.iter().any(|field| field.name == name);
    let gone = locked.iter().map(|(name, _)| name.as_str()).filter(|name| !own.open && !is_own(name));
    let mut gone: Vec<_> = gone.collect();
    for field in &own.fields {
        match locked.iter().find(|(name, _)| *name == field.name) {
            Some((name, schema)) => {
                if let Some(was) = place.retyped(field, schema) {
                    errors.on(field.ty, place.retyped_words(field, &was));
                } else if !field.optional && !is_required(name) {
                    asked.extend(place.refuse(field, &place.required_words(field), errors));
                }
            }
            None if whole => {
                let renamed = gone.iter().position(|name| place.may_be(field, schema, name));
                if let Some(index) = renamed {
                    errors.at(field.ident.span(), place.renamed_words(field, gone.remove(index)));
                } else if !field.optional {
                    asked.extend(place.refuse(field, &place.new_words(field), errors));
                }
            }
            None => {}
        }
    }
    for name in gone {
        errors.at(place.ident.span(), place.gone_words(name));
    }
    asked
}

impl Place<'_> {
    /// Refuses a field that is required; where the name of its type leaves open whether it is, by an item that has the compiler see.
    fn refuse(&self, field: &OwnField<'_>, words: &str, errors: &mut Errors) -> TokenStream {
        if field.kind.is_some() {
            errors.at(field.ident.span(), words);
            return TokenStream::new();
        }
        let (private, ty) = (self.private, field.ty);
        quote_spanned! { field.ident.span() =>
            const _: () = {
                #[allow(unused_imports)]
                use #private::MaybeOption as _;
                ::core::assert!(#private::OptionProbe::<#ty>::IS_OPTION, #words);
            };
        }
    }

    /// Whether what is locked is of this very version, and not of a minor version before.
    fn is_same(&self) -> bool {
        self.found.minor == self.event_type.version.minor
    }

    /// What the field was, where it is something else now. Between minor versions a number may get wider, as the rule has it.
    fn retyped(&self, field: &OwnField<'_>, schema: &Json) -> Option<String> {
        let Kind { json, format } = field.kind?;
        let types = self.types(schema, DEPTH);
        let number = |name: &str| name == "integer" || name == "number";
        let same = types.iter().any(|(name, was)| {
            let formats = was.is_none() || format.is_none() || *was == format;
            if self.is_same() {
                *name == json && formats
            } else {
                *name == json || number(name) && number(json)
            }
        });
        let shown = types
            .iter()
            .map(|(name, format)| format.map_or((*name).to_owned(), |format| format!("{name} ({format})")));
        (!same && !types.is_empty()).then(|| shown.collect::<Vec<_>>().join(" or "))
    }

    /// The types that `schema` allows, but null, with their formats; empty where it does not say, or not within `depth` references.
    fn types<'s>(&'s self, schema: &'s Json, depth: usize) -> Vec<(&'s str, Option<&'s str>)> {
        let schema = self.found.resolved(schema);
        let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
        if let Some(parts) = schema.get("anyOf") {
            let parts: Vec<_> = parts.list().iter().map(|part| self.types(part, depth)).collect();
            let null = |part: &Json| part.get("type").and_then(Json::text) == Some("null");
            let open = |(index, types): (usize, &Vec<_>)| {
                types.is_empty()
                    && !schema.get("anyOf").and_then(|parts| parts.list().get(index)).is_some_and(null)
            };
            let open = parts.iter().enumerate().any(open);
            return if open { Vec::new() } else { parts.into_iter().flatten().collect() };
        }
        let format = schema.get("format").and_then(Json::text);
        let types = match schema.get("type") {
            Some(Json::List(types)) => types.iter().filter_map(Json::text).collect(),
            Some(Json::Text(one)) => vec![one.as_str()],
            _ => Vec::new(),
        };
        types.into_iter().filter(|name| *name != "null").map(|name| (name, format)).collect()
    }

    /// Whether `field`, which is new, may be what was called `name` before.
    fn may_be(&self, field: &OwnField<'_>, schema: &Json, name: &str) -> bool {
        let before = schema.get("properties").and_then(|properties| properties.get(name));
        before.is_some_and(|before| self.retyped(field, before).is_none())
    }

    fn locked_as(&self) -> String {
        let EventType { name, version, .. } = self.event_type;
        format!("the locked `{name}` {}.{}", version.major, self.found.minor)
    }

    fn otherwise(&self) -> String {
        let EventType { name, version, .. } = self.event_type;
        let next = version.major.saturating_add(1);
        format!(
            "or make it `version = \"{next}.0\"`, with the old type and `upcast_from`; \
             where nothing of it is stored yet, `JITNEY_ACCEPT={name} cargo test`"
        )
    }

    fn retyped_words(&self, field: &OwnField<'_>, was: &str) -> String {
        let ty = field.ty.to_token_stream().to_string().replace(' ', "");
        let (locked, otherwise) = (self.locked_as(), self.otherwise());
        format!(
            "{locked} has `{}` as {was}, which `{ty}` is not: give it its old type back and add another field, {otherwise}",
            field.name
        )
    }

    fn required_words(&self, field: &OwnField<'_>) -> String {
        let (locked, otherwise) = (self.locked_as(), self.otherwise());
        format!(
            "`{}` may be missing in {locked}, and is required here: give it `#[serde(default)]`, {otherwise}",
            field.name
        )
    }

    fn renamed_words(&self, field: &OwnField<'_>, before: &str) -> String {
        let (locked, otherwise) = (self.locked_as(), self.otherwise());
        format!(
            "{locked} has no `{}`, and its `{before}` is gone: where it was renamed, write `#[serde(rename = {before:?})]`, {otherwise}",
            field.name
        )
    }

    fn new_words(&self, field: &OwnField<'_>) -> String {
        let EventType { version, .. } = self.event_type;
        let minor = version.minor + u32::from(self.is_same());
        let (locked, otherwise) = (self.locked_as(), self.otherwise());
        format!(
            "{locked} has no `{}`, and it is required here: give it `#[serde(default)]` and the event `version = \"{}.{minor}\"`, {otherwise}",
            field.name, version.major
        )
    }

    fn gone_words(&self, name: &str) -> String {
        let (locked, otherwise) = (self.locked_as(), self.otherwise());
        format!(
            "{locked} has `{name}`, which `{}` has no longer: put the field back, {otherwise}",
            self.ident.unraw()
        )
    }
}

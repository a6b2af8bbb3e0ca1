//! The fields of an event, as serde reads them.

use syn::ext::IdentExt;
use syn::{Attribute, DeriveInput, Fields, Ident, Meta, Type, Variant};

use super::kind::{self, Kind};
use crate::serde_names;

/// The fields of a struct or of a variant.
pub(super) struct OwnFields<'a> {
    pub(super) fields: Vec<OwnField<'a>>,
    /// Whether there may be more, by `flatten`.
    pub(super) open: bool,
}

/// One field.
pub(super) struct OwnField<'a> {
    /// Its name in JSON.
    pub(super) name: String,
    pub(super) ident: &'a Ident,
    pub(super) ty: &'a Type,
    /// Whether it may be missing.
    pub(super) optional: bool,
    /// None where it is not to be compared.
    pub(super) kind: Option<Kind>,
}

/// What makes the fields of a type others than those of its JSON.
const CONVERTED: [&str; 6] = ["from", "try_from", "transparent", "remote", "with", "schema_with"];

/// The fields of a struct; none where its JSON has others.
pub(super) fn of_struct<'a>(input: &'a DeriveInput, fields: &'a Fields) -> Option<OwnFields<'a>> {
    let items = items(&input.attrs);
    let rule = read_as(&items, "rename_all");
    of(fields, &items, rule.as_deref())
}

/// The fields of a variant; none where its JSON has others.
pub(super) fn of_variant<'a>(input: &'a DeriveInput, variant: &'a Variant) -> Option<OwnFields<'a>> {
    let own = items(&variant.attrs);
    let rule = read_as(&own, "rename_all").or_else(|| read_as(&items(&input.attrs), "rename_all_fields"));
    of(&variant.fields, &own, rule.as_deref())
}

fn of<'a>(fields: &'a Fields, items: &[Meta], rule: Option<&str>) -> Option<OwnFields<'a>> {
    let Fields::Named(named) = fields else { return None };
    if CONVERTED.iter().any(|key| has(items, key)) {
        return None;
    }
    let all_default = has(items, "default");
    let mut own = OwnFields { fields: Vec::new(), open: false };
    for field in &named.named {
        let items = self::items(&field.attrs);
        let Some(ident) = &field.ident else { continue };
        if has(&items, "flatten") {
            own.open = true;
        }
        if ["flatten", "skip", "skip_deserializing"].iter().any(|key| has(&items, key)) {
            continue;
        }
        let plain = ident.unraw().to_string();
        let ruled = rule.map(|rule| serde_names::field_name(rule, &plain));
        let converted = ["with", "deserialize_with", "schema_with"].iter().any(|key| has(&items, key));
        own.fields.push(OwnField {
            name: read_as(&items, "rename").or(ruled).unwrap_or(plain),
            ident,
            ty: &field.ty,
            optional: all_default || has(&items, "default") || kind::is_option(&field.ty),
            kind: if converted { None } else { kind::of(&field.ty) },
        });
    }
    Some(own)
}

/// What is said to serde and to schemars, which goes before serde.
fn items(attrs: &[Attribute]) -> Vec<Meta> {
    let mut items = serde_names::items_of(attrs, "schemars");
    items.extend(serde_names::items(attrs));
    items
}

fn has(items: &[Meta], key: &str) -> bool {
    items.iter().any(|item| item.path().is_ident(key))
}

/// The text of `key`, for reading.
fn read_as(items: &[Meta], key: &str) -> Option<String> {
    serde_names::text_for_reading(items.iter().find(|item| item.path().is_ident(key))?)
}

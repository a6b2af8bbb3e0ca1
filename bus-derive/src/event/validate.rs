//! From the attributes to a model without contradictions.

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Data, DataEnum, DataStruct, DeriveInput, GenericParam};

use super::attributes::{EventKeys, JsonStep, Place, Version};
use super::field_path::FieldPath;
use super::model::{Event, EventType, Upcaster, Variant};
use super::pseudonym::{self, Pseudonym};
use crate::errors::Errors;
use crate::keys::Slot;
use crate::serde_names;

const FIRST_VERSION: Version = Version { major: 1, minor: 0 };

/// Checks `input`; the model is of use only where no mistakes were added to `errors`.
pub(crate) fn validate(input: &DeriveInput, keys: EventKeys, errors: &mut Errors) -> Event {
    for parameter in &input.generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            let message = "an event owns its data, since it outlives the bytes that it was read from: \
                           replace the reference by an owned type, such as `String` for `&str`";
            errors.at(lifetime.lifetime.span(), message);
        }
    }
    let (types, id_type) = match &input.data {
        Data::Struct(data) => struct_type(&input.ident, &input.attrs, data, &keys, errors),
        Data::Enum(data) => (variant_types(input, data, &keys, errors), None),
        // Refused before.
        Data::Union(_) => (Vec::new(), None),
    };
    if let (Some(span), None) = (keys.key.span(), keys.id.get()) {
        errors.at(
            span,
            "`key` replaces the aggregate id as the key of an event: name the id too, `id = field`",
        );
    }
    let aggregate = match (keys.aggregate.get(), keys.source.get()) {
        (Some(name), _) | (None, Some(name)) => name.value(),
        (None, None) if keys.aggregate_unread => String::new(),
        (None, None) => {
            let message = "name the aggregate that this event happened to: `#[event(aggregate = \"Order\", id = field)]`";
            errors.at(input.ident.span(), message);
            String::new()
        }
    };
    Event {
        ident: input.ident.clone(),
        generics: input.generics.clone(),
        topic: keys.topic.get().map_or_else(|| format!("{aggregate}-events"), syn::LitStr::value),
        source: keys.source.get().map(syn::LitStr::value),
        aggregate,
        types,
        id_type,
        id: keys.id.into_value(),
        key: keys.key.into_value(),
    }
}

fn struct_type(
    ident: &Ident,
    attrs: &[syn::Attribute],
    data: &DataStruct,
    keys: &EventKeys,
    errors: &mut Errors,
) -> (Vec<EventType>, Option<syn::Type>) {
    let owner = ident.unraw().to_string();
    let id_field = find(&keys.id, &owner, &data.fields, errors);
    find(&keys.key, &owner, &data.fields, errors);
    let serde = serde_names::items(attrs);
    let rule = serde_names::text_for_writing(&serde, "rename_all");
    let pseudonyms = pseudonym::read(&owner, &data.fields, &serde, rule.as_deref(), errors);
    refuse_in_the_clear(keys, &pseudonyms, errors);
    let serde_name = serde_names::text(&serde, "rename", errors);
    let event_type = event_type(keys, serde_name.unwrap_or(owner), None, pseudonyms, errors);
    (vec![event_type], id_field.map(|field| field.ty.clone()))
}

/// Reports pseudonyms of what goes beside the payload, where everybody reads it.
fn refuse_in_the_clear(keys: &EventKeys, pseudonyms: &[Pseudonym], errors: &mut Errors) {
    for (key, path) in [("id", keys.id.get()), ("key", keys.key.get())] {
        let Some(path) = path else { continue };
        let same = |pseudonym: &&Pseudonym| matches!(path.first(), syn::Member::Named(named) if *named == pseudonym.ident);
        if let Some(same) = pseudonyms.iter().find(same) {
            let message = format!(
                "`{key} = {}` has this field written beside the payload too, in the clear: a pseudonym would hide nothing; take \
                 another field for one of the two",
                same.ident
            );
            errors.at(same.ident.span(), message);
        }
    }
}

fn find<'f>(
    path: &Slot<FieldPath>,
    owner: &str,
    fields: &'f syn::Fields,
    errors: &mut Errors,
) -> Option<&'f syn::Field> {
    path.get().and_then(|path| errors.ok(path.find(owner, fields)))
}

fn variant_types(
    input: &DeriveInput,
    data: &DataEnum,
    keys: &EventKeys,
    errors: &mut Errors,
) -> Vec<EventType> {
    if data.variants.is_empty() {
        errors.at(
            input.ident.span(),
            "an enum without variants has no event types: give it a variant per event type",
        );
    }
    let serde = serde_names::items(&input.attrs);
    serde_names::refuse_on_enum(&serde, errors);
    let rename_all = serde_names::text(&serde, "rename_all", errors);
    let mut types: Vec<EventType> = Vec::with_capacity(data.variants.len());
    for variant in &data.variants {
        let own = EventKeys::read(&variant.attrs, Place::Variant, errors);
        let of_variant = serde_names::items(&variant.attrs);
        serde_names::refuse_on_variant(&of_variant, errors);
        let serde_name =
            serde_names::variant_name(&variant.ident, &of_variant, rename_all.as_deref(), errors);
        let owner = format!("{}::{}", input.ident.unraw(), variant.ident.unraw());
        let rule = serde_names::text_for_writing(&of_variant, "rename_all")
            .or_else(|| serde_names::text_for_writing(&serde, "rename_all_fields"));
        let pseudonyms = pseudonym::read(&owner, &variant.fields, &of_variant, rule.as_deref(), errors);
        refuse_in_the_clear(keys, &pseudonyms, errors);
        for path in [&keys.id, &keys.key].into_iter().filter_map(Slot::get) {
            if path.find(&owner, &variant.fields).is_err() {
                let field = path.first().to_token_stream();
                let message = format!(
                    "`{owner}` has no field `{field}`, which `#[event(…)]` names for every variant: add it, or \
                     leave the key out there and publish with `publish_for(id, &event)`"
                );
                errors.at(variant.ident.span(), message);
            }
        }
        let model = Variant { ident: variant.ident.clone(), serde_name: serde_name.clone() };
        let event_type = event_type(&own, serde_name, Some(model), pseudonyms, errors);
        if let Some(same) = types.iter().find(|other| other.name == event_type.name) {
            let other =
                same.variant.as_ref().map(|other| other.ident.unraw().to_string()).unwrap_or_default();
            let message = format!(
                "`{}` is the event type of the variant `{other}` already: give this one another, `#[event(type = \"…\")]`",
                event_type.name
            );
            errors.at(own.type_name.get().map_or(variant.ident.span(), |name| name.span()), message);
        }
        types.push(event_type);
    }
    types
}

fn event_type(
    keys: &EventKeys,
    default_name: String,
    variant: Option<Variant>,
    pseudonyms: Vec<Pseudonym>,
    errors: &mut Errors,
) -> EventType {
    let version = keys.version.get().copied().unwrap_or(FIRST_VERSION);
    let upcaster = match (keys.upcast_from.get(), keys.upcast_json.get()) {
        (Some(_), Some(_)) => {
            let message = "`upcast_from` and `upcast_json` both lead to this version: keep one; JSON upcasters of \
                           older versions go on the older type";
            errors.at(keys.upcast_json.span().expect("the key was given"), message);
            None
        }
        (Some(old), None) => Some(Upcaster::Typed(Box::new(old.clone()))),
        (None, Some(steps)) => json_upcaster(steps, version, errors),
        (None, None) => None,
    };
    let given = keys.upcast_from.span().or(keys.upcast_json.span());
    if let (1, Some(span)) = (version.major, given) {
        let message = "nothing comes before version 1: say which version this is, `version = \"2.0\"`, \
                       or leave the upcaster out";
        errors.at(span, message);
    }
    let name = keys.type_name.get().map_or(default_name, syn::LitStr::value);
    EventType { name, version, upcaster, variant, pseudonyms }
}

/// The steps must lead, one by one and in order, from some version to the current one.
fn json_upcaster(steps: &[JsonStep], version: Version, errors: &mut Errors) -> Option<Upcaster> {
    let first = steps.first()?;
    if first.major == 0 {
        errors.at(first.span, "major versions start at 1: the first step is `1 = path::to_v2`");
        return None;
    }
    let expected = first.major..;
    for (step, expected) in steps.iter().zip(expected) {
        if step.major != expected {
            let message = format!(
                "the step from version {expected} comes here: write `{expected} = path::to_function`"
            );
            errors.at(step.span, message);
            return None;
        }
    }
    let last = steps.last()?;
    if version.major > 1 && last.major.saturating_add(1) != version.major {
        let message = format!(
            "the last step leads from version {} to {}, the event is at version {}: steps lead up to the \
             current version, one for each old one",
            last.major,
            last.major.saturating_add(1),
            version.major
        );
        errors.at(last.span, message);
        return None;
    }
    let steps = steps.iter().map(|step| step.function.clone()).collect();
    Some(Upcaster::Json { first: first.major, steps })
}

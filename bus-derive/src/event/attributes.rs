//! The keys of `#[event(…)]`.

use proc_macro2::{Ident, Span};
use syn::parse::ParseStream;
use syn::{Attribute, LitInt, LitStr, Path, Token, Type, parenthesized};

use super::field_path::FieldPath;
use crate::errors::Errors;
use crate::keys::{self, Slot};

/// What an attribute stands on: not every key goes everywhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Struct,
    Enum,
    Variant,
}

/// A version in an attribute.
#[derive(Clone, Copy)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
}

/// An upcaster on JSON values: from this major version to the next one.
pub(crate) struct JsonStep {
    pub(crate) major: u32,
    pub(crate) span: Span,
    pub(crate) function: Path,
}

/// What `#[event(…)]` says.
#[derive(Default)]
pub(crate) struct EventKeys {
    pub(crate) aggregate: Slot<LitStr>,
    pub(crate) type_name: Slot<LitStr>,
    pub(crate) version: Slot<Version>,
    pub(crate) id: Slot<FieldPath>,
    pub(crate) key: Slot<FieldPath>,
    pub(crate) topic: Slot<LitStr>,
    pub(crate) upcast_from: Slot<Type>,
    pub(crate) upcast_json: Slot<Vec<JsonStep>>,
    pub(crate) source: Slot<LitStr>,
    pub(crate) schemas: Slot<Schemas>,
    pub(crate) crate_path: Slot<Path>,
    /// Whether `aggregate`, or something that could be meant by it, was there but could not be read.
    pub(crate) aggregate_unread: bool,
}

const OF_A_TYPE: &[&str] = &[
    "aggregate",
    "type",
    "version",
    "id",
    "key",
    "topic",
    "upcast_from",
    "upcast_json",
    "source",
    "schemas",
    "crate",
];
const OF_A_VARIANT: &[&str] = &["type", "version", "upcast_from", "upcast_json"];

impl EventKeys {
    /// Reads the `#[event(…)]` attributes among `attrs`.
    pub(crate) fn read(attrs: &[Attribute], place: Place, errors: &mut Errors) -> Self {
        let mut read = EventKeys::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("event")) {
            if attr.meta.require_list().is_err() {
                errors.on(
                    attr.path(),
                    "write the keys in parentheses: `#[event(aggregate = \"Order\", id = field)]`",
                );
                read.aggregate_unread = true;
                continue;
            }
            let keys = attr.parse_args_with(|input: ParseStream<'_>| {
                keys::read_keys(input, errors, |key, input, errors| {
                    let unread = *key == "aggregate"
                        || *key == "source"
                        || !OF_A_TYPE.contains(&key.to_string().as_str());
                    let result = read.read_key(key, input, place, errors);
                    read.aggregate_unread |= unread && result.is_err();
                    result
                })
            });
            errors.ok(keys);
        }
        read
    }

    fn read_key(
        &mut self,
        key: &Ident,
        input: ParseStream<'_>,
        place: Place,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let name = key.to_string();
        if let Some(advice) = misplaced(&name, place) {
            errors.at(key.span(), advice);
        }
        match name.as_str() {
            "aggregate" => self.aggregate.set(key, keys::text(key, input)?),
            "type" => self.type_name.set(key, keys::text(key, input)?),
            "version" => self.version.set(key, version(key, input)?),
            "id" => self.id.set(key, field_path(key, input)?),
            "key" => self.key.set(key, field_path(key, input)?),
            "topic" => self.topic.set(key, keys::text(key, input)?),
            "upcast_from" => self.upcast_from.set(key, old_type(key, input)?),
            "upcast_json" => self.upcast_json.set(key, json_steps(key, input)?),
            "source" => self.source.set(key, keys::text(key, input)?),
            "schemas" => self.schemas.set(key, schemas(key, input)?),
            "crate" => self.crate_path.set(key, keys::crate_path(key, input)?),
            _ => {
                let known = if place == Place::Variant { OF_A_VARIANT } else { OF_A_TYPE };
                Err(keys::unknown(key, "event", known))
            }
        }
    }
}

/// Where the locked schemas of an event are, or that it has none.
#[derive(Clone)]
pub(crate) enum Schemas {
    /// In this folder.
    In(LitStr),
    /// Nowhere: it is not compared.
    Nowhere,
}

fn schemas(key: &Ident, input: ParseStream<'_>) -> syn::Result<Schemas> {
    let is_bool = input.peek(syn::Token![=]) && input.peek2(syn::LitBool);
    if !is_bool {
        return keys::text(key, input).map(Schemas::In);
    }
    input.parse::<syn::Token![=]>()?;
    let value: syn::LitBool = input.parse()?;
    if value.value {
        let advice = "write the folder, `schemas = \"schemas\"`, or `schemas = false` for an event that is compared with none";
        return Err(syn::Error::new(value.span, advice));
    }
    Ok(Schemas::Nowhere)
}

/// What to do about a key that goes elsewhere.
fn misplaced(key: &str, place: Place) -> Option<String> {
    match (place, key) {
        (Place::Enum, "type" | "version" | "upcast_from" | "upcast_json") => Some(format!(
            "each variant is an event type of its own: write `#[event({key} …)]` on the variant"
        )),
        (Place::Variant, "topic") => Some(
            "the events of one aggregate keep their order in one topic: write `topic` on the enum".to_owned(),
        ),
        (Place::Variant, "aggregate" | "id" | "key" | "source" | "schemas" | "crate") => {
            Some(format!("`{key}` is the same for all variants: write it on the enum"))
        }
        _ => None,
    }
}

fn version(key: &Ident, input: ParseStream<'_>) -> syn::Result<Version> {
    keys::equals(key, input, "\"2.0\"")?;
    if let Ok(number) = input.fork().parse::<syn::Lit>()
        && matches!(number, syn::Lit::Int(_) | syn::Lit::Float(_))
    {
        input.parse::<syn::Lit>()?;
        let text = quote::ToTokens::to_token_stream(&number);
        let message =
            format!("a version is no number (2.10 is not 2.1): write it in quotes, `version = \"{text}\"`");
        return Err(syn::Error::new(number.span(), message));
    }
    let wrong =
        "no version: write major and minor, `version = \"2.1\"`, or the major alone, `version = \"2\"`";
    let text: LitStr = input.parse().map_err(|error| syn::Error::new(error.span(), wrong))?;
    let value = text.value();
    let (major, minor) = value.split_once('.').unwrap_or((&value, "0"));
    let number = |digits: &str| {
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        all_digits.then(|| digits.parse::<u32>().ok()).flatten()
    };
    match (number(major), number(minor)) {
        (Some(0), Some(_)) => {
            Err(syn::Error::new(text.span(), "major versions start at 1: write `version = \"1.0\"`"))
        }
        (Some(major), Some(minor)) => Ok(Version { major, minor }),
        _ => Err(syn::Error::new(text.span(), wrong)),
    }
}

fn field_path(key: &Ident, input: ParseStream<'_>) -> syn::Result<FieldPath> {
    keys::equals(key, input, "field")?;
    input.parse()
}

fn old_type(key: &Ident, input: ParseStream<'_>) -> syn::Result<Type> {
    keys::equals(key, input, "OldType")?;
    let wrong = "no type: name the Rust type of the version before, as in `upcast_from = OrderCreatedV1`";
    input.parse().map_err(|error| syn::Error::new(error.span(), wrong))
}

const JSON_STEPS: &str =
    "give a function for each old major version: `upcast_json(1 = path::to_v2, 2 = path::to_v3)`";

fn json_steps(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<JsonStep>> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(key.span(), JSON_STEPS));
    }
    let content;
    parenthesized!(content in input);
    let steps =
        content.parse_terminated(JsonStep::parse, Token![,]).inspect_err(|_| keys::skip_rest(&content))?;
    if steps.is_empty() {
        return Err(syn::Error::new(key.span(), JSON_STEPS));
    }
    Ok(steps.into_iter().collect())
}

impl JsonStep {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let wrong = |error: syn::Error| syn::Error::new(error.span(), JSON_STEPS);
        let major: LitInt = input.parse().map_err(wrong)?;
        input.parse::<Token![=]>().map_err(wrong)?;
        let function = input.parse().map_err(wrong)?;
        Ok(JsonStep { major: major.base10_parse()?, span: major.span(), function })
    }
}

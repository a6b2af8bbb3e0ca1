//! The names that serde gives to types and variants, and serde attributes that an event cannot have.

use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, Meta, MetaNameValue, Token};

use crate::errors::Errors;

/// The items of all `#[serde(…)]` attributes. What serde itself cannot read is left to serde.
pub(crate) fn items(attrs: &[Attribute]) -> Vec<Meta> {
    items_of(attrs, "serde")
}

/// The items of all attributes called `name`.
pub(crate) fn items_of(attrs: &[Attribute], name: &str) -> Vec<Meta> {
    let attrs = attrs.iter().filter(|attr| attr.path().is_ident(name));
    attrs
        .filter_map(|attr| attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok())
        .flatten()
        .collect()
}

/// The text of `key = "text"` or `key(serialize = "text", deserialize = "text")` among `items`; two different texts
/// are a mistake, since an event has one name.
pub(crate) fn text(items: &[Meta], key: &str, errors: &mut Errors) -> Option<String> {
    match items.iter().find(|item| item.path().is_ident(key))? {
        Meta::NameValue(pair) => literal(&pair.value),
        Meta::List(list) => {
            let pairs =
                list.parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated).ok()?;
            let texts: Vec<_> = pairs.iter().filter_map(|pair| literal(&pair.value)).collect();
            if texts.len() != 2 || texts[0] != texts[1] {
                let message = format!(
                    "an event is written and read under one name: use `{key} = \"…\"` for both directions"
                );
                errors.on(&list.path, message);
            }
            texts.into_iter().next()
        }
        Meta::Path(_) => None,
    }
}

/// The text of `key = "text"` or `key(deserialize = "text")`.
pub(crate) fn text_for_reading(item: &Meta) -> Option<String> {
    text_for("deserialize", item)
}

/// The text of `key = "text"` or `key(serialize = "text")` among `items`.
pub(crate) fn text_for_writing(items: &[Meta], key: &str) -> Option<String> {
    text_for("serialize", items.iter().find(|item| item.path().is_ident(key))?)
}

fn text_for(direction: &str, item: &Meta) -> Option<String> {
    match item {
        Meta::NameValue(pair) => literal(&pair.value),
        Meta::List(list) => {
            let pairs =
                list.parse_args_with(Punctuated::<MetaNameValue, Token![,]>::parse_terminated).ok()?;
            let pair = pairs.iter().find(|pair| pair.path.is_ident(direction))?;
            literal(&pair.value)
        }
        Meta::Path(_) => None,
    }
}

fn literal(value: &Expr) -> Option<String> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}

/// What serde calls the variant `ident`, given its own attributes and the `rename_all` of its enum.
pub(crate) fn variant_name(
    ident: &proc_macro2::Ident,
    items: &[Meta],
    rename_all: Option<&str>,
    errors: &mut Errors,
) -> String {
    let name = ident.unraw().to_string();
    match (text(items, "rename", errors), rename_all) {
        (Some(renamed), _) => renamed,
        (None, Some(rule)) => apply_rule(rule, name),
        (None, None) => name,
    }
}

/// Applies a `rename_all` rule to a variant's name. Serde itself complains about unknown rules.
fn apply_rule(rule: &str, name: String) -> String {
    match rule {
        "lowercase" => name.to_ascii_lowercase(),
        "UPPERCASE" => name.to_ascii_uppercase(),
        "camelCase" => {
            let first = first_length(&name);
            name[..first].to_ascii_lowercase() + &name[first..]
        }
        "snake_case" => snake_case(&name),
        "SCREAMING_SNAKE_CASE" => snake_case(&name).to_ascii_uppercase(),
        "kebab-case" => snake_case(&name).replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => snake_case(&name).to_ascii_uppercase().replace('_', "-"),
        _ => name,
    }
}

/// Applies a `rename_all` rule to a field's name. Serde itself complains about unknown rules.
pub(crate) fn field_name(rule: &str, name: &str) -> String {
    let pascal = || {
        let words = name.split('_').filter(|word| !word.is_empty());
        words
            .map(|word| word[..first_length(word)].to_ascii_uppercase() + &word[first_length(word)..])
            .collect::<String>()
    };
    match rule {
        "PascalCase" => pascal(),
        "camelCase" => {
            let pascal = pascal();
            let first = first_length(&pascal);
            pascal[..first].to_ascii_lowercase() + &pascal[first..]
        }
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => name.to_ascii_uppercase(),
        "kebab-case" => name.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => name.to_ascii_uppercase().replace('_', "-"),
        _ => name.to_owned(),
    }
}

fn first_length(name: &str) -> usize {
    name.chars().next().map_or(0, char::len_utf8)
}

/// `OrderCreated` as `order_created`, by serde's rule: every upper-case letter begins a word.
pub(crate) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (index, letter) in name.char_indices() {
        if index > 0 && letter.is_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// Reports what keeps a serde enum from being externally tagged, which the payloads of its variants rest on.
pub(crate) fn refuse_on_enum(items: &[Meta], errors: &mut Errors) {
    for item in items {
        let Some(key) = item.path().get_ident().map(ToString::to_string) else { continue };
        let advice = match key.as_str() {
            "tag" | "content" | "untagged" => {
                "the event type tells the variant, no tag is written: remove it"
            }
            "from" | "into" | "try_from" => {
                "the payload is that of a variant: put the conversion on a struct in it"
            }
            "variant_identifier" | "field_identifier" => "such an enum is a name and no event: remove it",
            _ => continue,
        };
        errors.on(item.path(), format!("`{key}` does not go with an enum of events: {advice}"));
    }
}

/// Reports what keeps a variant from being written and read under its name.
pub(crate) fn refuse_on_variant(items: &[Meta], errors: &mut Errors) {
    for item in items {
        let Some(key) = item.path().get_ident().map(ToString::to_string) else { continue };
        let advice = match key.as_str() {
            "skip" | "skip_serializing" | "skip_deserializing" => {
                "every variant is written and read: remove it, or move the variant to an enum that is no event"
            }
            "other" => "events of unknown types are settled without a handler: remove it",
            "untagged" => "the event type tells the variant, no tag is written: remove it",
            "alias" => "events are routed by one name: read an old type by `#[event(upcast_from = …)]`",
            _ => continue,
        };
        errors.on(item.path(), format!("`{key}` does not go with a variant of an event: {advice}"));
    }
}

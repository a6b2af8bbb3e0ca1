//! Keywords that cannot be reasoned about: the writer must have the same words.

use serde_json::Value;

use super::branches::{Atom, Branch, Types};

/// Keywords that assert something and are handled elsewhere or bound to a type, with the types that they are about.
const ABOUT: &[(&str, Types)] = &[
    ("multipleOf", Types::NUMBER),
    ("contains", Types::ARRAY),
    ("minContains", Types::ARRAY),
    ("maxContains", Types::ARRAY),
    ("unevaluatedItems", Types::ARRAY),
    ("additionalItems", Types::ARRAY),
    ("uniqueItems", Types::ARRAY),
    ("propertyNames", Types::OBJECT),
    ("patternProperties", Types::OBJECT),
    ("dependentRequired", Types::OBJECT),
    ("dependentSchemas", Types::OBJECT),
    ("dependencies", Types::OBJECT),
];

/// The same for every type.
const ABOUT_ALL: &[&str] = &["not", "if", "then", "else", "$dynamicRef"];

/// What `branch` has of these keywords and `atom` has not. `one_document` says that references lead to the same on both sides.
pub(super) fn compare(atom: &Atom<'_>, branch: &Branch<'_>, one_document: bool) -> Option<String> {
    let about = ABOUT.iter().filter(|(_, types)| types.has(atom.types)).map(|(keyword, _)| *keyword);
    about.chain(ABOUT_ALL.iter().copied()).find_map(|keyword| {
        let needed = branch.schemas.iter().filter_map(|schema| schema.get(keyword)).find(|needed| {
            let same = atom.schemas.iter().any(|schema| schema.get(keyword) == Some(needed));
            (keyword, *needed) != ("uniqueItems", &Value::Bool(false))
                && !(same && (one_document || !refers(needed)))
        })?;
        let known = atom.schemas.iter().any(|schema| schema.contains_key(keyword));
        let otherwise = if known { "otherwise" } else { "not" };
        let refers = if refers(needed) { ", by reference" } else { "" };
        Some(format!(
            "has `{keyword}` in what {{reader}} takes{refers}, and {otherwise} in what {{writer}} writes"
        ))
    })
}

fn refers(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.contains_key("$ref") || members.values().any(refers),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

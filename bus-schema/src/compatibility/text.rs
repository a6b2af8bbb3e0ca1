//! Lengths, patterns and formats of strings.

use serde_json::{Map, Value};

use super::branches::{Atom, Branch, Types};

/// What must be there in the same words.
const WORDS: [&str; 4] = ["pattern", "format", "contentEncoding", "contentMediaType"];

/// What keeps `branch` from taking the strings of `atom`.
pub(super) fn compare(atom: &Atom<'_>, branch: &Branch<'_>) -> Option<String> {
    if atom.types != Types::STRING {
        return None;
    }
    let length = atom.value.and_then(Value::as_str).map(|text| text.chars().count() as u64);
    let least = largest(&branch.schemas, "minLength").unwrap_or(0);
    if length.or(largest(&atom.schemas, "minLength")).unwrap_or(0) < least {
        return Some(format!(
            "may be shorter in what {{writer}} writes than the {least} characters that {{reader}} needs"
        ));
    }
    if let Some(most) = smallest(&branch.schemas, "maxLength")
        && length.or(smallest(&atom.schemas, "maxLength")).is_none_or(|longest| longest > most)
    {
        return Some(format!(
            "may be longer in what {{writer}} writes than the {most} characters that {{reader}} takes"
        ));
    }
    WORDS.iter().find_map(|keyword| {
        let missing = branch
            .schemas
            .iter()
            .filter_map(|schema| schema.get(*keyword))
            .find(|needed| !atom.schemas.iter().any(|schema| schema.get(*keyword) == Some(needed)))?;
        Some(format!(
            "has the {keyword} {missing} in what {{reader}} takes, and not in what {{writer}} writes"
        ))
    })
}

/// The largest number under `keyword`.
pub(super) fn largest(schemas: &[&Map<String, Value>], keyword: &str) -> Option<u64> {
    schemas.iter().filter_map(|schema| schema.get(keyword)?.as_u64()).max()
}

/// The smallest number under `keyword`.
pub(super) fn smallest(schemas: &[&Map<String, Value>], keyword: &str) -> Option<u64> {
    schemas.iter().filter_map(|schema| schema.get(keyword)?.as_u64()).min()
}

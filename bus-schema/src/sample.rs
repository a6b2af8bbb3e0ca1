//! An example of a payload, made from its schema.

use serde_json::{Map, Value, json};

use crate::compatibility::Root;

/// Optional parts are left out below this depth, and what has none is given up.
const DEPTH: usize = 12;

/// A value that is valid under `schema`, as far as that can be told without reading patterns: every field that has a name, one item
/// in each list. Examples that the schema has (`#[schemars(example = …)]`) come first.
pub(crate) fn of(schema: &Value) -> Option<Value> {
    value(schema, Root(schema), 0)
}

fn value(schema: &Value, root: Root<'_>, depth: usize) -> Option<Value> {
    let members = match schema {
        Value::Object(members) => members,
        Value::Bool(false) => return None,
        _ => return Some(json!({})),
    };
    if depth > DEPTH {
        return None;
    }
    let listed = |keyword: &str| members.get(keyword).and_then(Value::as_array);
    let given = listed("examples").and_then(|examples| examples.first()).or_else(|| members.get("const"));
    if let Some(given) = given.or_else(|| listed("enum").and_then(|values| values.first())) {
        return Some(given.clone());
    }
    let mut made = of_type(members, root, depth);
    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
        made = merged(made, value(root.resolve(reference).ok()?, root, depth + 1)?);
    }
    for part in listed("allOf").into_iter().flatten() {
        made = merged(made, value(part, root, depth + 1)?);
    }
    for keyword in ["oneOf", "anyOf"] {
        if let Some(parts) = listed(keyword) {
            let mut values = parts.iter().filter_map(|part| value(part, root, depth + 1));
            let first = values.next()?;
            let chosen = if first.is_null() { values.next().unwrap_or(first) } else { first };
            made = merged(made, chosen);
        }
    }
    made.or_else(|| bare(members).then(|| json!({})))
}

/// Whether nothing is said of the value.
fn bare(members: &Map<String, Value>) -> bool {
    !["type", "$ref", "allOf", "oneOf", "anyOf"].iter().any(|keyword| members.contains_key(*keyword))
}

fn merged(made: Option<Value>, other: Value) -> Option<Value> {
    match (made, other) {
        (Some(Value::Object(mut members)), Value::Object(others)) => {
            members.extend(others);
            Some(Value::Object(members))
        }
        (_, other) => Some(other),
    }
}

fn of_type(members: &Map<String, Value>, root: Root<'_>, depth: usize) -> Option<Value> {
    let names = match members.get("type")? {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        name => vec![name.as_str()?],
    };
    let name = names.iter().find(|name| **name != "null").or(names.first())?;
    let made = match *name {
        "object" => object(members, root, depth),
        "array" => array(members, root, depth),
        "string" => Some(Value::String(text(members))),
        "integer" => Some(integer(members)),
        "number" => Some(number(members)),
        "boolean" => Some(json!(true)),
        _ => Some(Value::Null),
    };
    made.or_else(|| names.contains(&"null").then_some(Value::Null))
}

fn object(members: &Map<String, Value>, root: Root<'_>, depth: usize) -> Option<Value> {
    let required = members.get("required").and_then(Value::as_array);
    let required = |name: &str| required.is_some_and(|required| required.iter().any(|one| one == name));
    let mut made = Map::new();
    for (name, schema) in members.get("properties").and_then(Value::as_object).into_iter().flatten() {
        match value(schema, root, depth + 1) {
            Some(value) => drop(made.insert(name.clone(), value)),
            None if required(name) => return None,
            None => {}
        }
    }
    if let Some(others) = members.get("additionalProperties").filter(|schema| schema.is_object())
        && let Some(value) = value(others, root, depth + 1)
    {
        made.insert("key".to_owned(), value);
    }
    Some(Value::Object(made))
}

fn array(members: &Map<String, Value>, root: Root<'_>, depth: usize) -> Option<Value> {
    let count = |keyword: &str| {
        members.get(keyword).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok())
    };
    let fewest = count("minItems").unwrap_or(0);
    let wanted = fewest.max(1).min(count("maxItems").unwrap_or(usize::MAX));
    let places = members.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let any = Value::Bool(true);
    let rest = members.get("items").unwrap_or(&any);
    let mut items = Vec::new();
    while items.len() < wanted.max(places.len()).min(1000) {
        match value(places.get(items.len()).unwrap_or(rest), root, depth + 1) {
            Some(item) => items.push(item),
            None => break,
        }
    }
    (items.len() >= fewest).then_some(Value::Array(items))
}

fn text(members: &Map<String, Value>) -> String {
    let member = |keyword: &str| members.get(keyword).and_then(Value::as_str);
    let text = match member("format") {
        Some("date-time") => "2026-01-02T03:04:05Z",
        Some("date") => "2026-01-02",
        Some("time" | "partial-time") => "03:04:05",
        Some("duration") => "PT1H",
        Some("uuid") => "0194244d-7e6f-7a3b-8c2d-1e0f9a8b7c6d",
        Some("uri" | "url" | "iri") => "https://example.com/",
        Some("email" | "idn-email") => "someone@example.com",
        Some("hostname" | "idn-hostname") => "example.com",
        Some("ipv4" | "ip") => "192.0.2.1",
        Some("ipv6") => "2001:db8::1",
        Some("char") => "a",
        _ if member("pattern").is_some_and(|pattern| pattern.contains("\\d") || pattern.contains("0-9")) => {
            "1"
        }
        _ => "text",
    };
    let length = |keyword: &str| {
        members.get(keyword).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok())
    };
    let longest: String = text.chars().take(length("maxLength").unwrap_or(usize::MAX)).collect();
    let missing = length("minLength").unwrap_or(0).min(10_000).saturating_sub(longest.chars().count());
    longest + &"x".repeat(missing)
}

fn integer(members: &Map<String, Value>) -> Value {
    let bound = |keyword: &str| members.get(keyword).and_then(Value::as_i64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound.saturating_sub(1)));
    json!(1.max(least.unwrap_or(1)).min(most.unwrap_or(i64::MAX)))
}

fn number(members: &Map<String, Value>) -> Value {
    let bound = |keyword: &str| members.get(keyword).and_then(Value::as_f64);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|bound| bound + 0.5));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|bound| bound - 0.5));
    json!(1.5_f64.max(least.unwrap_or(1.5)).min(most.unwrap_or(f64::MAX)))
}

//! A schema without what only people read.

use serde_json::{Map, Value};

const ANNOTATIONS: [&str; 9] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$schema",
    "$comment",
];
const NAMED_SCHEMAS: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
const LISTED_SCHEMAS: [&str; 4] = ["anyOf", "oneOf", "allOf", "prefixItems"];
const SCHEMAS: [&str; 11] = [
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "additionalItems",
];

/// `schema` without annotations, its members in the order of their names, whatever kind of map holds them. What its documentation
/// says, or a default is, changes nothing for readers.
pub(crate) fn of(schema: &Value) -> Value {
    let Value::Object(members) = schema else { return schema.clone() };
    let kept = members.iter().filter(|(name, _)| !ANNOTATIONS.contains(&name.as_str()));
    sorted_map(kept.map(|(name, value)| {
        let value = match value {
            Value::Object(named) if NAMED_SCHEMAS.contains(&name.as_str()) => {
                sorted_map(named.iter().map(|(name, schema)| (name.clone(), of(schema))))
            }
            Value::Array(listed) if LISTED_SCHEMAS.contains(&name.as_str()) => {
                Value::Array(listed.iter().map(of).collect())
            }
            schema if SCHEMAS.contains(&name.as_str()) => of(schema),
            Value::Array(names) if name == "required" => sorted_names(names),
            other => sorted(other),
        };
        (name.clone(), value)
    }))
}

/// `value` with the members of its objects in the order of their names.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            sorted_map(members.iter().map(|(name, value)| (name.clone(), sorted(value))))
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

fn sorted_map(members: impl Iterator<Item = (String, Value)>) -> Value {
    let mut members: Vec<_> = members.collect();
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    Value::Object(Map::from_iter(members))
}

fn sorted_names(names: &[Value]) -> Value {
    let mut names = names.to_vec();
    names.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    Value::Array(names)
}

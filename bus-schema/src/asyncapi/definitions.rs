//! Schemas that refer to parts of themselves, within a larger document.

use serde_json::{Map, Value};

use super::key;

/// `schema` in the words of AsyncAPI's own schemas, which are those of draft 7, with its definitions among `schemas`, behind `owner`.
pub(super) fn moved(schema: &Value, owner: &str, schemas: &mut Map<String, Value>) -> Value {
    for (name, definition) in schema.get("$defs").and_then(Value::as_object).into_iter().flatten() {
        schemas.insert(name_of(owner, name), rewritten(definition, owner));
    }
    rewritten(schema, owner)
}

fn name_of(owner: &str, definition: &str) -> String {
    key(&format!("{owner}.{definition}"))
}

fn rewritten(schema: &Value, owner: &str) -> Value {
    match schema {
        Value::Object(members) => {
            let mut written = Map::new();
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("$defs" | "$schema" | "unevaluatedProperties" | "unevaluatedItems", _) => {}
                    ("$ref", Value::String(reference)) => {
                        let name = reference.strip_prefix("#/$defs/").unwrap_or(reference);
                        let name = name_of(owner, &name.replace("~1", "/").replace("~0", "~"));
                        written.insert("$ref".to_owned(), format!("#/components/schemas/{name}").into());
                    }
                    ("prefixItems", places) => {
                        written.insert("items".to_owned(), rewritten(places, owner));
                    }
                    ("items", rest) if members.contains_key("prefixItems") => {
                        written.insert("additionalItems".to_owned(), rewritten(rest, owner));
                    }
                    // What is listed here are values, not schemas.
                    ("const" | "enum" | "default" | "examples", values) => {
                        written.insert(name.clone(), values.clone());
                    }
                    _ => {
                        written.insert(name.clone(), rewritten(value, owner));
                    }
                }
            }
            Value::Object(written)
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| rewritten(item, owner)).collect()),
        other => other.clone(),
    }
}

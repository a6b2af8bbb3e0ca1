//! What the comparison says of single changes.

#![allow(clippy::needless_pass_by_value, reason = "schemas are written where they are passed")]

use serde_json::{Value, json};

use super::*;
use crate::ErrorKind;

fn says(writer: &Value, reader: &Value) -> Vec<String> {
    compare(writer, reader).unwrap().iter().map(ToString::to_string).collect()
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

#[track_caller]
fn compatible(writer: &Value, reader: &Value) {
    assert_eq!(says(writer, reader), Vec::<String>::new());
}

#[track_caller]
fn incompatible(writer: &Value, reader: &Value, path: &str, kind: IncompatibilityKind) {
    let found = compare(writer, reader).unwrap();
    let found: Vec<_> = found.iter().map(|one| (one.path(), one.kind())).collect();
    assert_eq!(found, [(path, kind)]);
}

#[test]
fn types_must_be_taken() {
    let text = json!({ "type": "string" });
    let whole = json!({ "type": "integer", "format": "int64" });
    compatible(&text, &text);
    compatible(&whole, &json!({ "type": "number" }));
    compatible(&text, &json!(true));
    compatible(&text, &json!({ "type": ["string", "null"] }));
    compatible(&text, &json!({ "anyOf": [{ "type": "null" }, { "type": "string" }] }));
    assert_eq!(
        says(&text, &whole),
        ["`$` is a string in what the writer writes, and the reader takes an integer"]
    );
    incompatible(&json!({ "type": "number" }), &whole, "$", IncompatibilityKind::Type);
    incompatible(&json!({ "type": ["string", "null"] }), &text, "$", IncompatibilityKind::Type);
    incompatible(
        &json!(true),
        &json!({ "type": ["array", "boolean", "integer", "null", "number", "string"] }),
        "$",
        IncompatibilityKind::Type,
    );
}

#[test]
fn properties_must_be_there_and_may_be_more() {
    let one = object(json!({ "id": { "type": "string" } }), &["id"]);
    let two = object(json!({ "id": { "type": "string" }, "note": { "type": "string" } }), &["id"]);
    let both = object(json!({ "id": { "type": "string" }, "note": { "type": "string" } }), &["id", "note"]);
    compatible(&one, &two);
    compatible(&two, &one);
    compatible(&both, &two);
    incompatible(&two, &both, "$.note", IncompatibilityKind::Required);
    assert_eq!(says(&one, &both), ["`$.note` is required by the reader, and the writer does not write it"]);
    let found = compare_and_keep(&two, &one).unwrap();
    assert_eq!((found[0].path(), found[0].kind()), ("$.note", IncompatibilityKind::Removed));
}

#[test]
fn a_reader_that_refuses_what_it_does_not_know_is_told_apart() {
    let two = object(json!({ "id": {}, "note": {} }), &[]);
    let closed = json!({ "type": "object", "properties": { "id": {} }, "additionalProperties": false });
    incompatible(&two, &closed, "$.note", IncompatibilityKind::Refused);
    compatible(&closed, &two);
    let unevaluated = json!({ "properties": { "id": {} }, "anyOf": [{ "type": "object", "properties": { "note": {} } }], "unevaluatedProperties": false });
    compatible(&two, &unevaluated);
    incompatible(&object(json!({ "other": {} }), &[]), &unevaluated, "$.other", IncompatibilityKind::Refused);
}

#[test]
fn maps_are_compared_by_their_values() {
    let map = |kind: &str| json!({ "type": "object", "additionalProperties": { "type": kind } });
    compatible(&map("integer"), &map("number"));
    incompatible(&map("string"), &map("integer"), "$.*", IncompatibilityKind::Type);
    compatible(&object(json!({ "a": { "type": "integer" } }), &[]), &map("integer"));
    incompatible(
        &map("string"),
        &object(json!({ "a": { "type": "integer" } }), &[]),
        "$.a",
        IncompatibilityKind::Type,
    );
    let by_number = |kind: &str| json!({ "type": "object", "patternProperties": { "^\\d+$": { "type": kind } }, "additionalProperties": false });
    compatible(&by_number("string"), &by_number("string"));
    assert_ne!(says(&by_number("string"), &by_number("integer")), Vec::<String>::new());
    incompatible(&by_number("string"), &map("integer"), "$.*", IncompatibilityKind::Type);
}

#[test]
fn integers_have_the_range_of_their_format() {
    let of = |format: &str| json!({ "type": "integer", "format": format });
    compatible(&of("uint32"), &of("uint64"));
    compatible(&of("uint32"), &of("int64"));
    compatible(&of("int8"), &of("int"));
    let narrower = [
        ("uint16", "uint8"),
        ("uint32", "uint16"),
        ("uint64", "uint32"),
        ("int16", "int8"),
        ("int32", "int16"),
        ("int64", "int32"),
        ("int64", "uint64"),
        ("uint64", "int64"),
        ("int128", "int64"),
    ];
    for (writer, reader) in narrower {
        incompatible(&of(writer), &of(reader), "$", IncompatibilityKind::Narrowed);
    }
    let from_one = json!({ "type": "integer", "exclusiveMinimum": 0, "maximum": 9 });
    compatible(&json!({ "type": "integer", "minimum": 1, "maximum": 9 }), &from_one);
    incompatible(
        &json!({ "type": "integer", "minimum": 0, "maximum": 9 }),
        &from_one,
        "$",
        IncompatibilityKind::Narrowed,
    );
    compatible(&json!({ "const": 4 }), &from_one);
    incompatible(&json!({ "const": 10 }), &from_one, "$", IncompatibilityKind::Narrowed);
    compatible(
        &json!({ "type": "number", "format": "float" }),
        &json!({ "type": "number", "format": "double" }),
    );
    incompatible(
        &json!({ "type": "number", "format": "double" }),
        &json!({ "type": "number", "format": "float" }),
        "$",
        IncompatibilityKind::Narrowed,
    );
    incompatible(
        &json!({ "type": "number", "minimum": 0.5 }),
        &json!({ "type": "number", "exclusiveMinimum": 0.5 }),
        "$",
        IncompatibilityKind::Narrowed,
    );
}

#[test]
fn values_and_words_of_strings() {
    let states = |names: &[&str]| json!({ "type": "string", "enum": names });
    compatible(&states(&["a"]), &states(&["a", "b"]));
    compatible(&states(&["a"]), &json!({ "type": "string" }));
    compatible(&states(&["a", "b"]), &json!({ "oneOf": [{ "const": "b" }, { "const": "a" }] }));
    assert_eq!(
        says(&states(&["a", "b"]), &states(&["a"])),
        [r#"`$` may be "b" in what the writer writes, and the reader takes "a" alone"#]
    );
    incompatible(&json!({ "type": "string" }), &states(&["a"]), "$", IncompatibilityKind::Narrowed);
    let date = json!({ "type": "string", "format": "date-time" });
    compatible(&date, &json!({ "type": "string" }));
    incompatible(&json!({ "type": "string" }), &date, "$", IncompatibilityKind::Narrowed);
    let short = json!({ "type": "string", "maxLength": 3, "minLength": 1 });
    compatible(&states(&["abc"]), &short);
    incompatible(&states(&["abcd"]), &short, "$", IncompatibilityKind::Narrowed);
    incompatible(&states(&[""]), &short, "$", IncompatibilityKind::Narrowed);
    let digits = json!({ "type": "string", "pattern": "^[0-9]+$" });
    compatible(&digits, &digits);
    incompatible(
        &json!({ "type": "string", "pattern": "^[0-9]{2}$" }),
        &digits,
        "$",
        IncompatibilityKind::Narrowed,
    );
    compatible(&json!({ "type": "boolean" }), &json!({ "enum": [true, false] }));
}

#[test]
fn lists_and_tuples() {
    let list = |kind: &str| json!({ "type": "array", "items": { "type": kind } });
    let pair = json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": "integer" }], "minItems": 2, "maxItems": 2 });
    compatible(&list("integer"), &list("number"));
    incompatible(&list("string"), &list("integer"), "$[*]", IncompatibilityKind::Type);
    compatible(&pair, &pair);
    incompatible(&pair, &list("string"), "$[1]", IncompatibilityKind::Type);
    incompatible(
        &json!({ "type": "array", "items": { "type": "string" } }),
        &json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true }),
        "$",
        IncompatibilityKind::Narrowed,
    );
    incompatible(
        &list("string"),
        &json!({ "type": "array", "minItems": 1 }),
        "$",
        IncompatibilityKind::Narrowed,
    );
}

#[test]
fn tagged_enums_are_compared_variant_by_variant() {
    let variant = |name: &str, content: Value| json!({ "type": "object", "properties": { name: content }, "required": [name], "additionalProperties": false });
    let card = variant("Card", json!({ "type": "string" }));
    let old = json!({ "oneOf": [card, { "type": "string", "const": "Cash" }] });
    let new = json!({ "oneOf": [card, { "type": "string", "enum": ["Cash", "Voucher"] }] });
    compatible(&old, &new);
    incompatible(&new, &old, "$", IncompatibilityKind::Narrowed);
    let changed = json!({ "oneOf": [variant("Card", json!({ "type": "integer" })), { "type": "string", "const": "Cash" }] });
    incompatible(&old, &changed, "$.Card", IncompatibilityKind::Type);
}

#[test]
fn what_cannot_be_decided_needs_the_same_words() {
    let not = json!({ "type": "string", "not": { "const": "x" } });
    compatible(&not, &not);
    compatible(&not, &json!({ "type": "string" }));
    incompatible(&json!({ "type": "string" }), &not, "$", IncompatibilityKind::Narrowed);
    let named = |kind: &str| json!({ "type": "object", "propertyNames": { "$ref": "#/$defs/N" }, "$defs": { "N": { "type": kind } } });
    compatible(&named("string"), &named("string"));
    incompatible(&named("string"), &named("integer"), "$", IncompatibilityKind::Narrowed);
}

fn tree(leaf: &str) -> Value {
    json!({
        "$ref": "#/$defs/Tree",
        "$defs": { "Tree": {
            "type": "object",
            "properties": { "leaf": { "type": leaf }, "children": { "type": "array", "items": { "$ref": "#/$defs/Tree" } } },
            "required": ["leaf", "children"],
        } }
    })
}

#[test]
fn schemas_may_refer_to_themselves() {
    compatible(&tree("integer"), &tree("number"));
    incompatible(&tree("string"), &tree("integer"), "$.leaf", IncompatibilityKind::Type);
}

/// A pair that was taken for compatible while it was compared is not remembered as such: `B` is fine only if `A` is.
#[test]
fn what_was_assumed_is_not_remembered() {
    let inside = json!({ "type": "object", "properties": { "inner": { "$ref": "#/$defs/A" } } });
    let document = |leaf: &str| {
        json!({
            "type": "object",
            "properties": {
                "one": inside.clone(),
                "two": { "$ref": "#/$defs/B" },
            },
            "$defs": {
                "A": { "type": "object", "properties": { "b": { "$ref": "#/$defs/B" }, "leaf": { "type": leaf } } },
                "B": { "type": "object", "properties": { "a": { "$ref": "#/$defs/A" } } },
            }
        })
    };
    let mut reader = document("integer");
    reader["properties"]["one"] = json!({ "anyOf": [inside, true] });
    let found = compare(&document("string"), &reader).unwrap();
    let paths: Vec<_> = found.iter().map(Incompatibility::path).collect();
    assert_eq!(paths, ["$.two.a.leaf"]);
}

#[test]
fn what_is_too_large_too_deep_or_leads_nowhere_is_an_error_of_its_own() {
    let kind = |writer: &Value, reader: &Value| compare(writer, reader).unwrap_err().kind();
    let itself = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "$ref": "#/$defs/A" } } });
    assert_eq!(kind(&itself, &json!(true)), ErrorKind::Reference);
    let both = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "anyOf": [{ "$ref": "#/$defs/A" }, { "$ref": "#/$defs/A" }] } } });
    assert!(matches!(kind(&both, &json!(true)), ErrorKind::Reference | ErrorKind::TooLarge));
    assert_eq!(kind(&json!({ "$ref": "#/$defs/Away" }), &json!(true)), ErrorKind::Reference);
    assert_eq!(kind(&json!({ "$ref": "https://example.com/a.json" }), &json!(true)), ErrorKind::Reference);
    let deep =
        (0..120).fold(json!({ "type": "string" }), |inner, _| json!({ "type": "array", "items": inner }));
    assert_eq!(kind(&deep, &deep), ErrorKind::TooLarge);
    // 2^20 alternatives.
    let parts: Vec<_> =
        (0..20).map(|_| json!({ "anyOf": [{ "minLength": 1 }, { "maxLength": 1 }] })).collect();
    let wide = json!({ "type": "string", "allOf": parts });
    assert_eq!(kind(&wide, &json!({ "type": "integer" })), ErrorKind::TooLarge);
}

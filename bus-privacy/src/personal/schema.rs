//! The schema of personal values: what is read open in a process, erased, and sealed on the wire.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::Personal;
use crate::subject::MAX_SUBJECT_BYTES;

impl<T: JsonSchema> JsonSchema for Personal<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Personal_{}", T::schema_name()).into()
    }

    fn schema_id() -> Cow<'static, str> {
        format!("jitney_privacy::Personal<{}>", T::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        let subject = json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_SUBJECT_BYTES });
        json_schema!({
            "description": "A personal value: in the clear inside a process, sealed everywhere else, and erased once its subject \
                is forgotten.",
            "anyOf": [
                one_field("$personal", &json_schema!({
                    "type": "object",
                    "properties": { "subject": subject, "value": value },
                    "required": ["subject", "value"],
                })),
                one_field("$personal", &json_schema!({
                    "type": "object",
                    "properties": { "subject": subject, "erased": { "const": true } },
                    "required": ["subject", "erased"],
                })),
                one_field("$sealed", &json_schema!({
                    "type": "object",
                    "properties": {
                        "alg": { "type": "string" },
                        "subject": subject,
                        "key": { "type": "string" },
                        "data": { "type": "string" },
                    },
                    "required": ["alg", "subject", "key", "data"],
                })),
            ],
        })
    }
}

fn one_field(name: &str, of: &Schema) -> Schema {
    json_schema!({ "type": "object", "properties": { name: of }, "required": [name] })
}

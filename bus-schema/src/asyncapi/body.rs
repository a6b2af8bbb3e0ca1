//! What a message looks like on Kafka and RabbitMQ: the envelope in native JSON.

use jitney_core::event::EventType;
use serde_json::{Value, json};

/// The message of `event_type`, whose payload has the schema `payload`.
pub(super) fn message(event_type: &EventType, payload: &Value) -> Value {
    let (name, version) = (event_type.name(), event_type.version());
    json!({
        "name": name,
        "title": format!("{name} {version}"),
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "properties": {
                "event-type": { "type": "string", "const": name },
                "correlation-id": { "type": "string" },
            },
        },
        "correlationId": { "location": "$message.header#/correlation-id" },
        "bindings": { "kafka": { "key": { "type": "string" } }, "amqp": { "messageType": name } },
        "payload": envelope(event_type, payload),
    })
}

fn envelope(event_type: &EventType, payload: &Value) -> Value {
    let version = event_type.version();
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "eventId": { "type": "string", "format": "uuid" },
            "eventType": { "type": "string", "const": event_type.name() },
            "aggregateId": text,
            "aggregateType": { "type": "string", "const": event_type.aggregate() },
            "timestamp": { "type": "string", "format": "date-time" },
            "version": { "type": "integer", "const": version.major },
            "minor": { "type": "integer", "minimum": 0 },
            "sequence": { "type": "integer", "minimum": 1 },
            "payload": payload,
            "metadata": {
                "type": "object",
                "properties": { "userId": text, "correlationId": text, "causationId": text, "traceparent": text },
            },
        },
        "required": ["eventId", "eventType", "aggregateId", "aggregateType", "timestamp", "version", "payload"],
    })
}

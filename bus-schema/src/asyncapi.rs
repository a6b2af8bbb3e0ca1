//! An application as an AsyncAPI 3 document.

mod body;
mod definitions;

use std::collections::BTreeMap;

use jitney_core::app::{BusDescription, Description, GroupDescription};
use serde_json::{Map, Value, json};

use crate::Events;
use crate::events::Declared;

/// The AsyncAPI 3 document of the application that `app` describes.
///
/// ```
/// # use jitney_core as jitney;
/// # fn document(app: jitney::App) -> Result<(), jitney::Error> {
/// let document = jitney_schema::asyncapi(&app.describe()?).version("1.2.0").document();
/// println!("{document:#}");
/// # Ok(())
/// # }
/// ```
pub fn asyncapi(app: &Description) -> AsyncApi {
    AsyncApi {
        service: app.service.clone(),
        version: "1.0.0".to_owned(),
        buses: app.buses.clone(),
        groups: app.groups.clone(),
        published: Events::new(),
    }
}

/// A document in the making: channels, operations and messages of an application, with bindings for Kafka and AMQP.
///
/// Every topic is a channel, every group receives from the channels that its handlers take events of, and each live version of an
/// event type is a message: the envelope in native JSON, with the schema of the payload where the event has derived
/// `schemars::JsonSchema`. What handlers return is known to no one before it is published: [`publishes`](Self::publishes) tells it.
#[derive(Debug, Clone)]
#[must_use = "a document is made by `document`"]
pub struct AsyncApi {
    service: String,
    version: String,
    buses: Vec<BusDescription>,
    groups: Vec<GroupDescription>,
    published: Events,
}

impl AsyncApi {
    /// With `version` as that of the service; otherwise it is 1.0.0.
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.to_owned();
        self
    }

    /// With the events that the application publishes.
    pub fn publishes(mut self, events: impl Into<Events>) -> Self {
        self.published = self.published.and(events);
        self
    }

    /// The document.
    pub fn document(&self) -> Value {
        let mut parts = Parts::default();
        for group in &self.groups {
            parts.receive(group);
        }
        parts.send(&self.published);
        let mut document = json!({
            "asyncapi": "3.0.0",
            "info": { "title": self.service, "version": self.version },
            "defaultContentType": "application/json",
            "channels": parts.channels(),
            "operations": parts.operations,
            "components": { "messages": parts.messages, "schemas": parts.schemas },
        });
        let servers: Map<_, _> = self.buses.iter().filter_map(server).collect();
        if !servers.is_empty() {
            document["servers"] = Value::Object(servers);
        }
        crate::shape::sorted(&document)
    }
}

/// The server behind a bus; none where it is the process itself, or a service of a cloud without an address.
fn server(bus: &BusDescription) -> Option<(String, Value)> {
    let (scheme, rest) = bus.transport.split_once("://")?;
    let protocol = match scheme {
        "kafka" => "kafka",
        "kafkas" | "kafka+ssl" => "kafka-secure",
        "amqp" => "amqp",
        "amqps" => "amqps",
        _ => return None,
    };
    let host = rest.split(['/', '?']).next().filter(|host| !host.is_empty())?;
    let name = bus.name.as_deref().unwrap_or("default");
    Some((key(name), json!({ "host": host, "protocol": protocol })))
}

/// `name` as the key of a component.
fn key(name: &str) -> String {
    let plain =
        |letter: char| if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' };
    name.chars().map(plain).collect()
}

#[derive(Default)]
struct Parts {
    /// The keys of its messages, by topic.
    topics: BTreeMap<String, BTreeMap<String, Value>>,
    operations: Map<String, Value>,
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Parts {
    fn receive(&mut self, group: &GroupDescription) {
        let mut by_topic: BTreeMap<String, Vec<Value>> =
            group.topics.iter().map(|topic| (topic.clone(), Vec::new())).collect();
        for event_type in group.handlers.iter().flat_map(|handler| &handler.events) {
            let message = self.message(&Declared::of(*event_type));
            by_topic.entry(event_type.topic().to_owned()).or_default().push(message);
        }
        for (topic, messages) in by_topic {
            self.topics.entry(topic.clone()).or_default();
            let mut operation = json!({
                "action": "receive",
                "channel": reference(&["channels", &key(&topic)]),
                "bindings": {
                    "kafka": { "groupId": { "type": "string", "const": group.name } },
                    "amqp": { "ack": true },
                },
            });
            // A group that takes whatever there is names no messages.
            if !messages.is_empty() {
                operation["messages"] = Value::Array(messages);
            }
            self.operations.insert(key(&format!("receive.{}.{topic}", group.name)), operation);
        }
    }

    fn send(&mut self, published: &Events) {
        let mut by_topic: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for declared in published.clone().into_sorted() {
            let message = self.message(&declared);
            by_topic.entry(declared.event_type.topic().to_owned()).or_default().push(message);
        }
        for (topic, messages) in by_topic {
            let operation = json!({
                "action": "send",
                "channel": reference(&["channels", &key(&topic)]),
                "messages": messages,
                "bindings": { "amqp": { "deliveryMode": 2 } },
            });
            self.operations.insert(key(&format!("send.{topic}")), operation);
        }
    }

    /// Adds the message of an event type to its channel; a reference to it there.
    fn message(&mut self, declared: &Declared) -> Value {
        let event_type = declared.event_type;
        let name = key(&format!("{}.{}.{}", event_type.aggregate(), event_type.name(), event_type.version()));
        let payload = declared.schema().unwrap_or_else(|| json!({}));
        let payload = definitions::moved(&payload, &name, &mut self.schemas);
        let message = body::message(&event_type, &payload);
        self.messages.entry(name.clone()).or_insert(message);
        let topic = event_type.topic();
        let in_channel = self.topics.entry(topic.to_owned()).or_default();
        in_channel.insert(name.clone(), reference(&["components", "messages", &name]));
        reference(&["channels", &key(topic), "messages", &name])
    }

    fn channels(&self) -> Map<String, Value> {
        let channel = |(topic, messages): (&String, &BTreeMap<String, Value>)| {
            let channel = json!({
                "address": topic,
                "messages": messages,
                "bindings": {
                    "kafka": { "topic": topic },
                    "amqp": {
                        "is": "routingKey",
                        "exchange": { "name": topic, "type": "topic", "durable": true, "autoDelete": false },
                    },
                },
            });
            (key(topic), channel)
        };
        self.topics.iter().map(channel).collect()
    }
}

fn reference(path: &[&str]) -> Value {
    json!({ "$ref": format!("#/{}", path.join("/")) })
}

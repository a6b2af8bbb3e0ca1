//! Personal data where it cannot be sealed is not published.

use std::collections::BTreeMap;

use jitney::prelude::*;
use jitney::privacy::{Personal, Revealed};
use jitney::{ErrorKind, error_chain};
use serde::Serializer;
use serde::de::{self, Deserializer};

use super::fixture::{SECRETS, assert_tells_nothing, setting, subject};

fn street() -> Personal<String> {
    Personal::new(subject("1"), SECRETS[0].to_owned())
}

/// A value as JSON in a text, as old services like it.
#[derive(Debug, Clone)]
struct AsText(Personal<String>);

impl Serialize for AsText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(&self.0).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for AsText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(AsText).map_err(de::Error::custom)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsNote", id = id)]
struct InText {
    id: u32,
    street: AsText,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsNote", id = id)]
struct Flattened {
    id: u32,
    #[serde(flatten)]
    street: Personal<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsNote", id = id)]
struct FlattenedFirst {
    #[serde(flatten)]
    street: Personal<String>,
    id: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsNote", id = id)]
struct Nested {
    id: u32,
    address: Personal<BTreeMap<String, Personal<String>>>,
}

#[tokio::test(start_paused = true)]
async fn in_a_text_among_other_fields_or_in_another_value_it_is_refused() {
    let setting = setting().await;
    let id = 1;
    let address = Personal::new(subject("2"), BTreeMap::from([("street".to_owned(), street())]));
    let refused = [
        setting.bus.publish(&InText { id, street: AsText(street()) }).await,
        setting.bus.publish(&Flattened { id, street: street() }).await,
        setting.bus.publish(&FlattenedFirst { id, street: street() }).await,
        setting.bus.publish(&Nested { id, address }).await,
    ];
    for refused in refused {
        let error = refused.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Encode | ErrorKind::Layer) && !error.is_retryable(),
            "{error:?}"
        );
        assert_tells_nothing(&error_chain(&error));
    }
    assert!(setting.memory.messages("JitneyTestsNote-events").is_empty());
}

/// An event that has had its name in the clear before.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsNote", id = id, type = "Named")]
struct NamedBefore {
    id: u32,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsNote", id = id, version = "2", upcast_from = NamedBefore, type = "Named")]
struct Named {
    id: u32,
    name: Personal<String>,
}

impl From<NamedBefore> for Named {
    fn from(old: NamedBefore) -> Self {
        Named { id: old.id, name: Personal::new(subject(&old.id.to_string()), old.name) }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_from_before_is_upcast_and_sealed_from_then_on() {
    let setting = setting().await;
    let seen = super::fixture::Seen::default();
    let log = seen.clone();
    let app = super::fixture::service(setting.bus.clone(), move |event: Named| {
        log.add(event);
        std::future::ready(())
    });
    let app = app.await;
    setting.plain_bus().publish(&NamedBefore { id: 1, name: "Maria".to_owned() }).await.unwrap();
    setting.idle().await;
    let event = seen.taken().remove(0);
    assert_eq!(event.name.reveal(), Revealed::Known(&"Maria".to_owned()));
    setting.bus.publish(&event).await.unwrap();
    setting.idle().await;
    let messages = setting.memory.messages("JitneyTestsNote-events");
    assert!(String::from_utf8_lossy(&messages[1].body).contains("$sealed"));
    assert_eq!(seen.taken(), [event]);
    app.shutdown().await.unwrap();
}

//! Nothing that is logged has a personal value in it, whatever goes wrong.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use jitney::message::Message;
use jitney::prelude::*;
use jitney::privacy::Personal;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::fixture::{PersonMoved, assert_tells_nothing, moved, service, setting, subject, text};

/// Keeps all that is logged, spans and fields too.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for &Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut &*self);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut &*self);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut &*self);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The same event, read as another type by a service that is not up to date.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsPerson", id = person, type = "PersonMoved")]
struct Misread {
    person: String,
    street: Personal<u32>,
}

#[tokio::test(start_paused = true)]
async fn no_log_and_no_dead_letter_shows_a_value() {
    let log = Everything::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    let setting = setting().await;
    let failing = |event: PersonMoved| async move {
        tracing::info!(?event, "handling");
        Err::<(), _>(format!("cannot take {event:?}"))
    };
    let app = service(setting.bus.clone(), failing).await;
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.idle().await;
    let body = String::from_utf8_lossy(&setting.messages()[0].body).replace("street", "straße");
    setting.inject(&Message { body: body.into(), ..Message::clone(&setting.messages()[0]) }).await;
    setting.idle().await;
    app.shutdown().await.unwrap();
    let app = service(setting.bus.clone(), |_: Misread| async {}).await;
    setting.bus.publish(&moved("2")).await.unwrap();
    setting.idle().await;
    app.shutdown().await.unwrap();
    setting.vault.forget(&subject("1")).await.unwrap();
    setting.bus.publish(&moved("1")).await.unwrap_err();

    let letters: String = setting.dead_letters().iter().map(|letter| text(letter)).collect();
    let logged = log.0.lock().unwrap().clone();
    for expected in ["exhausted", "refused", "undecodable"] {
        assert!(letters.contains(expected), "{letters}");
    }
    assert!(logged.contains("handling") && logged.contains("is forgotten"), "{logged}");
    assert!(logged.contains("known"), "the event was logged");
    assert_tells_nothing(&letters);
    assert_tells_nothing(&logged);
}

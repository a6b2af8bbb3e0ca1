//! Old versions reach the handlers of the current one; unknown ones are kept.

use jitney::dead_letter::Reason;
use jitney::handler::HandlerSpec;
use jitney::prelude::*;
use jitney_testkit::TestApp;

use super::events::message;
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Log, shop, take, until};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order, type = "Priced")]
struct PricedV1 {
    order: String,
    cents: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order, version = "2.1", upcast_from = PricedV1)]
struct Priced {
    order: String,
    cents: u64,
    currency: String,
}

impl TryFrom<PricedV1> for Priced {
    type Error = &'static str;

    fn try_from(old: PricedV1) -> Result<Self, Self::Error> {
        match old.cents {
            0 => Err("a price of nothing"),
            cents => Ok(Priced { order: old.order, cents, currency: "USD".to_owned() }),
        }
    }
}

/// A later minor version, of which the readers here know nothing.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = order, type = "Priced", version = "2.7")]
struct PricedLater {
    order: String,
    cents: u64,
    currency: String,
    discount: u64,
}

type Prices = Log<(u64, String, String)>;

async fn note(priced: Envelope<Priced>, State(log): State<Prices>) {
    log.add((priced.cents, priced.currency.clone(), priced.version().to_string()));
}

fn v1(cents: u64) -> PricedV1 {
    PricedV1 { order: "a".into(), cents }
}

#[jitney::test]
async fn an_old_major_version_is_brought_up_to_date() {
    let log = Prices::new();
    let app = TestApp::run(shop(take(), note)).state(log.clone()).await;
    app.publish(&v1(5)).await;
    app.publish(&Priced { order: "a".into(), cents: 6, currency: "EUR".into() }).await;
    app.settled().await;
    let of = |cents, currency: &str, version: &str| (cents, currency.to_owned(), version.to_owned());
    assert_eq!(
        log.all(),
        [of(5, "USD", "1.0"), of(6, "EUR", "2.1")],
        "the envelope says what was on the wire"
    );
    assert_eq!(app.stats("shop.take").skipped, 0);
}

#[jitney::test]
async fn a_later_minor_version_is_read_as_it_is() {
    let log = Prices::new();
    let app = TestApp::run(shop(take(), note)).state(log.clone()).await;
    app.publish(&PricedLater { order: "a".into(), cents: 7, currency: "EUR".into(), discount: 1 }).await;
    app.settled().await;
    assert_eq!(log.all(), [(7, "EUR".to_owned(), "2.7".to_owned())]);
}

#[jitney::test]
async fn an_unknown_major_version_of_a_handled_type_is_a_dead_letter_as_it_came() {
    let (transport, log) = (Scripted::new(), Prices::new());
    let app = shop(take(), note)(transport.bus()).state(log.clone()).spawn().await.unwrap();
    let mut unknown = message("e-0", &v1(5));
    let text = String::from_utf8(unknown.body.to_vec()).unwrap();
    unknown.body = text.replace("\"version\":1", "\"version\":3").into();
    transport.deliver([delivery(1, 0, unknown.clone()), delivery(1, 1, message("e-1", &v1(6)))]);
    until("both are settled", || transport.settled().len() == 2).await;
    let letter = transport.dead_letters().remove(0);
    assert_eq!(letter.failure.reason, Reason::UnknownVersion);
    assert_eq!(*letter.delivery.message, unknown);
    for part in ["`Priced`", "major version 3", "1, 2", "upcaster"] {
        assert!(letter.failure.error.contains(part), "{}", letter.failure.error);
    }
    assert_eq!(log.len(), 1, "what follows is handled");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn an_old_event_that_its_upcaster_refuses_is_undecodable() {
    let transport = Scripted::new();
    let app = shop(take(), note)(transport.bus()).state(Prices::new()).spawn().await.unwrap();
    transport.deliver([delivery(1, 0, message("e-0", &v1(0)))]);
    until("it is a dead letter", || transport.was_told(&Told::DeadLetter(0, Reason::Undecodable))).await;
    let error = transport.dead_letters().remove(0).failure.error;
    assert!(error.contains("upcasting `Priced` 1.0") && error.contains("a price of nothing"), "{error}");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn a_handler_of_an_old_version_beside_one_that_upcasts_it_is_refused() {
    let handlers = || {
        HandlerSet::new()
            .handler(HandlerSpec::new("current").group("g"), |_: Priced| async {})
            .handler(HandlerSpec::new("old").group("g"), |_: PricedV1| async {})
    };
    // `Priced` reads version 1 as well: two handlers for one event.
    let error = App::new("shop", Scripted::new().bus()).handlers(handlers()).spawn().await.unwrap_err();
    let error = error.to_string();
    for part in ["`shop.g`", "`Priced 1.0`", "`current`", "`old`", "another group"] {
        assert!(error.contains(part), "{error}");
    }
}

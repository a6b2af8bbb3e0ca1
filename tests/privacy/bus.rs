//! Sealed on the wire, open in the handler, erased behind the forgetting.

use jitney::ErrorKind;
use jitney::handler::{HandlerError, HandlerSpec};
use jitney::prelude::*;
use jitney::privacy::{self, Personal, Revealed};

use super::fixture::{
    PersonMoved, Seen, TOPIC, assert_tells_nothing, erased, kind, moved, service, setting, subject, text,
    watching,
};

/// Events of several keys come in any order.
fn by_person(mut events: Vec<PersonMoved>) -> Vec<PersonMoved> {
    events.sort_by(|one, other| one.person.cmp(&other.person));
    events
}

#[tokio::test(start_paused = true)]
async fn an_event_is_sealed_on_the_wire_and_open_in_the_handler() {
    let setting = setting().await;
    let (app, seen) = watching(setting.bus.clone()).await;
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.bus.publish_all(&[moved("2"), moved("3")]).await.unwrap();
    setting.idle().await;
    assert_eq!(by_person(seen.taken()), [moved("1"), moved("2"), moved("3")]);
    for message in setting.messages() {
        let text = text(&message);
        assert_tells_nothing(&text);
        assert_eq!(text.matches(r#"{"$sealed":{"alg":"XC20P-1","subject":"person/"#).count(), 3, "{text}");
    }
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_forgotten_is_erased_and_all_others_are_whole() {
    let setting = setting().await;
    for person in ["1", "2"] {
        setting.bus.publish(&moved(person)).await.unwrap();
    }
    setting.vault.forget(&subject("1")).await.unwrap();
    let (app, seen) = watching(setting.bus.clone()).await;
    setting.idle().await;
    assert_eq!(by_person(seen.taken()), [erased("1"), moved("2")]);
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_late_write_for_a_forgotten_subject_is_refused_and_nothing_is_published() {
    let setting = setting().await;
    setting.vault.forget(&subject("1")).await.unwrap();
    let error = setting.bus.publish(&moved("1")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Forgotten, false));
    assert_eq!(kind(&error), privacy::ErrorKind::Forgotten);
    let told = jitney::error_chain(&error);
    assert!(told.contains("not published") && told.contains("JitneyTestsPerson `1`"), "{told}");
    assert!(setting.messages().is_empty());
    // What says nothing of the person is published.
    setting.bus.publish(&erased("1")).await.unwrap();
    assert_eq!(setting.messages().len(), 1);
}

/// Where somebody has moved to, said again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsSaid", id = person)]
struct AddressSaid {
    person: String,
    street: Personal<String>,
}

#[tokio::test(start_paused = true)]
async fn who_is_forgotten_while_an_event_is_handled_is_handled_anew_without_their_data() {
    let setting = setting().await;
    let attempts = Seen::default();
    let (log, vault) = (attempts.clone(), setting.vault.clone());
    let app = service(setting.bus.clone(), move |event: PersonMoved| {
        let vault = vault.clone();
        log.add(event.clone());
        async move {
            vault.forget(&subject("1")).await.map_err(HandlerError::permanent)?;
            Ok::<_, HandlerError>(AddressSaid { person: event.person, street: event.street })
        }
    });
    let app = app.await;
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.idle().await;
    assert_eq!(attempts.taken(), [moved("1"), erased("1")]);
    assert!(setting.dead_letters().is_empty());
    let letters = setting.memory.messages("JitneyTestsSaid-events");
    assert_eq!(letters.len(), 1);
    assert!(text(&letters[0]).contains(r#""erased":true"#), "{}", text(&letters[0]));
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_bus_without_a_vault_publishes_no_personal_data() {
    let setting = setting().await;
    let error = setting.plain_bus().publish(&moved("1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    let told = jitney::error_chain(&error);
    assert!(told.contains("written only where it is sealed"), "{told}");
    assert_tells_nothing(&told);
    assert!(setting.messages().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_without_a_vault_reads_events_and_sees_that_they_are_sealed() {
    let setting = setting().await;
    let (app, seen) = watching(setting.plain_bus()).await;
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.idle().await;
    let event = seen.taken().remove(0);
    assert_eq!((event.street.reveal(), event.person.as_str()), (Revealed::Sealed, "1"));
    // It opens nowhere else, and so it is written nowhere else.
    let told = jitney::error_chain(&setting.bus.publish(&event).await.unwrap_err());
    assert!(told.contains("read without the vault"), "{told}");
    app.shutdown().await.unwrap();
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsLetter", id = person)]
struct LetterSent {
    person: String,
    to: Personal<String>,
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_returns_is_sealed_for_its_own_place() {
    let setting = setting().await;
    let handler = |event: PersonMoved| async { LetterSent { person: event.person, to: event.street } };
    let app = service(setting.bus.clone(), handler).await;
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.idle().await;
    let letters = setting.memory.messages("JitneyTestsLetter-events");
    assert_eq!(letters.len(), 1);
    assert_tells_nothing(&text(&letters[0]));
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_are_passed_on_sealed_or_not_at_all() {
    let setting = setting().await;
    let seen = Seen::default();
    let spec = HandlerSpec::new("take").topic(TOPIC);
    let log = seen.clone();
    let handler = move |event: RawEvent| {
        log.add(event);
        std::future::ready(())
    };
    let app = App::new("people", setting.bus.clone()).handlers(HandlerSet::new().handler(spec, handler));
    let app = app.spawn().await.unwrap();
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.idle().await;
    let event = seen.taken().remove(0);
    assert_eq!(event.decode::<PersonMoved>().unwrap(), moved("1"), "the layer has opened it");

    let error = setting.plain_bus().republish(&event).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    let told = jitney::error_chain(&error);
    assert!(told.contains("which seals nothing") && told.contains("vault"), "{told}");
    assert_eq!(setting.messages().len(), 1);

    setting.bus.republish(&event).await.unwrap();
    setting.idle().await;
    assert_eq!(seen.taken()[0].decode::<PersonMoved>().unwrap(), moved("1"));
    setting.messages().iter().for_each(|message| assert_tells_nothing(&text(message)));
    app.shutdown().await.unwrap();
}

//! Process managers: their states, compensations and messages.

use jitney::error_chain;
use jitney::sourcing::ErrorKind;
use jitney::sourcing::process::{OnFailure, ProcessManager, ProcessRunner};

use crate::parcels::{Courier, MIRRORED, NAME, QUIET, TOO_PERSONAL, Weighed, addressed, append, name_of};
use crate::setting::Database;

fn weighed(grams: u64) -> Weighed {
    Weighed { parcel: "p-1".to_owned(), grams }
}

pub(crate) async fn a_process_is_stored_sealed_and_goes_on_opened(database: &impl Database) {
    let runner = database.runner();
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    runner.catch_up().await.unwrap();
    database.assert_sealed(&["processes", "outbox"], &[]).await;
    let process = runner.look("p-1").await.unwrap().unwrap();
    assert_eq!(process.state.name, Some(name_of("c-1")));
    assert!(process.compensations[0].payload_json().contains(NAME), "it is opened for whoever looks");
    assert!(!format!("{process:?}").contains(NAME));
    database.append(append("e-2", &weighed(7))).await;
    runner.catch_up().await.unwrap();
    let process = runner.look("p-1").await.unwrap().unwrap();
    assert_eq!((process.state.grams, process.compensations.len()), (7, 0));
    database.assert_sealed(&["processes", "outbox"], &[]).await;
    let sent = database.outgoing().await;
    for event_type in ["Deliver", "CallBack"] {
        let named = format!("\"eventType\":\"{event_type}\"");
        let sealed = sent.iter().filter(|event| event.contains(&named) && event.contains(MIRRORED)).count();
        assert_eq!(sealed, 1, "{sent:?}");
    }
    database.mirror().forget("c-1");
    let name = runner.look("p-1").await.unwrap().unwrap().state.name;
    assert_eq!(name.unwrap().text, None);
}

pub(crate) async fn a_process_waits_for_keys(database: &impl Database) {
    let runner = database.runner().on_failure(OnFailure::Park);
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    database.mirror().set_away(true);
    let error = runner.catch_up().await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(runner.look("p-1").await.unwrap().is_none() && runner.parked(10).await.unwrap().is_empty());
    database.mirror().set_away(false);
    runner.catch_up().await.unwrap();
    database.mirror().set_away(true);
    database.append(append("e-2", &weighed(7))).await;
    let error = runner.catch_up().await.unwrap_err();
    assert!(error.is_retryable() && runner.parked(10).await.unwrap().is_empty(), "{error:?}");
    database.mirror().set_away(false);
    runner.catch_up().await.unwrap();
    assert_eq!(runner.look("p-1").await.unwrap().unwrap().state.grams, 7);
}

pub(crate) async fn who_is_forgotten_while_an_input_is_handled_is_read_anew(database: &impl Database) {
    let runner = database.runner().on_failure(OnFailure::Park);
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    database.append(append("e-2", &addressed("p-2", "c-2"))).await;
    database.mirror().forget_once_opened("c-1");
    runner.catch_up().await.unwrap();
    assert!(runner.parked(10).await.unwrap().is_empty(), "nothing is wrong with the event");
    for (parcel, text) in [("p-1", None), ("p-2", Some(NAME))] {
        let name = runner.look(parcel).await.unwrap().unwrap().state.name.unwrap();
        assert_eq!(name.text.as_deref(), text, "{parcel}");
    }
    // In a state that was read before.
    database.append(append("e-3", &weighed(7))).await;
    let third = append("e-4", &Weighed { parcel: "p-2".to_owned(), grams: 8 });
    database.append(third).await;
    database.mirror().forget_once_opened("c-2");
    runner.catch_up().await.unwrap();
    assert!(runner.parked(10).await.unwrap().is_empty());
    let state = runner.look("p-2").await.unwrap().unwrap().state;
    assert_eq!((state.grams, state.name.unwrap().text), (8, None));
}

pub(crate) async fn a_process_that_nothing_seals_is_not_stored(database: &impl Database) {
    database.append(append("e-1", &addressed(QUIET, "c-1"))).await;
    let processes = database.processes(&database.plain());
    let runner = ProcessRunner::<Courier>::new(processes).follow(database.store().clone());
    let error = runner.catch_up().await.unwrap_err();
    assert!(error.to_string().contains("process `p-quiet` of `courier` has personal data"), "{error:?}");
    database.runner().catch_up().await.unwrap();
    database.append(append("e-2", &addressed("p-1", "c-1"))).await;
    let error = runner.catch_up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    let text = error_chain(&error);
    assert!(text.contains("sealed_by") && text.contains("courier") && !text.contains(NAME), "{text}");
    assert!(runner.look("p-1").await.unwrap().is_none());
    database.assert_sealed(&["events"], &[]).await;
}

pub(crate) async fn what_was_changed_is_put_aside(database: &impl Database) {
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    database.append(append("e-2", &addressed("p-2", "c-1"))).await;
    database.change("e-1").await;
    let runner = database.runner();
    let error = runner.catch_up().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode, "{error:?}");
    let runner = runner.on_failure(OnFailure::Park);
    runner.catch_up().await.unwrap();
    let parked = runner.parked(10).await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(&*parked[0].event_id.to_string(), "e-1");
    let error = parked[0].error.clone().unwrap();
    assert!(error.contains("cannot be opened") && error.contains("was sealed in"), "{error}");
    assert!(runner.look("p-2").await.unwrap().is_some());
    database.assert_sealed(&["events", "processes"], &[]).await;
}

pub(crate) async fn what_cannot_be_read_is_put_aside_without_its_values(database: &impl Database) {
    let runner = database.runner().on_failure(OnFailure::Park);
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    runner.catch_up().await.unwrap();
    // A deadline is known by its text.
    database.append(append("e-2", &weighed(TOO_PERSONAL))).await;
    runner.catch_up().await.unwrap();
    let error = runner.parked(10).await.unwrap()[0].error.clone().unwrap();
    assert!(error.contains("it has personal data") && !error.contains(NAME), "{error}");
    // A state that another version has written: a number is wanted where the name is now.
    let processes = database.table("processes");
    let state = database.replaced("state", "{\"grams\":0,\"name\":", "{\"name\":null,\"grams\":");
    database.meddle(&format!("UPDATE {processes} SET state = {state}")).await;
    database.append(append("e-3", &weighed(7))).await;
    runner.catch_up().await.unwrap();
    let parked = runner.parked(10).await.unwrap();
    let error = parked.iter().find(|parked| parked.event_id == "e-3".into()).unwrap().error.clone().unwrap();
    assert!(error.contains("not told") && !error.contains(NAME), "{error}");
    database.assert_sealed(&["events", "processes"], &[]).await;
}

pub(crate) async fn a_state_that_was_changed_stops_its_process(database: &impl Database) {
    let runner = database.runner();
    database.append(append("e-1", &addressed("p-1", "c-1"))).await;
    database.append(append("e-2", &addressed("p-2", "c-1"))).await;
    runner.catch_up().await.unwrap();
    let processes = database.table("processes");
    let key = format!("{}/p-1", Courier::NAME);
    let state = database.replaced("state", &key, "courier/p-2");
    database.meddle(&format!("UPDATE {processes} SET state = {state} WHERE key = 'p-1'")).await;
    database.append(append("e-3", &weighed(7))).await;
    let error = runner.catch_up().await.unwrap_err();
    let text = error_chain(&error);
    assert!(error.kind() == ErrorKind::Decode && text.contains("p-1") && !text.contains(NAME), "{text}");
    assert_eq!(runner.look("p-2").await.unwrap().unwrap().state.name, Some(name_of("c-1")));
}

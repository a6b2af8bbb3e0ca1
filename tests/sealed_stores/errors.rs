//! What errors and debug output tell.

use jitney::outbox::{MemoryOutbox, OutboxEvent};
use jitney::prelude::*;
use jitney::sourcing::{EventStore, MemoryStore, NewEvent, ReadStream};
use jitney::{Env, ErrorKind, error_chain};
use jitney_testkit::mirror::{Mirror, PersonalText};

use crate::parcels::{Deliver, Misread, NAME, Weighed, addressed, append, name_of, stream};

/// One that writes a value where nobody could seal it.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel)]
struct Packed {
    parcel: String,
    #[serde(flatten)]
    name: PersonalText,
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_named_without_its_values() {
    let store = MemoryStore::new().sealed_by(Mirror::new());
    store.append(append("e-1", &addressed("p-1", "c-1"))).await.unwrap();
    let event = store.read_stream(&stream("p-1"), ReadStream::forward()).await.unwrap().remove(0);
    assert!(String::from_utf8_lossy(event.payload_json()).contains(NAME), "it was opened");
    let error = event.decode::<Misread>().unwrap_err();
    let told = error_chain(&error);
    assert!(told.contains("Parcel/p-1") && told.contains("line 1 column") && !told.contains(NAME), "{told}");
    assert!(!format!("{error:?} {event:?}").contains(NAME));
}

#[test]
fn a_value_that_hides_is_refused() {
    let packed = Packed { parcel: "p-1".to_owned(), name: name_of("c-1") };
    let error = NewEvent::new("e-1".into(), Env::system().now(), &packed).unwrap_err();
    let told = error_chain(&error);
    assert!(told.contains("flattened") && !told.contains(NAME), "{told}");
}

#[tokio::test]
async fn an_outbox_takes_what_is_sealed_and_nothing_shows_what_is_not() {
    let deliver = Deliver { parcel: "p-1".to_owned(), name: name_of("c-1") };
    let event = OutboxEvent::new(&Env::system(), &deliver).unwrap();
    assert!(event.is_open() && !format!("{event:?}").contains(NAME));
    let outbox = MemoryOutbox::new();
    let error = outbox.add(event.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("OutboxEvent::seal"), "{error}");
    let sealed = event.seal(&Mirror::new()).await.unwrap();
    assert!(!sealed.is_open());
    outbox.add(sealed).unwrap();
    let mut new = NewEvent::new("e-1".into(), Env::system().now(), &deliver).unwrap();
    assert!(new.is_open() && !format!("{new:?}").contains(NAME));
    // What was opened elsewhere is open here, whoever puts it in.
    let weighed = Weighed { parcel: "p-1".to_owned(), grams: 7 };
    let mut other = NewEvent::new("e-2".into(), Env::system().now(), &weighed).unwrap();
    assert!(!other.is_open());
    std::mem::swap(&mut new.payload, &mut other.payload);
    assert!(!new.is_open() && other.is_open());
}

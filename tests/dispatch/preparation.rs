//! Messages whose codec lacks something to decode them by.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::codec::{Codec, Decoded, Destination, EncodePayload, Encoded, NativeJson, Preparation};
use jitney::dead_letter::Reason;
use jitney::event::EventType;
use jitney::message::Message;
use jitney::prelude::*;
use jitney::transport::{Epoch, SourceEvent};
use jitney::{Env, Error, ErrorKind, Head};

use super::events::{Placed, message, placed};
use super::scripted::{Scripted, Told, delivery};
use super::witness::{Gate, Log, advance, shop, take, until, work};

/// Native JSON that can only be read by whoever has its key, as the test calls it; each attempt to get the key passes the gate.
#[derive(Debug, Clone)]
struct Locked {
    gate: Gate,
    answers: Arc<Mutex<Vec<Result<(), Error>>>>,
    has_key: Arc<Mutex<bool>>,
    asked: Log<()>,
}

impl Locked {
    /// Whose attempts to get the key end as `answers` say, the last one first, and then with the key.
    fn answering(answers: Vec<Result<(), Error>>) -> Self {
        let (answers, has_key) = (Arc::new(Mutex::new(answers)), Arc::default());
        Locked { gate: Gate::closed(), answers, has_key, asked: Log::new() }
    }

    fn bus(&self, transport: &Scripted) -> Bus {
        Bus::builder(transport.clone()).env(Env::seeded(1)).codec(self.clone()).build()
    }
}

impl Codec for Locked {
    fn content_type(&self) -> &'static str {
        NativeJson.content_type()
    }

    fn encode(
        &self,
        to: Destination<'_>,
        head: &Head,
        payload: &dyn EncodePayload,
    ) -> Result<Encoded, Error> {
        NativeJson.encode(to, head, payload)
    }

    fn decode(&self, message: &Message, expected: Option<&'static EventType>) -> Result<Decoded, Error> {
        assert!(message.key.as_deref() != Some(b"unforeseen"), "nobody has thought of this");
        NativeJson.decode(message, expected)
    }

    fn prepare(&self, message: &Message) -> Option<Preparation> {
        let is_locked = message.key.as_deref() == Some(b"locked");
        if !is_locked || *self.has_key.lock().unwrap() {
            return None;
        }
        let this = self.clone();
        Some(Box::pin(async move {
            this.asked.add(());
            this.gate.pass().await;
            let answer = this.answers.lock().unwrap().pop().unwrap_or(Ok(()));
            *this.has_key.lock().unwrap() = answer.is_ok();
            answer
        }))
    }

    fn peek_event_type<'m>(&self, message: &'m Message) -> Option<&'m str> {
        NativeJson.peek_event_type(message)
    }
}

/// Three of the locked key with two of another between them.
fn events() -> [Placed; 5] {
    [placed("locked", 0), placed("free", 1), placed("locked", 2), placed("free", 3), placed("locked", 4)]
}

fn retryable() -> Error {
    Error::new(ErrorKind::Transport, "asking for the key")
}

#[jitney::test]
async fn what_shares_its_key_waits_with_it_and_nothing_else_does() {
    let transport = Scripted::new();
    let codec = Locked::answering(vec![Err(retryable()), Err(retryable())]);
    let app = shop(take(), |_: Placed| async {})(codec.bus(&transport)).spawn().await.unwrap();
    transport.deliver_events(1, 0, &events());
    until("the others are handled", || transport.settled() == [1, 3]).await;
    advance(Duration::from_secs(3600)).await;
    assert_eq!(transport.settled(), [1, 3], "the rest waits as long as it takes");
    codec.gate.let_through(3);
    until("all are settled", || transport.settled().len() == 5).await;
    assert_eq!(codec.asked.len(), 3, "two attempts failed");
    assert_eq!(transport.settled(), [1, 3, 0, 2, 4]);
    assert!(transport.dead_letters().is_empty());
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_can_never_be_decoded_is_a_dead_letter_as_it_came_and_what_is_behind_it_has_its_turn() {
    let transport = Scripted::new();
    let codec =
        Locked::answering(vec![Err(Error::new(ErrorKind::Decode, "asking for the key: there is none"))]);
    codec.gate.let_through(2);
    let app = shop(take(), |_: Placed| async {})(codec.bus(&transport)).spawn().await.unwrap();
    transport.deliver_events(1, 0, &events());
    until("all are settled", || transport.settled().len() == 5).await;
    let letters = transport.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].failure.reason, Reason::Undecodable);
    assert!(letters[0].failure.error.contains("there is none"), "{:?}", letters[0].failure);
    assert_eq!(letters[0].delivery.message.body, message("e-0", &placed("locked", 0)).body);
    assert_eq!(codec.asked.len(), 2, "the next one asked again");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_a_codec_panics_on_is_a_dead_letter_as_it_came_and_all_else_goes_on() {
    let transport = Scripted::new();
    let codec = Locked::answering(Vec::new());
    let app = shop(take(), |_: Placed| async {})(codec.bus(&transport)).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("unforeseen", 0), placed("free", 1), placed("unforeseen", 2)]);
    until("all are settled", || transport.settled().len() == 3).await;
    let letters = transport.dead_letters();
    assert_eq!(letters.len(), 2);
    assert_eq!(letters[0].failure.reason, Reason::Undecodable);
    let told = &letters[0].failure.error;
    assert!(told.contains("Locked") && told.contains("nobody has thought of this"), "{told}");
    assert_eq!(letters[0].delivery.message.body, message("e-0", &placed("unforeseen", 0)).body);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_waits_of_a_partition_that_is_taken_away_is_left_to_the_next_member() {
    let transport = Scripted::new();
    let codec = Locked::answering(Vec::new());
    let app = shop(take(), |_: Placed| async {})(codec.bus(&transport)).spawn().await.unwrap();
    transport.deliver_events(1, 0, &[placed("locked", 0)]);
    transport.deliver([delivery(2, 7, message("e-7", &placed("locked", 7)))]);
    until("it is asked for", || codec.asked.len() == 1).await;
    transport.push(Ok(SourceEvent::Revoking { epoch: Epoch(1), limit: Duration::from_secs(10) }));
    until("it is released", || transport.was_told(&Told::Release(1))).await;
    codec.gate.let_through(9);
    until("the other one is settled", || transport.settled() == [7]).await;
    work(100).await;
    assert_eq!(transport.settled(), [7], "the first is not ours any more");
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn what_waits_keeps_no_application_from_stopping() {
    let transport = Scripted::new();
    let codec = Locked::answering(Vec::new());
    let app = shop(take(), |_: Placed| async {})(codec.bus(&transport)).spawn().await.unwrap();
    transport.deliver_events(1, 0, &events());
    until("the others are handled", || transport.settled() == [1, 3]).await;
    let (env, limit) = (app.bus().env().clone(), Duration::from_secs(29));
    env.timeout(limit, app.shutdown()).await.expect("it does not take its whole time to drain").unwrap();
    assert_eq!(transport.settled(), [1, 3], "the rest is delivered again");
}

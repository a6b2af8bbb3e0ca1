//! Where deliveries wait that are to be retried later: queues beside the group's, by length of the delay.
//!
//! A delivery that is handed back is stored in a retry queue, where it expires after its delay and goes back to the group's
//! queue. A queue lets messages expire at its head only. So that a short delay never waits behind a long one, there is a
//! queue for each order of magnitude; within one, an event may wait behind another that is due later, for as long as the name
//! of the queue says at most. A delay of more than ten minutes waits in the last one, and holds up what is behind it for as
//! long.
//!
//! When it is due travels with it: should it come back early, by clocks that differ or after the longest time that a queue
//! keeps it (49 days), it waits in the member.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::message::{Header, Message, Topic};

/// What delays up to a length are called.
const TIERS: [(&str, Duration); 4] = [
    ("1s", Duration::from_secs(1)),
    ("10s", Duration::from_secs(10)),
    ("1m", Duration::from_mins(1)),
    ("10m", Duration::from_mins(10)),
];

/// What all headers begin with that say where a delivery came from and when it is due.
const PREFIX: &str = "jitney-retry-";
const DUE: &str = "jitney-retry-due";
const AFTER: &str = "jitney-retry-after";
const TOPIC: &str = "jitney-retry-topic";
const ATTEMPT: &str = "jitney-retry-attempt";

/// The retry queues of `group`.
pub(crate) fn names(group: &str) -> impl Iterator<Item = String> {
    TIERS.iter().map(move |(tier, _)| format!("{group}.retry-{tier}"))
}

/// The message by which a delivery of `original`, the `attempt`-th one, waits for `after`, from `now` on.
pub(crate) fn message(
    original: &Message,
    attempt: u32,
    group: &str,
    after: Duration,
    now: Timestamp,
) -> Message {
    let (tier, _) = TIERS.iter().find(|(_, longest)| after <= *longest).unwrap_or(&TIERS[TIERS.len() - 1]);
    // Rounded up: it must not come too early.
    let after = i64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    let number = |name, value: i64| Header::new(name, value.to_string());
    let mut headers = original.headers.clone();
    headers.extend([
        number(DUE, now.as_millisecond().saturating_add(after)),
        number(AFTER, after),
        Header::new(TOPIC, Bytes::copy_from_slice(original.topic.as_bytes())),
        number(ATTEMPT, attempt.saturating_add(1).into()),
    ]);
    Message {
        topic: Topic::from(format!("{group}.retry-{tier}")),
        key: original.key.clone(),
        headers,
        time: original.time,
        body: original.body.clone(),
    }
}

/// How long `message` stays in its retry queue, in milliseconds; none where it is no retry.
pub(crate) fn expiration(message: &Message) -> Option<u32> {
    let after: i64 = message.header_str(AFTER)?.parse().ok()?;
    Some(u32::try_from(after.max(0)).unwrap_or(u32::MAX))
}

/// About a delivery that came from a retry queue.
#[derive(Debug, PartialEq)]
pub(crate) struct Retry {
    /// Which delivery it is of the message, when the group's queue delivers it for the first time.
    pub(crate) attempt: u32,
    pub(crate) due: Timestamp,
}

/// Makes a message from a retry queue what it was before it was handed back; leaves any other as it is.
pub(crate) fn restore(message: &mut Message) -> Option<Retry> {
    if !message.headers.iter().any(|header| header.name == DUE) {
        return None;
    }
    let number = |name| message.header_str(name).and_then(|text| text.parse::<i64>().ok());
    let due = number(DUE).and_then(|millis| Timestamp::from_millisecond(millis).ok())?;
    let attempt = number(ATTEMPT).and_then(|number| u32::try_from(number).ok())?;
    message.topic = Topic::from(message.header_str(TOPIC)?.to_owned());
    message.headers.retain(|header| !header.name.starts_with(PREFIX));
    Some(Retry { attempt, due })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn original() -> Message {
        Message {
            topic: "Order-events".into(),
            key: Some("42".into()),
            headers: vec![Header::new("event-type", "OrderCreated")],
            time: Timestamp::from_millisecond(7).unwrap(),
            body: "{}".into(),
        }
    }

    #[test]
    fn what_is_handed_back_comes_again_as_it_was_and_counted() {
        let now = Timestamp::from_millisecond(1_000).unwrap();
        for (micros, queue, millis) in [
            (1, "g.retry-1s", 1),
            (1_000_000, "g.retry-1s", 1_000),
            (1_000_001, "g.retry-10s", 1_001),
            (86_400_000_000, "g.retry-10m", 86_400_000),
        ] {
            let mut message = message(&original(), 2, "g", Duration::from_micros(micros), now);
            assert_eq!(&*message.topic, queue);
            assert_eq!(expiration(&message), Some(millis));
            let due = Timestamp::from_millisecond(1_000 + i64::from(millis)).unwrap();
            assert_eq!(restore(&mut message), Some(Retry { attempt: 3, due }));
            assert_eq!(message, original());
        }
        let endless = message(&original(), 1, "g", Duration::MAX, now);
        assert_eq!(expiration(&endless), Some(u32::MAX));
    }

    #[test]
    fn what_is_no_retry_stays_as_it_is() {
        let mut foreign = original();
        foreign.headers.push(Header::new(DUE, "soon"));
        for message in [original(), foreign] {
            let mut read = message.clone();
            assert_eq!((restore(&mut read), &read), (None, &message));
            assert_eq!(expiration(&message), None);
        }
    }
}

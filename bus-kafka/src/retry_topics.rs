//! Where deliveries wait that are to be retried later: topics beside the group, by length of the delay.
//!
//! A delivery that is handed back is stored in a retry topic with the time when it is due, and its partition goes on. The
//! member that reads the retry topic waits until the first event in it is due. So that a short delay never waits behind a
//! long one, there is a topic for each order of magnitude; within one, an event may wait behind another that is due later,
//! for as long as the name of the topic says at most. A delay of more than ten minutes waits in the last one, and holds up what
//! is behind it for as long.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::message::{Header, Message, Topic};
use jitney_core::transport::{Delivery, Position};

use crate::aside;
use crate::partition::Held;

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
const TOPIC: &str = "jitney-retry-topic";
const PARTITION: &str = "jitney-retry-partition";
const OFFSET: &str = "jitney-retry-offset";
const ATTEMPT: &str = "jitney-retry-attempt";

/// The retry topics of `group`.
pub(crate) fn topics(group: &str) -> Vec<String> {
    TIERS.iter().map(|(tier, _)| format!("{group}.retry-{tier}")).collect()
}

/// The message by which `held` waits for `after`, from `now` on; each time counts as an attempt.
pub(crate) fn message(held: &Held, group: &str, after: Duration, now: Timestamp) -> Message {
    let (tier, _) = TIERS.iter().find(|(_, longest)| after <= *longest).unwrap_or(&TIERS[TIERS.len() - 1]);
    // Rounded up: it must not come too early.
    let after = i64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX);
    let due = now.as_millisecond().saturating_add(after);
    let original = &*held.message;
    let number = |name, value: i64| Header::new(name, value.to_string());
    let mut headers = original.headers.clone();
    headers.extend([
        number(DUE, due),
        Header::new(TOPIC, Bytes::copy_from_slice(original.topic.as_bytes())),
        number(PARTITION, held.partition.into()),
        number(ATTEMPT, i64::from(held.attempt) + 1),
    ]);
    if let Some(Position(offset)) = held.position {
        headers.push(number(OFFSET, i64::try_from(offset).unwrap_or(i64::MAX)));
    }
    let message = Message {
        topic: Topic::from(format!("{group}.retry-{tier}")),
        key: original.key.clone(),
        headers,
        time: original.time,
        body: original.body.clone(),
    };
    aside::dated(message, now)
}

/// Makes a delivery from a retry topic what it was before it was handed back. Answers when it is due; nothing for any other
/// delivery.
pub(crate) fn restore(delivery: &mut Delivery) -> Option<Timestamp> {
    if !delivery.message.headers.iter().any(|header| header.name == DUE) {
        return None;
    }
    let message = &*delivery.message;
    let number = |name| message.header_str(name).and_then(|text| text.parse::<i64>().ok());
    let due = Timestamp::from_millisecond(number(DUE)?).ok()?;
    let topic = message.header_str(TOPIC)?.to_owned();
    let partition = number(PARTITION).and_then(|number| u32::try_from(number).ok())?;
    let attempt = number(ATTEMPT).and_then(|number| u32::try_from(number).ok())?;
    let position = number(OFFSET).and_then(|number| u64::try_from(number).ok()).map(Position);
    let restored = Message {
        topic: Topic::from(topic),
        key: message.key.clone(),
        headers: message.headers.iter().filter(|header| !header.name.starts_with(PREFIX)).cloned().collect(),
        time: message.time,
        body: message.body.clone(),
    };
    (delivery.partition, delivery.position, delivery.attempt) = (partition, position, attempt);
    delivery.message = aside::undated(restored).into();
    Some(due)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jitney_core::transport::{Epoch, Token};

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

    fn delivery(message: Message) -> Delivery {
        let token = Token { epoch: Epoch(1), number: 0 };
        Delivery::new(Arc::new(message), token).at(0, Position(0))
    }

    #[test]
    fn what_is_handed_back_comes_again_as_it_was_and_counted() {
        let held =
            Held { message: Arc::new(original()), partition: 3, position: Some(Position(99)), attempt: 2 };
        let now = Timestamp::from_millisecond(1_000).unwrap();
        for (after, topic) in [(0, "g.retry-1s"), (1_000, "g.retry-1s"), (1_001, "g.retry-10s")] {
            let message = message(&held, "g", Duration::from_millis(after), now);
            assert_eq!(&*message.topic, topic);
            let mut delivery = delivery(message);
            let due = restore(&mut delivery).unwrap();
            assert_eq!(due.as_millisecond(), 1_000 + i64::try_from(after).unwrap());
            assert_eq!(*delivery.message, original());
            assert_eq!((delivery.partition, delivery.position), (3, Some(Position(99))));
            assert_eq!(delivery.attempt, 3);
        }
        let longest = message(&held, "g", Duration::from_secs(86_400), now);
        assert_eq!(&*longest.topic, "g.retry-10m");
    }

    #[test]
    fn what_is_no_retry_stays_as_it_is() {
        let mut foreign = original();
        foreign.headers.push(Header::new(DUE, "soon"));
        for message in [original(), foreign] {
            let mut delivery = delivery(message.clone());
            assert_eq!(restore(&mut delivery), None);
            assert_eq!((&*delivery.message, delivery.attempt), (&message, 1));
        }
    }
}

//! What a group puts aside is kept by the time when that was done: the cluster deletes by the time of records, and the events may
//! be old. The time of the event travels in a header.

use jiff::Timestamp;
use jitney_core::message::{Header, Message};

/// The time of the event, in milliseconds.
const TIME: &str = "jitney-event-time";

/// `message`, put aside `now`.
pub(crate) fn dated(mut message: Message, now: Timestamp) -> Message {
    message.headers.push(Header::new(TIME, message.time.as_millisecond().to_string()));
    message.time = now;
    message
}

/// `message` with the time of its event, where it was put aside.
pub(crate) fn undated(mut message: Message) -> Message {
    let time = message.header_str(TIME).and_then(|text| text.parse().ok());
    if let Some(time) = time.and_then(|millis| Timestamp::from_millisecond(millis).ok()) {
        message.time = time;
        message.headers.retain(|header| header.name != TIME);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_the_event_comes_back() {
        let time = Timestamp::from_millisecond(1).unwrap();
        let message = Message { topic: "t".into(), key: None, headers: Vec::new(), time, body: "{}".into() };
        let now = Timestamp::from_millisecond(1_000).unwrap();
        let aside = dated(message.clone(), now);
        assert_eq!(aside.time, now);
        assert_eq!(undated(aside), message);
        assert_eq!(undated(message.clone()), message);
    }
}

//! Records of producers that know nothing of envelopes.

use jitney_core::event::Version;
use jitney_core::message::Message;
use jitney_core::{Error, ErrorKind, Head, Id};
use uuid::Uuid;

use crate::Format;

/// The names of topics end so by convention: `{aggregate}-events`.
const TOPIC_END: &str = "-events";

/// A record without the headers of an envelope: only its schema says what it is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ForeignRecord<'m> {
    /// The message that it came in.
    pub message: &'m Message,
    /// The name of the record: the `title` of a JSON Schema, the full name of an Avro record or of a Protobuf message. None for a
    /// JSON Schema without a title.
    pub name: Option<&'m str>,
    /// The id of its schema.
    pub schema_id: u32,
    /// The language of its schema.
    pub format: Format,
}

impl ForeignRecord<'_> {
    /// The envelope that such a record is given, unless the application makes one by
    /// [`foreign`](crate::RegistryCodecBuilder::foreign):
    ///
    /// - event type: the last part of the name of the record, `OrderPaid` of `shop.orders.OrderPaid`;
    /// - version: 1.0, or `n.0` where a part of the name is `v` and a number, as in `shop.v2.OrderPaid` or `OrderPaid.v2`;
    /// - aggregate type: the topic without `-events` at its end;
    /// - aggregate id: the message's key, where it is text, and the event id otherwise;
    /// - time: the message's;
    /// - event id: a UUID of version 5 made of topic, key, time and body, so that a redelivery has the same. Two records that are
    ///   equal in all of them are taken for one.
    ///
    /// # Errors
    ///
    /// When the record has no name.
    pub fn head(&self) -> Result<Head, Error> {
        let ForeignRecord { message, name, schema_id, .. } = *self;
        let parts = name.unwrap_or_default().split('.');
        let (mut event_type, mut major) = ("", 1);
        for part in parts {
            match part.strip_prefix('v').and_then(|digits| digits.parse().ok()) {
                Some(number) => major = number,
                None => event_type = part,
            }
        }
        if event_type.is_empty() {
            let what = format!(
                "naming a record of topic `{}`: it has no headers of an event, and its schema {schema_id} has no `title`; give it \
                 one, or say what the record is by `RegistryCodecBuilder::foreign`",
                message.topic
            );
            return Err(Error::new(ErrorKind::Decode, what));
        }
        let event_id = self.event_id();
        let key = message.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let key = key.filter(|key| !key.is_empty() && !key.contains('\0'));
        let aggregate_id = key.map_or_else(|| event_id.to_string(), str::to_owned);
        let aggregate = message.topic.strip_suffix(TOPIC_END).unwrap_or(&message.topic).to_owned();
        let version = Version::new(major, 0);
        Ok(Head::new(event_id, event_type.to_owned(), aggregate, aggregate_id, message.time, version))
    }

    /// An id that each delivery of the record has, and no other record.
    pub fn event_id(&self) -> Id {
        let Message { topic, key, time, body, .. } = self.message;
        let mut name = Vec::with_capacity(topic.len() + body.len() + 64);
        for part in
            [topic.as_bytes(), key.as_deref().unwrap_or_default(), &time.as_nanosecond().to_be_bytes()]
        {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part);
        }
        name.extend_from_slice(body);
        Id::from(Uuid::new_v5(&Uuid::NAMESPACE_OID, &name))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jitney_core::message::Topic;

    use super::*;

    fn message(key: Option<&'static [u8]>, body: &'static [u8]) -> Message {
        let time = Timestamp::UNIX_EPOCH;
        let topic = Topic::Static("Order-events");
        Message { topic, key: key.map(Into::into), headers: Vec::new(), time, body: body.into() }
    }

    fn head(message: &Message, name: &str) -> Head {
        ForeignRecord { message, name: Some(name), schema_id: 7, format: Format::Avro }.head().unwrap()
    }

    #[test]
    fn the_name_of_a_record_says_type_and_version() {
        let message = message(Some(b"42"), b"");
        for (name, event_type, major) in [
            ("OrderPaid", "OrderPaid", 1),
            ("shop.orders.OrderPaid", "OrderPaid", 1),
            ("shop.v2.OrderPaid", "OrderPaid", 2),
            ("OrderPaid.v3", "OrderPaid", 3),
            ("shop.vat.Vat", "Vat", 1),
        ] {
            let head = head(&message, name);
            assert_eq!((&*head.event_type, head.version), (event_type, Version::new(major, 0)), "{name}");
            assert_eq!((&*head.aggregate_type, &*head.aggregate_id), ("Order", "42"));
        }
        for name in [None, Some(""), Some("v2")] {
            let record = ForeignRecord { message: &message, name, schema_id: 7, format: Format::Json };
            assert!(record.head().unwrap_err().to_string().contains("its schema 7 has no `title`"));
        }
    }

    #[test]
    fn a_redelivery_has_the_same_id_and_another_record_has_not() {
        let id = |key, body| head(&message(key, body), "A").event_id;
        assert_eq!(id(Some(b"1"), b"x"), id(Some(b"1"), b"x"));
        assert_ne!(id(Some(b"1"), b"x"), id(Some(b"1"), b"y"));
        assert_ne!(id(Some(b"1"), b"x"), id(Some(b"2"), b"x"));
        assert_ne!(id(Some(b"1"), b"x"), id(None, b"1x"));
        let without_key = head(&message(None, b"x"), "A");
        assert_eq!(without_key.aggregate_id, without_key.event_id.to_string());
        assert_eq!(head(&message(Some(b"\0\0\0\0\x07k"), b"x"), "A").aggregate_id.len(), 36, "no text");
    }
}

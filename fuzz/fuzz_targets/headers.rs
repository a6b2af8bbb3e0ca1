//! Any headers, key and error text: a dead letter of them is made whole, and its own headers keep their bound.
#![no_main]

use std::sync::Arc;

use jitney::codec::{Codec, NativeJson};
use jitney::dead_letter::{DeadLetter, Failure, HEADER_PREFIX, MAX_HEADER_BYTES, Reason};
use jitney::message::{Header, Message, Topic};
use jitney::transport::{Delivery, Epoch, Token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<(String, Vec<u8>)>, Option<Vec<u8>>, String)| {
    let (headers, key, error) = input;
    let headers = headers.into_iter().map(|(name, value)| Header::new(name, value)).collect();
    let message = Message {
        topic: Topic::Static("Order-events"),
        key: key.map(Into::into),
        headers,
        time: jiff::Timestamp::UNIX_EPOCH,
        body: bytes::Bytes::new(),
    };
    let _ = NativeJson.peek_event_type(&message);
    let delivery = Delivery {
        message: Arc::new(message),
        partition: 0,
        position: None,
        attempt: 1,
        epoch: Epoch(1),
        token: Token { epoch: Epoch(1), number: 1 },
    };
    let failure = Failure::new(Reason::Permanent, "group", jiff::Timestamp::UNIX_EPOCH, error);
    let dead = DeadLetter { delivery, failure }.to_message(Topic::Static("dead"));
    for header in &dead.headers {
        if header.name.starts_with(HEADER_PREFIX) {
            assert!(header.value.len() <= MAX_HEADER_BYTES);
            assert!(std::str::from_utf8(&header.value).is_ok());
        }
    }
});

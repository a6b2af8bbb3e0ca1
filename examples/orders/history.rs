//! Events of an earlier release, as an archive has them: native JSON, one envelope a line.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use jitney::codec::{Codec, Destination, JsonPayload, NativeJson};
use jitney::error_chain;
use jitney::message::Message;
use jitney::prelude::*;

use super::events::OrderCreated;

/// Reads the events in `path`. Each is kept as it was written, and read once as a handler will read it, through the
/// upcaster, so that what cannot be read is found before anything is published.
pub fn read_history(path: &Path) -> Result<Vec<RawEvent>, String> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("reading {}: {error}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut orders = HashSet::new();
    let events = lines.map(|(index, line)| {
        let wrong = |what: String| format!("{}, line {}: {what}", path.display(), index + 1);
        let event = stored(line).map_err(|error| wrong(error_chain(&error)))?;
        let order: OrderCreated = event.decode().map_err(|error| wrong(error_chain(&error)))?;
        if orders.insert(order.order_id.clone()) {
            Ok(event)
        } else {
            Err(wrong(format!("order `{}` was created before", order.order_id)))
        }
    });
    events.collect()
}

/// `event` as one line, whatever the wire that it came over.
pub fn line(event: &RawEvent) -> jitney::Result<Vec<u8>> {
    let payload = JsonPayload(event.payload_json().to_vec().into());
    let encoded = NativeJson.encode(Destination::new(&event.message().topic, ""), event.head(), &payload)?;
    // Between the parts of JSON a line's end is a space like another, and inside of them there is none.
    let mut line: Vec<u8> =
        encoded.body.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect();
    line.push(b'\n');
    Ok(line)
}

/// The event that is written in `line`.
pub fn stored(line: &str) -> jitney::Result<RawEvent> {
    let topic = OrderCreated::TYPES[0].topic().into();
    let body = line.to_owned().into();
    let message = Message { topic, key: None, headers: Vec::new(), time: jiff::Timestamp::UNIX_EPOCH, body };
    let decoded = NativeJson.decode(&message, None)?;
    Ok(RawEvent::new(decoded, Arc::new(message)))
}

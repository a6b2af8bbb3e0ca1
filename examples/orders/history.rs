//! Events of an earlier release, as an archive has them: native JSON, one envelope a line.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use jitney::codec::{Codec, NativeJson};
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

fn stored(line: &str) -> jitney::Result<RawEvent> {
    let topic = OrderCreated::TYPES[0].topic().into();
    let body = line.to_owned().into();
    let message = Message { topic, key: None, headers: Vec::new(), time: jiff::Timestamp::UNIX_EPOCH, body };
    let decoded = NativeJson.decode(&message, None)?;
    Ok(RawEvent::new(decoded, Arc::new(message)))
}

//! The envelope as a message of RustStream, for all of its contestants that carry one.

use ruststream::{CallerName, HeaderMap, MessageHeaders, NoHeaders, OutgoingDestination, Str};

use crate::envelope::Envelope;

// The two declarations `#[derive(Outgoing)]` writes, by hand: the envelope stays free of any library.
impl OutgoingDestination for Envelope<'_> {
    type Form = CallerName;
}

impl MessageHeaders for Envelope<'_> {
    type Contract = NoHeaders;
}

/// The two headers of `envelope`, with room for so many `more`.
pub fn headers(envelope: &Envelope<'_>, more: usize) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(2 + more);
    headers.insert(Str::from_static("event-type"), envelope.event_type);
    headers.insert(Str::from_static("correlation-id"), envelope.metadata.correlation_id.to_string());
    headers
}

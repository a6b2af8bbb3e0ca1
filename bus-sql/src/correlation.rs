//! Chains of events by number: stored beside each event, so that the newest one of a correlation id is found by an index.

use jitney_core::{Id, Metadata};

/// The number of the chain that an event belongs to: that of its correlation id, or else the one that it begins. Different
/// chains may share a number.
pub(crate) fn number(metadata: &Metadata, event_id: &Id) -> i64 {
    number_of(chain(metadata, event_id))
}

/// The number of the chain `correlation_id`: a rapidhash, version 3, whose values are the same everywhere and for ever.
pub(crate) fn number_of(correlation_id: &Id) -> i64 {
    correlation_id.with_str(|id| rapidhash::v3::rapidhash_v3(id.as_bytes()).cast_signed())
}

/// The chain that an event belongs to.
pub(crate) fn chain<'a>(metadata: &'a Metadata, event_id: &'a Id) -> &'a Id {
    metadata.correlation_id.as_ref().unwrap_or(event_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_that_stored_events_have() {
        assert_eq!(number_of(&"order-42".into()), 7_970_499_984_128_651_530);
        assert_eq!(number_of(&"018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f".into()), 1_118_171_391_780_129_967);
    }

    #[test]
    fn an_event_without_a_correlation_id_begins_a_chain() {
        let mut metadata = Metadata::default();
        assert_eq!(number(&metadata, &"e-1".into()), number_of(&"e-1".into()));
        metadata.correlation_id = Some("c-1".into());
        assert_eq!(number(&metadata, &"e-1".into()), number_of(&"c-1".into()));
    }
}

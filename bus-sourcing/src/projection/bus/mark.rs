//! By what an event is recognised that comes again.

use jitney_core::{Head, Id};

/// The longest id, and the longest type and id of an aggregate together, in bytes.
const LONGEST: usize = 2_000;

/// By what a read model recognises an event that came by a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark<'a> {
    /// Its place in its stream, where it has one.
    Place {
        /// The type of its aggregate.
        aggregate_type: &'a str,
        /// The id of its aggregate.
        aggregate_id: &'a str,
        /// Its place in its stream, from 1 to 2⁶³ - 1.
        sequence: u64,
    },
    /// Its id.
    Id(&'a Id),
}

impl<'a> Mark<'a> {
    /// That of the event of `head`: by its place where it has a sequence, by its id otherwise.
    pub fn of(head: &'a Head) -> Self {
        let last = i64::MAX.unsigned_abs();
        match head.sequence {
            Some(sequence @ 1..) if sequence <= last => {
                Mark::place(&head.aggregate_type, &head.aggregate_id, sequence)
            }
            _ => Mark::Id(&head.event_id),
        }
    }

    /// That of event `sequence` of a stream.
    pub fn place(aggregate_type: &'a str, aggregate_id: &'a str, sequence: u64) -> Self {
        Mark::Place { aggregate_type, aggregate_id, sequence }
    }

    /// Whether every database can keep it: no text with a zero character, and none that is too long for an index.
    pub(super) fn can_be_kept(head: &Head) -> bool {
        let place = [&*head.aggregate_type, &*head.aggregate_id];
        head.event_id.with_str(|id| {
            let has_zero = place.iter().chain([&id]).any(|text| text.contains('\0'));
            let length = id.len().max(place.iter().map(|text| text.len()).sum());
            !has_zero && length <= LONGEST
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jitney_core::event::Version;

    use super::*;

    fn head(id: &str, aggregate_id: &str) -> Head {
        let (id, time) = (Id::from(id), Timestamp::UNIX_EPOCH);
        Head::new(id, "Paid", "Order", aggregate_id.to_owned(), time, Version::new(1, 0))
    }

    #[test]
    fn a_sequence_that_is_none_is_no_place() {
        let mut head = head("e-1", "o-1");
        for (sequence, has_place) in
            [(None, false), (Some(0), false), (Some(1), true), (Some(u64::MAX), false), (Some(1 << 62), true)]
        {
            head.sequence = sequence;
            assert_eq!(matches!(Mark::of(&head), Mark::Place { .. }), has_place, "{sequence:?}");
        }
    }

    #[test]
    fn what_not_every_database_can_keep_is_seen() {
        let long = "o".repeat(LONGEST);
        for (id, aggregate_id, can) in [
            ("e-1", "o-1", true),
            ("e\0", "o-1", false),
            ("e-1", "o\0", false),
            ("e-1", &long[5..], true),
            ("e-1", &long[4..], false),
            (&format!("{long}o"), "o-1", false),
        ] {
            assert_eq!(Mark::can_be_kept(&head(id, aggregate_id)), can, "{id:?} {aggregate_id:?}");
        }
    }
}

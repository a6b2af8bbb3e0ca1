//! What may be done to a store.

use jitney_sourcing::StreamState;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// So many streams there are in one sequence of steps.
pub(super) const STREAMS: usize = 4;

/// One call. Streams are numbered.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Append {
        stream: usize,
        expected: Guess,
        count: usize,
        again: Option<usize>,
    },
    /// To two streams; passed over where the store cannot.
    AppendToTwo {
        streams: [usize; 2],
        expected: [Guess; 2],
    },
    Read {
        stream: usize,
        backward: bool,
        from: u64,
        limit: usize,
    },
    ReadAll {
        limit: usize,
        archived: bool,
        other_type: bool,
        event_type: bool,
    },
    Find {
        stream: usize,
        event: usize,
    },
    Archive {
        stream: usize,
    },
    Restore {
        stream: usize,
    },
    End {
        stream: usize,
        expected: Guess,
    },
    Info {
        stream: usize,
    },
    List {
        after: Option<usize>,
        state: Option<StreamState>,
        limit: usize,
    },
    SaveSnapshot {
        stream: usize,
        sequence: u64,
    },
    LoadSnapshot {
        stream: usize,
    },
    DeleteSnapshot {
        stream: usize,
    },
    Reopen,
}

/// Where a writer thinks that a stream is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guess {
    New,
    Any,
    Exists,
    /// Where it is.
    Right,
    /// So many events behind where it is.
    Ahead(u64),
    /// This sequence, which may be the right one.
    Exact(u64),
}

fn guess() -> impl Strategy<Value = Guess> {
    prop_oneof![
        2 => Just(Guess::New),
        3 => Just(Guess::Any),
        2 => Just(Guess::Exists),
        5 => Just(Guess::Right),
        1 => (1_u64..3).prop_map(Guess::Ahead),
        1 => (0_u64..6).prop_map(Guess::Exact),
    ]
}

fn state() -> impl Strategy<Value = Option<StreamState>> {
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(StreamState::Open)),
        1 => Just(Some(StreamState::Archived)),
        1 => Just(Some(StreamState::Ended)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let stream = || 0..STREAMS;
    let again = prop_oneof![5 => Just(None), 1 => (0_usize..8).prop_map(Some)];
    let append = (stream(), guess(), 1_usize..4, again);
    let limit = || prop_oneof![2 => 1_usize..4, 1 => Just(1_000)];
    prop_oneof![
        10 => append.prop_map(|(stream, expected, count, again)| Step::Append { stream, expected, count, again }),
        3 => ([stream(), stream()], [guess(), guess()])
            .prop_map(|(streams, expected)| Step::AppendToTwo { streams, expected }),
        4 => (stream(), any::<bool>(), 0_u64..9, limit())
            .prop_map(|(stream, backward, from, limit)| Step::Read { stream, backward, from, limit }),
        4 => (limit(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(limit, archived, other_type, event_type)| Step::ReadAll { limit, archived, other_type, event_type }
        ),
        2 => (stream(), 0_usize..9).prop_map(|(stream, event)| Step::Find { stream, event }),
        2 => stream().prop_map(|stream| Step::Archive { stream }),
        3 => stream().prop_map(|stream| Step::Restore { stream }),
        1 => (stream(), guess()).prop_map(|(stream, expected)| Step::End { stream, expected }),
        2 => stream().prop_map(|stream| Step::Info { stream }),
        2 => (proptest::option::of(stream()), state(), limit())
            .prop_map(|(after, state, limit)| Step::List { after, state, limit }),
        1 => (stream(), 1_u64..9).prop_map(|(stream, sequence)| Step::SaveSnapshot { stream, sequence }),
        1 => stream().prop_map(|stream| Step::LoadSnapshot { stream }),
        1 => stream().prop_map(|stream| Step::DeleteSnapshot { stream }),
        1 => Just(Step::Reopen),
    ]
}

/// Up to 40 steps.
pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..40)
}

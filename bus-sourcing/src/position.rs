//! Positions: places in the order of all events of a store.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A place in the order of all events of a store: everything up to it, and nothing behind it.
///
/// What is in it is the store's business. It is written as text (`Display`, serde), which reads back as the same. Of two
/// positions of one store, one is behind the other, or, where the store has several parts that know nothing of each other,
/// neither is.
///
/// ```
/// use jitney_sourcing::Position;
///
/// let (early, late) = (Position::at([7]), Position::at([12]));
/// assert!(late.has_reached(&early) && !early.has_reached(&late));
/// assert!(early.has_reached(&Position::START));
/// assert_eq!("12".parse(), Ok(late));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Position(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Start,
    /// Compared from the first number on; those that are missing are zeros. Not all of them are.
    Order([u64; 3]),
    /// By part of the store, everything before this offset. Parts that are not named are at 0, and one is not.
    Offsets(Arc<BTreeMap<Box<str>, u64>>),
}

impl Position {
    /// Before every event, in every store.
    pub const START: Position = Position(Repr::Start);

    /// The place that up to three numbers say, the first of them weighing most, for stores with one order of all events.
    ///
    /// # Panics
    ///
    /// At compile time where there are more than three numbers.
    pub fn at<const N: usize>(numbers: [u64; N]) -> Self {
        const { assert!(N <= 3, "a position has up to three numbers") };
        let mut order = [0; 3];
        order[..N].copy_from_slice(&numbers);
        Position(if order == [0; 3] { Repr::Start } else { Repr::Order(order) })
    }

    /// The place that the offsets of several parts say, for stores without an order among them: of each part, everything
    /// before its offset.
    ///
    /// The names of parts are not empty, and have no comma and no equals sign, which part them in the text.
    pub fn offsets<N: Into<Box<str>>>(offsets: impl IntoIterator<Item = (N, u64)>) -> Self {
        let offsets = offsets.into_iter().map(|(part, offset)| (part.into(), offset));
        let offsets: BTreeMap<_, _> = offsets.filter(|(_, offset)| *offset > 0).collect();
        Position(if offsets.is_empty() { Repr::Start } else { Repr::Offsets(Arc::new(offsets)) })
    }

    /// The numbers of a position of a store with one order; zeros at the start.
    pub fn numbers(&self) -> Option<[u64; 3]> {
        match &self.0 {
            Repr::Start => Some([0; 3]),
            Repr::Order(numbers) => Some(*numbers),
            Repr::Offsets(_) => None,
        }
    }

    /// The offset of `part`, in a position of a store of several parts; 0 where it names none, and at the start.
    pub fn offset(&self, part: &str) -> Option<u64> {
        match &self.0 {
            Repr::Start => Some(0),
            Repr::Order(_) => None,
            Repr::Offsets(offsets) => Some(offsets.get(part).copied().unwrap_or(0)),
        }
    }

    /// Whether a reader that is here has seen everything up to `target`. A position of another kind of store is never
    /// reached.
    pub fn has_reached(&self, target: &Position) -> bool {
        matches!(self.partial_cmp(target), Some(Ordering::Equal | Ordering::Greater))
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (&self.0, &other.0) {
            (Repr::Start, Repr::Start) => Some(Ordering::Equal),
            (Repr::Order(a), Repr::Order(b)) => Some(a.cmp(b)),
            (Repr::Offsets(a), Repr::Offsets(b)) => compare(a, b),
            (Repr::Start, _) => Some(Ordering::Less),
            (_, Repr::Start) => Some(Ordering::Greater),
            (Repr::Order(_), Repr::Offsets(_)) | (Repr::Offsets(_), Repr::Order(_)) => None,
        }
    }
}

/// One is behind the other where it is behind in one part, and before it in none.
fn compare(a: &BTreeMap<Box<str>, u64>, b: &BTreeMap<Box<str>, u64>) -> Option<Ordering> {
    let parts = a.keys().chain(b.keys());
    let offset = |of: &BTreeMap<Box<str>, u64>, part: &str| of.get(part).copied().unwrap_or(0);
    parts.map(|part| offset(a, part).cmp(&offset(b, part))).try_fold(Ordering::Equal, |so_far, part| {
        match (so_far, part) {
            (so_far, Ordering::Equal) => Some(so_far),
            (Ordering::Equal, part) => Some(part),
            (so_far, part) => (so_far == part).then_some(part),
        }
    })
}

impl fmt::Display for Position {
    /// `0` at the start; `3`, `1/815/99` in one order; `orders-0=17,orders-1=4` in several parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Start => f.write_str("0"),
            Repr::Order([a, 0, 0]) => write!(f, "{a}"),
            Repr::Order([a, b, 0]) => write!(f, "{a}/{b}"),
            Repr::Order([a, b, c]) => write!(f, "{a}/{b}/{c}"),
            Repr::Offsets(offsets) => offsets.iter().enumerate().try_for_each(|(index, (part, offset))| {
                write!(f, "{}{part}={offset}", if index > 0 { "," } else { "" })
            }),
        }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

/// A text that is no position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePositionError(String);

impl fmt::Display for ParsePositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no position: take it letter by letter from where it was written", self.0)
    }
}

impl std::error::Error for ParsePositionError {}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, ParsePositionError> {
        let read = || -> Option<Position> {
            if text.contains('=') {
                let parts = text.split(',').map(|part| {
                    let (part, offset) = part.rsplit_once('=')?;
                    Some((part, offset.parse().ok()?))
                });
                return parts.collect::<Option<Vec<_>>>().map(Position::offsets);
            }
            let mut order = [0; 3];
            for (index, number) in text.split('/').enumerate() {
                *order.get_mut(index)? = number.parse().ok()?;
            }
            Some(Position::at(order))
        };
        read().ok_or_else(|| ParsePositionError(text.to_owned()))
    }
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

impl TryFrom<String> for Position {
    type Error = ParsePositionError;

    fn try_from(text: String) -> Result<Self, ParsePositionError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position() -> impl Strategy<Value = Position> {
        let offsets = proptest::collection::btree_map("[a-z]{1,3}-[0-9]", 0_u64..4, 0..3);
        prop_oneof![
            Just(Position::START),
            any::<[u64; 3]>().prop_map(Position::at),
            (0_u64..4, 0_u64..4).prop_map(|(a, b)| Position::at([a, b])),
            offsets.prop_map(Position::offsets),
        ]
    }

    proptest! {
        #[test]
        fn reads_back_as_it_was_written(position in position()) {
            prop_assert_eq!(position.to_string().parse(), Ok(position));
        }

        #[test]
        fn is_partially_ordered(a in position(), b in position(), c in position()) {
            prop_assert_eq!(a.partial_cmp(&b), b.partial_cmp(&a).map(Ordering::reverse));
            prop_assert_eq!(a == b, a.partial_cmp(&b) == Some(Ordering::Equal));
            if a.has_reached(&b) && b.has_reached(&c) {
                prop_assert!(a.has_reached(&c));
            }
        }

        #[test]
        fn reading_never_panics(text in ".{0,20}") {
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn parts_that_know_nothing_of_each_other_have_no_order() {
        let (a, b) = (Position::offsets([("a", 1), ("b", 2)]), Position::offsets([("a", 2), ("b", 1)]));
        assert_eq!(a.partial_cmp(&b), None);
        assert!(!a.has_reached(&b) && !b.has_reached(&a));
        assert!(a.has_reached(&Position::offsets([("b", 2)])));
        assert!(!Position::at([9]).has_reached(&a));
    }
}

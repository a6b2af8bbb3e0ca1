//! Ranges of numbers, as bounds or as the format of an integer type.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::branches::{Atom, Branch, Types};

/// A bound: exact where it is a whole number.
#[derive(Clone, Copy, PartialEq)]
enum Number {
    Whole(i128),
    Real(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Number> {
        let number = value.as_number()?;
        let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        whole.map(Number::Whole).or_else(|| number.as_f64().map(Number::Real))
    }

    #[allow(clippy::cast_precision_loss)]
    fn real(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Real(number) => number,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(one), Number::Whole(other)) => one.partial_cmp(other),
            _ => self.real().partial_cmp(&other.real()),
        }
    }
}

/// A bound, and whether it is itself outside.
type Bound = (Number, bool);

#[derive(Default)]
struct Range {
    least: Option<Bound>,
    most: Option<Bound>,
}

impl Range {
    fn of(schemas: &[&Map<String, Value>], value: Option<&Value>, whole: bool) -> Range {
        let mut range = Range::default();
        if let Some(value) = value.and_then(Number::of) {
            range.at_least((value, false));
            range.at_most((value, false));
        }
        for schema in schemas {
            let number = |key: &str| schema.get(key).and_then(Number::of);
            let format = schema.get("format").and_then(Value::as_str).and_then(of_format);
            let (least, most) = format.map_or((None, None), |(least, most)| (Some(least), Some(most)));
            let least = [
                (least.map(Number::Whole), false),
                (number("minimum"), false),
                (number("exclusiveMinimum"), true),
            ];
            let most = [
                (most.map(Number::Whole), false),
                (number("maximum"), false),
                (number("exclusiveMaximum"), true),
            ];
            for (bound, outside) in least {
                if let Some(bound) = bound {
                    range.at_least(inside(bound, outside, whole, 1));
                }
            }
            for (bound, outside) in most {
                if let Some(bound) = bound {
                    range.at_most(inside(bound, outside, whole, -1));
                }
            }
        }
        range
    }

    fn at_least(&mut self, bound: Bound) {
        if self.least.is_none_or(|least| bound.0 > least.0 || bound.0 == least.0 && bound.1) {
            self.least = Some(bound);
        }
    }

    fn at_most(&mut self, bound: Bound) {
        if self.most.is_none_or(|most| bound.0 < most.0 || bound.0 == most.0 && bound.1) {
            self.most = Some(bound);
        }
    }
}

/// A bound that is outside, of whole numbers, is the next number inside.
fn inside(bound: Number, outside: bool, whole: bool, step: i128) -> Bound {
    match bound {
        Number::Whole(number) if outside && whole => (Number::Whole(number.saturating_add(step)), false),
        bound => (bound, outside),
    }
}

/// The range of an integer type; those of 128 bits are wider than JSON numbers get.
fn of_format(format: &str) -> Option<(i128, i128)> {
    Some(match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int" | "int64" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint" | "uint64" => (0, u64::MAX.into()),
        "int128" => (i128::MIN, i128::MAX),
        "uint128" => (0, i128::MAX),
        _ => return None,
    })
}

/// What keeps `branch` from taking the numbers of `atom`.
pub(super) fn compare(atom: &Atom<'_>, branch: &Branch<'_>) -> Option<String> {
    if !Types::NUMBER.has(atom.types) {
        return None;
    }
    let whole = atom.types == Types::INTEGER;
    let written = Range::of(&atom.schemas, atom.value, whole);
    let read = Range::of(&branch.schemas, None, whole);
    if let Some((least, outside)) = read.least
        && !written.least.is_some_and(|(number, out)| number > least || number == least && (out || !outside))
    {
        return Some(format!(
            "may be smaller in what {{writer}} writes than {}{}, the least that {{reader}} takes",
            if outside { "just above " } else { "" },
            shown(least)
        ));
    }
    if let Some((most, outside)) = read.most
        && !written.most.is_some_and(|(number, out)| number < most || number == most && (out || !outside))
    {
        return Some(format!(
            "may be larger in what {{writer}} writes than {}{}, the most that {{reader}} takes",
            if outside { "below " } else { "" },
            shown(most)
        ));
    }
    let is = |schemas: &[&Map<String, Value>], format| {
        schemas.iter().any(|schema| schema.get("format").and_then(Value::as_str) == Some(format))
    };
    if !whole && is(&branch.schemas, "float") && !is(&atom.schemas, "float") {
        return Some(
            "has more digits in what {writer} writes than the 32-bit numbers of {reader}".to_owned(),
        );
    }
    None
}

fn shown(number: Number) -> String {
    match number {
        Number::Whole(number) => number.to_string(),
        Number::Real(number) => number.to_string(),
    }
}

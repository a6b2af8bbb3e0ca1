//! Writing personal values, where they are about to be sealed.

use std::cell::Cell;

use jitney_core::personal::{OPEN, meet};
use serde::ser::{Error, SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use super::{Personal, Revealed};
use crate::Subject;

/// What the value is doing that is written now, on this thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Nothing,
    Value,
    /// A value that has a personal value inside.
    Nested,
}

thread_local! {
    static WRITING: Cell<Writing> = const { Cell::new(Writing::Nothing) };
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if WRITING.get() != Writing::Nothing {
            WRITING.set(Writing::Nested);
            return Err(S::Error::custom("a personal value inside of another one"));
        }
        meet().map_err(S::Error::custom)?;
        let body = Body { subject: &self.subject, content: &self.content };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(OPEN, &body)?;
        map.end()
    }
}

struct Body<'a, T> {
    subject: &'a Subject,
    content: &'a Revealed<T>,
}

impl<T: Serialize> Serialize for Body<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Personal", 2)?;
        body.serialize_field("subject", self.subject)?;
        match self.content {
            Revealed::Known(value) => write_value(&mut body, self.subject, value)?,
            Revealed::Erased => body.serialize_field("erased", &true)?,
            Revealed::Sealed => {
                let what = format!(
                    "the personal value of `{}` was read without the vault that opens it, and opens nowhere but in the event \
                     that it came in; give the bus, or the store, the vault",
                    self.subject
                );
                return Err(S::Error::custom(what));
            }
        }
        body.end()
    }
}

fn write_value<S: SerializeStruct>(
    body: &mut S,
    subject: &Subject,
    value: &impl Serialize,
) -> Result<(), S::Error> {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            WRITING.set(Writing::Nothing);
        }
    }
    WRITING.set(Writing::Value);
    let _reset = Reset;
    body.serialize_field("value", value).map_err(|_| {
        // What the value's own error says may have the value in it.
        let why = match WRITING.get() {
            Writing::Nested => {
                "has another personal value inside: a value has one subject, so make the outer one a plain struct of \
                 personal fields"
            }
            _ => "cannot be serialized; its error is not shown, as it may tell the value",
        };
        S::Error::custom(format!("the personal value of `{subject}` {why}"))
    })
}

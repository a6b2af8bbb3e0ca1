//! Whom personal data is about.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, ErrorKind};

/// The longest text of a subject, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 256;

/// The person (or the company, the device) that personal data is about, by a text that your services agree on, such as
/// `customer/ALFKI`. Cheap to clone.
///
/// It is written in the clear beside what is sealed, and stays when the subject is forgotten: use an id that says nothing by
/// itself, never a name or an address.
///
/// ```
/// use jitney_privacy::Subject;
///
/// let subject = Subject::of("customer", "ALFKI")?;
/// assert_eq!(subject.as_str(), "customer/ALFKI");
/// assert!(Subject::new("").is_err());
/// # Ok::<(), jitney_privacy::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

impl Subject {
    /// The subject of this text: 1 to [`MAX_SUBJECT_BYTES`] bytes without control characters.
    ///
    /// # Errors
    ///
    /// Of kind [`Subject`](ErrorKind::Subject) for any other text.
    pub fn new(text: &str) -> Result<Self, Error> {
        check(text)?;
        Ok(Subject(text.into()))
    }

    /// The subject `kind/id`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn of(kind: &str, id: impl fmt::Display) -> Result<Self, Error> {
        Subject::new(&format!("{kind}/{id}"))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks that `text` can be that of a subject.
pub(crate) fn check(text: &str) -> Result<(), Error> {
    let wrong = match text {
        "" => "it is empty",
        _ if text.len() > MAX_SUBJECT_BYTES => "it is longer than 256 bytes",
        _ if text.chars().any(char::is_control) => "it has a control character",
        _ => return Ok(()),
    };
    let what =
        format!("naming a data subject: {wrong}; use a short text with an id, such as `customer/ALFKI`");
    Err(Error::new(ErrorKind::Subject, what))
}

impl TryFrom<&str> for Subject {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self, Error> {
        Subject::new(text)
    }
}

impl Borrow<str> for Subject {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Subject::new(&text).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_a_short_text_without_control_characters() {
        let long = "x".repeat(MAX_SUBJECT_BYTES + 1);
        for wrong in ["", "a\nb", "a\0", "\u{85}", &long] {
            assert_eq!(Subject::new(wrong).unwrap_err().kind(), ErrorKind::Subject, "{wrong:?}");
            assert!(serde_json::from_value::<Subject>(wrong.into()).is_err(), "{wrong:?}");
        }
        for right in ["a", "customer/ü \"1\"", &long[1..]] {
            assert_eq!(Subject::new(right).unwrap().as_str(), right);
        }
    }
}

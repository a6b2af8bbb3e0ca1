//! A value with the person that it is about.

mod read;
#[cfg(feature = "schema")]
mod schema;
mod write;

use std::fmt;

use crate::Subject;

/// A value that belongs to its data subject: sealed wherever an event or a state is kept, and gone once the subject is
/// forgotten.
///
/// Whoever reads it says what is to be done in each case:
///
/// ```
/// use jitney_privacy::{Personal, Revealed, Subject};
///
/// let name = Personal::new(Subject::new("customer/ALFKI")?, "Maria Anders".to_owned());
/// let shown = match name.reveal() {
///     Revealed::Known(name) => name.as_str(),
///     Revealed::Erased => "(a former customer)",
///     Revealed::Sealed => "(not for this service)",
/// };
/// assert_eq!(shown, "Maria Anders");
/// assert_eq!(format!("{name:?}"), "Personal(\"customer/ALFKI\", known)");
/// # Ok::<(), jitney_privacy::Error>(())
/// ```
///
/// It is serialized only where something has promised to seal what is written: on a bus with the layer of a
/// vault, and by a store that was given one. Everywhere else that is an error. A value has one subject: a
/// personal value inside of another one is an error too.
///
/// Two of them are equal where subject and value are, or where neither has a value for the same reason.
#[derive(Clone, PartialEq, Eq)]
pub struct Personal<T> {
    subject: Subject,
    content: Revealed<T>,
}

/// What there is of a personal value. `Debug` does not show the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Revealed<T> {
    /// The value.
    Known(T),
    /// The subject is forgotten: there is no value any more, anywhere.
    Erased,
    /// It was read without the vault that could open it, and cannot be written again.
    Sealed,
}

impl<T> Personal<T> {
    /// `value`, which is about `subject`.
    pub fn new(subject: Subject, value: T) -> Self {
        Personal { subject, content: Revealed::Known(value) }
    }

    /// The value of a forgotten `subject`, as tests want it.
    pub fn erased(subject: Subject) -> Self {
        Personal { subject, content: Revealed::Erased }
    }

    /// Whom it is about.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The value, or why there is none.
    pub fn reveal(&self) -> Revealed<&T> {
        match &self.content {
            Revealed::Known(value) => Revealed::Known(value),
            Revealed::Erased => Revealed::Erased,
            Revealed::Sealed => Revealed::Sealed,
        }
    }

    /// The same, to be kept.
    pub fn into_revealed(self) -> Revealed<T> {
        self.content
    }

    /// What `change` makes of the value, about the same subject: for upcasters. It is not called where there is none.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Personal<U> {
        let content = match self.content {
            Revealed::Known(value) => Revealed::Known(change(value)),
            Revealed::Erased => Revealed::Erased,
            Revealed::Sealed => Revealed::Sealed,
        };
        Personal { subject: self.subject, content }
    }
}

impl<T> Revealed<T> {
    fn name(&self) -> &'static str {
        match self {
            Revealed::Known(_) => "known",
            Revealed::Erased => "erased",
            Revealed::Sealed => "sealed",
        }
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Personal")
            .field(&self.subject)
            .field(&format_args!("{}", self.content.name()))
            .finish()
    }
}

impl<T> fmt::Debug for Revealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;

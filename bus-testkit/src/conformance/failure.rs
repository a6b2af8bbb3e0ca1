//! Why a check failed.

use jitney_core::{Error, error_chain};

/// Why a check failed, in words.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) String);

/// How a check ends.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(format!("the transport answered with an error: {}", error_chain(&error)))
    }
}

impl From<jitney_sourcing::Error> for Failure {
    fn from(error: jitney_sourcing::Error) -> Self {
        Failure(format!(
            "the store answered with an error of kind {:?}: {}",
            error.kind(),
            error_chain(&error)
        ))
    }
}

/// Fails the check unless a condition holds; the message says what was seen instead.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::conformance::failure::Failure(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

//! Why a check failed.

use jitney_core::{Error, error_chain};

/// Why a check failed, in words.
#[derive(Debug)]
pub(super) struct Failure(pub(super) String);

/// How a check ends.
pub(super) type Outcome<T = ()> = Result<T, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(format!("the transport answered with an error: {}", error_chain(&error)))
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
pub(super) use ensure;

//! Errors of stores as those of handlers and programs.

use jitney::ErrorKind;
use jitney::sourcing::{Error, ErrorKind as StoreErrorKind, HandleError};

use super::account::Refusal;

#[test]
fn handlers_try_again_what_may_succeed_and_nothing_else() {
    let down = || Error::new(StoreErrorKind::Store, "reading stream Account/a: no connection");
    assert!(HandleError::<Refusal>::Store(down()).for_handler().is_retryable());
    assert!(!HandleError::<Refusal>::Store(down().retryable(false)).for_handler().is_retryable());
    assert!(!HandleError::Rejected(Refusal::NotOpen).for_handler().is_retryable());
    let ended = Error::ended(&jitney::sourcing::StreamId::new("Account", "a"));
    assert!(!ended.for_handler().is_retryable());
}

#[test]
fn the_question_mark_keeps_what_went_wrong_and_whether_to_try_again() {
    let lost = Error::new(StoreErrorKind::Unknown, "appending to stream Account/a: no answer");
    let error: jitney::Error = HandleError::<Refusal>::Store(lost).into();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unknown, true));
    assert!(jitney::error_chain(&error).ends_with("appending to stream Account/a: no answer"), "{error:?}");
    let error: jitney::Error = HandleError::Rejected(Refusal::NotOpen).into();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Rejected, false));
    assert!(jitney::error_chain(&error).ends_with("the account is not open"), "{error:?}");
}

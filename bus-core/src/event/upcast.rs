//! Steps from an old version of an event type to the next one.

use std::error::Error as StdError;

use serde_json::Value;

use super::{DecodeError, DecodeErrorKind, DomainEvent, StoredPayload};

/// A newer version of an event, made out of the older one; every `From` and `TryFrom` is one.
#[diagnostic::on_unimplemented(
    message = "nothing leads from `{Old}` to `{Self}`",
    label = "no conversion from this to the newer version",
    note = "write `impl From<{Old}> for {Self}`, or `TryFrom` with an error type where it can fail"
)]
pub trait UpcastFrom<Old>: Sized {
    /// Converts `old`.
    ///
    /// # Errors
    ///
    /// Those of the conversion.
    fn upcast_from(old: Old) -> Result<Self, Box<dyn StdError + Send + Sync>>;
}

#[diagnostic::do_not_recommend]
impl<Old, New> UpcastFrom<Old> for New
where
    New: TryFrom<Old>,
    New::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    fn upcast_from(old: Old) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        New::try_from(old).map_err(Into::into)
    }
}

/// Reads `payload` as the older event `Old` (which may upcast from an older one yet) and converts it.
///
/// # Errors
///
/// Those of reading `Old`, and those of the conversion.
pub fn upcast<Old, New>(payload: &StoredPayload<'_>) -> Result<New, DecodeError>
where
    Old: DomainEvent,
    New: UpcastFrom<Old>,
{
    New::upcast_from(Old::decode(payload)?).map_err(|error| payload.error(DecodeErrorKind::Upcast, error))
}

/// Brings a payload in JSON from one major version to the next.
pub type JsonStep = fn(Value) -> Result<Value, Box<dyn StdError + Send + Sync>>;

/// Reads `payload` as JSON and takes it through `steps`, each from one major version to the next, the first of
/// them from `first_major`; the result is read as the current version by the caller.
///
/// # Errors
///
/// When the payload is no JSON, or a step refuses it.
pub fn upcast_json(
    payload: &StoredPayload<'_>,
    first_major: u32,
    steps: &[JsonStep],
) -> Result<Vec<u8>, DecodeError> {
    let skipped = payload.version().major.checked_sub(first_major).ok_or_else(|| payload.unknown())?;
    let upcast_error = |error| payload.error(DecodeErrorKind::Upcast, error);
    let mut value: Value = payload.read()?;
    for step in steps.iter().skip(skipped as usize) {
        value = step(value).map_err(upcast_error)?;
    }
    serde_json::to_vec(&value).map_err(|error| payload.error(DecodeErrorKind::Upcast, error))
}

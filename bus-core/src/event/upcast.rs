//! Steps from an old version of an event type to the next one.

use std::error::Error as StdError;

use serde_json::Value;

use super::{DecodeError, DecodeErrorKind, DomainEvent, StoredPayload};

/// Reads `payload` as the older event `Old` (which may upcast from an older one yet) and converts it.
///
/// # Errors
///
/// Those of reading `Old`, and those of the conversion.
pub fn upcast<Old, New>(payload: &StoredPayload<'_>) -> Result<New, DecodeError>
where
    Old: DomainEvent,
    New: TryFrom<Old>,
    New::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    New::try_from(Old::decode(payload)?).map_err(|error| payload.error(DecodeErrorKind::Upcast, error))
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

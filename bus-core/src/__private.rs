//! What the expansions of `jitney-derive` refer to. No part of the public interface: names here change freely.

pub use std::sync::Arc;
pub use std::time::Duration;

pub use serde::Serialize;
pub use serde::de::DeserializeOwned;
pub use serde::ser::Serializer;
pub use serde_json::Value;

pub use crate::event::{
    DecodeError, DomainEvent, EventType, Keyed, StoredPayload, UpcastFrom, VariantPayload, Version,
    read_variant, upcast_json,
};
pub use crate::handler::{
    BatchPolicy, Context, FromContext, HandlerError, HandlerInput, HandlerSet, HandlerSpec, IntoHandlers,
    IntoReply, Reply, Requirement, SharedHandlers, permanent_if,
};
pub use crate::middleware::{BreakerPolicy, RetryPolicy};

use futures_util::future::BoxFuture;

use crate::event::DecodeErrorKind;
use crate::handler::{Accepts, Handler, HandlerEntry, Outcome, Verdict};

/// What serde must be able to do with an event.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written and read",
    label = "serde's traits are missing",
    note = "derive them too: `#[derive(Serialize, Deserialize, DomainEvent)]`"
)]
pub trait Payload {
    /// Evaluated where the trait is checked.
    const CHECKED: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Payload for T {}

/// The newer event that an older one, read from `payload`, is converted to.
///
/// # Errors
///
/// Those of reading the older one, and those of the conversion.
pub fn converted<Old, New>(
    payload: &StoredPayload<'_>,
    old: Result<Old, DecodeError>,
    convert: fn(Old) -> Result<New, Box<dyn std::error::Error + Send + Sync>>,
) -> Result<New, DecodeError> {
    convert(old?).map_err(|error| payload.error(DecodeErrorKind::Upcast, error))
}

/// Whether one of `types` has the major version `major`. The types of an event whose derive failed are unknown.
pub const fn any_of_major(types: &[EventType], major: u32) -> bool {
    let mut index = 0;
    while index < types.len() {
        if types[index].version().major == major {
            return true;
        }
        index += 1;
    }
    types.is_empty()
}

/// Whether `Old` reads `payload`.
pub fn reads<Old: DomainEvent>(payload: &StoredPayload<'_>) -> bool {
    Old::accepts().iter().any(|event_type| payload.is(event_type))
}

/// The reply of a handler whose arguments could not be made.
pub fn failed(error: HandlerError) -> Reply {
    Reply::All(Outcome::from(Verdict::Failed(error)))
}

/// Everything about a handler but its code.
#[derive(Debug)]
pub struct Signature {
    /// How it is run.
    pub spec: HandlerSpec,
    /// What it reads.
    pub accepts: Accepts,
    /// Whether it takes several events at once.
    pub is_batch: bool,
    /// What its extractors need.
    pub requirements: Vec<Option<Requirement>>,
}

/// Adds a handler to `set`.
pub fn add<S, F>(set: &mut HandlerSet, signature: Signature, state: S, run: F)
where
    S: Send + Sync + 'static,
    F: for<'a> Fn(&'a S, Context<'a>) -> BoxFuture<'a, Reply> + Send + Sync + 'static,
{
    set.0.push(HandlerEntry {
        spec: signature.spec,
        accepts: signature.accepts,
        is_batch: signature.is_batch,
        requirements: signature.requirements.into_iter().flatten().collect(),
        handler: Arc::new(Expanded { state, run }),
    });
}

struct Expanded<S, F> {
    state: S,
    run: F,
}

impl<S, F> Handler for Expanded<S, F>
where
    S: Send + Sync + 'static,
    F: for<'a> Fn(&'a S, Context<'a>) -> BoxFuture<'a, Reply> + Send + Sync + 'static,
{
    fn handle<'a>(&'a self, cx: Context<'a>) -> BoxFuture<'a, Reply> {
        (self.run)(&self.state, cx)
    }
}

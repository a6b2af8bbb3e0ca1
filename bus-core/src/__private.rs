//! What the expansions of `jitney-derive` refer to. No part of the public interface: names here change freely.
//!
//! Each re-export is hidden by itself, so that rustc does not call the item by its name here.

#[doc(hidden)]
pub use std::sync::Arc;
#[doc(hidden)]
pub use std::time::Duration;

#[doc(hidden)]
pub use serde::Serialize;
#[doc(hidden)]
pub use serde::de::DeserializeOwned;
#[doc(hidden)]
pub use serde::ser::Serializer;

#[doc(hidden)]
pub use crate::event::{
    DecodeError, DomainEvent, EventType, Keyed, OneOf, Payload, PseudonymField, Pseudonymous, StoredPayload,
    UpcastFrom, VariantPayload, Version, read_variant, upcast_json,
};
#[cfg(feature = "schema")]
#[doc(hidden)]
pub use crate::event::{Manifest, MaybeSchema, Probe};
#[doc(hidden)]
pub use crate::handler::{
    BatchPolicy, Context, FromContext, HandlerError, HandlerInput, HandlerSet, HandlerSpec, IntoHandlers,
    IntoReply, Reply, Requirement, SharedHandlers, permanent_if,
};
#[doc(hidden)]
pub use crate::middleware::{BreakerPolicy, RetryPolicy};

use futures_util::future::BoxFuture;

use crate::event::DecodeErrorKind;
use crate::handler::{Accepts, Handler, HandlerEntry, Outcome, Verdict};

/// The event type `$event_type` of the event `$event`, with its manifest where manifests are compiled in.
#[cfg(feature = "schema")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_manifest {
    ($event_type:expr, $event:ident, $variant:expr) => {
        $event_type.with_manifest(
            const {
                #[allow(unused_imports)]
                use $crate::__private::MaybeSchema as _;
                &$crate::__private::Manifest::new::<$event>(
                    ::core::stringify!($event),
                    $variant,
                    $crate::__private::Probe::<$event>::SCHEMA,
                )
            },
        )
    };
}

/// The event type `$event_type`: manifests are not compiled in.
#[cfg(not(feature = "schema"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_manifest {
    ($event_type:expr, $event:ident, $variant:expr) => {
        $event_type
    };
}

#[doc(hidden)]
pub use __with_manifest as with_manifest;

/// A type that may be an `Option` by another name. The constant of this type itself wins over that of [`MaybeOption`], where it has
/// one.
#[doc(hidden)]
#[derive(Debug)]
pub struct OptionProbe<T>(std::marker::PhantomData<T>);

impl<T> OptionProbe<Option<T>> {
    /// It is.
    pub const IS_OPTION: bool = true;
}

impl<T> OptionProbe<Box<Option<T>>> {
    /// serde reads it as one.
    pub const IS_OPTION: bool = true;
}

/// What [`OptionProbe`] has for all other types.
#[doc(hidden)]
pub trait MaybeOption {
    /// It is not.
    const IS_OPTION: bool = false;
}

impl<T> MaybeOption for OptionProbe<T> {}

/// A function on JSON from one major version to the next, with an error of its own.
pub type JsonFunction<E> = fn(serde_json::Value) -> Result<serde_json::Value, E>;

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

//! Extractors: what a handler may ask for behind its event.

use std::any::type_name;

use super::{Context, HandlerError, Requirement};
use crate::Metadata;
use crate::publish::{Bus, Publisher};

/// An argument of a handler behind its event.
///
/// ```
/// use jitney_core::handler::{Context, FromContext, HandlerError};
///
/// /// The tenant, which every publisher puts into the metadata.
/// struct Tenant(String);
///
/// impl FromContext for Tenant {
///     async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
///         let pairs = &cx.head().metadata.pairs;
///         pairs.get("tenant").cloned().map(Tenant).ok_or_else(|| HandlerError::permanent("an event without a tenant"))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing that a handler can ask for",
    label = "not an extractor",
    note = "ask for `State<T>`, `Metadata`, `Publisher`, `Bus` or `Attempt`, or implement `FromContext` for it",
    note = "the event itself comes first: `T`, `Envelope<T>`, `Batch<T>` or `RawEvent`"
)]
pub trait FromContext: Sized + Send {
    /// Makes the argument for one attempt.
    ///
    /// # Errors
    ///
    /// The attempt then fails with this error, as if the handler had returned it.
    fn from_context(cx: &Context<'_>) -> impl Future<Output = Result<Self, HandlerError>> + Send;

    /// What the application must have for this to work; checked at start-up.
    fn requirement() -> Option<Requirement> {
        None
    }
}

/// A clone of the application's value of type `T`, as given to [`App::state`](crate::App::state).
///
/// A handler that asks for a state that the application does not have is an error at start-up.
#[derive(Debug, Clone, Copy, Default)]
pub struct State<T>(pub T);

impl<T: Clone + Send + Sync + 'static> FromContext for State<T> {
    async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
        let state = cx.states().get::<T>().cloned().map(State);
        state.ok_or_else(|| {
            HandlerError::permanent(format!("the application has no state `{}`", type_name::<T>()))
        })
    }

    fn requirement() -> Option<Requirement> {
        Some(Requirement::state::<T>())
    }
}

/// Which attempt at the event this is, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt(pub u32);

#[diagnostic::do_not_recommend]
impl FromContext for Attempt {
    async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
        Ok(Attempt(cx.attempt()))
    }
}

#[diagnostic::do_not_recommend]
impl FromContext for Metadata {
    async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
        Ok(cx.head().metadata.clone())
    }
}

/// A publisher that carries the chain of the event on. What is published through it gets new ids: when the event
/// is handled again, it is published again, unlike an event that the handler returns.
#[diagnostic::do_not_recommend]
impl FromContext for Publisher {
    async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
        Ok(cx.publisher())
    }
}

#[diagnostic::do_not_recommend]
impl FromContext for Bus {
    async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
        Ok(cx.bus().clone())
    }
}

//! What a process manager is.

use std::error::Error as StdError;

use jitney_core::event::OneOf;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Actions, ProcessContext};

/// Follows events of several aggregates, and says what is to happen next.
///
/// A value of it is the state of one process. It is stored as JSON, and is [`Default`] when a process begins. The methods are
/// pure: they may be called again for the same input, on the same state, when a transaction has to be repeated. What they
/// need from outside comes with the input, and the time is [`ProcessContext::now`].
pub trait ProcessManager: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What it follows: an event type, or an enum of several with `#[derive(OneOf)]`.
    type Input: OneOf;

    /// What it waits for: an enum with a variant for each kind of deadline. A deadline is known by its JSON: to set one again
    /// moves it.
    type Deadline: Serialize + DeserializeOwned + Send + 'static;

    /// Why an input cannot be handled. That is a failure of the process manager, after which it stops or puts the input aside;
    /// a refusal that the process knows how to answer is an event, and no error.
    type Error: StdError + Send + Sync + 'static;

    /// The name, under which its processes are stored: never change it, and never give it to another one.
    const NAME: &'static str;

    /// The version of the state. Raise it when older states can no longer be read, and read them in
    /// [`upcast_state`](Self::upcast_state).
    const VERSION: u32 = 1;

    /// The key of the process that `input` belongs to, up to 512 bytes; none where it belongs to no process.
    fn key(input: &Self::Input) -> Option<String>;

    /// Whether `input` may be the first of its process.
    fn starts(input: &Self::Input) -> bool;

    /// Changes the state, and says what is to be done.
    ///
    /// # Errors
    ///
    /// When the input cannot be handled, now or ever. The process stays as it was.
    fn handle(
        &mut self,
        input: Self::Input,
        cx: &ProcessContext<'_>,
    ) -> Result<Actions<Self::Deadline>, Self::Error>;

    /// The same for a deadline that has come.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    fn on_deadline(
        &mut self,
        deadline: Self::Deadline,
        cx: &ProcessContext<'_>,
    ) -> Result<Actions<Self::Deadline>, Self::Error>;

    /// Makes of a state of the older `version` one of [`VERSION`](Self::VERSION).
    ///
    /// # Errors
    ///
    /// When there is no way; always, unless it is written.
    fn upcast_state(version: u32, state: Value) -> Result<Value, Box<dyn StdError + Send + Sync>> {
        let _ = state;
        Err(format!("there is no upcaster from version {version}: write `upcast_state`").into())
    }
}

//! The inbox: a handler works in a transaction of its own database in which its event is marked as handled.
//!
//! A handler that writes to a database and is handed an event twice has to recognise the second one; and where it marks the
//! event behind its work, it can crash in between. With an inbox, the mark, what the handler writes and the events that it returns
//! are one transaction: all of it, or nothing. What is returned goes into the outbox of the same database, from which a
//! [`Relay`](crate::outbox::Relay) publishes it.
//!
//! This module is the seam: a database has an [`Inbox`], which begins a [`UnitOfWork`] for each attempt, and an extractor that
//! lends the transaction to the handler. Those of PostgreSQL and SQLite are in `jitney-sql`, with the extractor `Tx`.
//!
//! ```
//! use jitney_core::handler::{Context, FromContext, HandlerError, Requirement};
//! use jitney_core::inbox::UnitOfWork;
//! # use jitney_core::{Error, outbox::OutboxEvent};
//! # #[derive(Debug)] struct LedgerUnit;
//! # #[async_trait::async_trait] impl UnitOfWork for LedgerUnit {
//! #     async fn commit(self: Box<Self>, _: Vec<OutboxEvent>) -> Result<(), Error> { Ok(()) }
//! # }
//! # impl LedgerUnit { fn lend(&self) -> Result<Entry, HandlerError> { Ok(Entry) } }
//! /// What a handler asks for: the open transaction of a ledger.
//! struct Entry;
//!
//! impl FromContext for Entry {
//!     async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
//!         cx.unit::<LedgerUnit>().ok_or_else(|| HandlerError::permanent("no transaction of a ledger"))?.lend()
//!     }
//!
//!     fn requirement() -> Option<Requirement> {
//!         Some(Requirement::transaction::<Entry>("Entry"))
//!     }
//! }
//! ```

use std::any::Any;
use std::fmt;

use async_trait::async_trait;

use crate::Error;
use crate::handler::Requirement;
use crate::outbox::OutboxEvent;
use crate::processed::{ProcessedEvents, ProcessedKey};

/// Where events are marked as handled in the transaction of the handler's own work. What it is as [`ProcessedEvents`] serves the
/// idempotent handlers that ask for no transaction.
#[async_trait]
pub trait Inbox: ProcessedEvents {
    /// What handlers ask for that work in transactions of this inbox: the requirement of its extractor.
    fn offers(&self) -> Requirement;

    /// Begins a transaction in which `group` has handled each of `keys`: those that are new to it are marked, and the others are
    /// told. Where another transaction has marked one of them and is still open, this waits for its end.
    ///
    /// # Errors
    ///
    /// When the database does not answer; it is then asked again, and nothing is marked meanwhile.
    ///
    /// # Cancellation
    ///
    /// Dropping the future marks nothing.
    async fn begin(&self, group: &str, keys: &[ProcessedKey<'_>]) -> Result<Begun, Error>;
}

/// A transaction that has just begun.
#[derive(Debug)]
pub struct Begun {
    /// The transaction. Dropped, it is rolled back.
    pub unit: Box<dyn UnitOfWork>,
    /// For each key, in the order in which they were asked for, whether it was handled before.
    pub handled: Vec<bool>,
}

/// The transaction of an attempt, by one pointer: events whose handlers ask for none carry the room for it too.
pub(crate) struct Lent(pub(crate) Box<dyn UnitOfWork>);

/// A transaction in which events are handled. Dropped, it is rolled back: nothing was handled.
///
/// A handler gets it through an extractor, which finds the unit by its type ([`Context::unit`](crate::handler::Context::unit)) and
/// gives it back when it is dropped.
#[async_trait]
pub trait UnitOfWork: Any + fmt::Debug + Send + Sync {
    /// Puts `outputs` into the outbox, and commits.
    ///
    /// # Errors
    ///
    /// When it was not committed; of kind [`Unknown`](crate::ErrorKind::Unknown) where that is not known, and the marks are to be
    /// asked. Not retryable where the handler has not given the transaction back, or another attempt would meet the same.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves it open whether it is committed.
    async fn commit(self: Box<Self>, outputs: Vec<OutboxEvent>) -> Result<(), Error>;
}

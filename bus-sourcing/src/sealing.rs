//! Personal data on its way into a store and out of it: sealed before anything is stored, opened behind each read.
//!
//! Each store has a [`Sealing`], which does nothing until the store is given a [`Sealer`] by its `sealed_by`. What it costs then
//! for events without personal data is one look into each payload that is read, and none into those that are written.
//!
//! ```
//! use jitney_core::personal::Sealer;
//! use jitney_sourcing::{MemoryStore, Repository, Aggregate};
//!
//! # fn example<A: Aggregate>(vault: impl Sealer) -> Repository<A> {
//! // Whatever is on top of the store sees what it would see without it.
//! Repository::new(MemoryStore::new().sealed_by(vault))
//! # }
//! ```

use std::fmt;
use std::sync::Arc;

use jitney_core::error_chain;
use jitney_core::outbox::OutboxEvent;
use jitney_core::personal::{Place, Sealer, has_open, has_sealed};

use crate::{Append, Error, ErrorKind, NewEvent, Page, StoredEvent, StreamAppend, StreamId};

/// What seals the personal data of a store, and opens it; nothing, unless it was told. For authors of stores.
#[derive(Clone, Default)]
pub struct Sealing(Option<Arc<dyn Sealer>>);

impl Sealing {
    /// By `sealer`.
    pub fn by(sealer: impl Sealer) -> Self {
        Sealing(Some(Arc::new(sealer)))
    }

    /// What seals, where there is something: the answer of [`EventStore::sealer`](crate::EventStore::sealer).
    pub fn sealer(&self) -> Option<&dyn Sealer> {
        self.0.as_deref()
    }

    /// Seals the events of an append. Stores call this before they begin a transaction: a key may have to be stored first, perhaps in
    /// the same database. Without a sealer the append stays as it is, and [`Append::check`] refuses what is open.
    ///
    /// # Errors
    ///
    /// As [`Append::seal`].
    ///
    /// # Cancellation
    ///
    /// As [`Sealer::seal`].
    pub async fn seal(&self, append: Append) -> Result<Append, Error> {
        match self.sealer() {
            Some(sealer) => append.seal(sealer).await,
            None => Ok(append),
        }
    }

    /// Seals an event that goes into an outbox. Without a sealer it stays as it is, and the outbox refuses what is open.
    ///
    /// # Errors
    ///
    /// As [`OutboxEvent::seal`].
    ///
    /// # Cancellation
    ///
    /// As [`Sealer::seal`].
    pub async fn seal_outgoing(&self, event: OutboxEvent) -> Result<OutboxEvent, jitney_core::Error> {
        match self.sealer() {
            Some(sealer) => event.seal(sealer).await,
            None => Ok(event),
        }
    }

    /// Opens events that were read. One whose values were changed, or brought from another place, comes back
    /// [unopened](StoredEvent::unopened).
    ///
    /// # Errors
    ///
    /// Of kind [`Store`](ErrorKind::Store), retryable, when a key cannot be had for the moment, and [`Config`](ErrorKind::Config)
    /// where what opens is set up wrongly.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn open(&self, events: Vec<StoredEvent>) -> Result<Vec<StoredEvent>, Error> {
        open_events(self.sealer(), events).await
    }

    /// The same for the one event that was read, where one was.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Cancellation
    ///
    /// As [`open`](Self::open).
    pub async fn open_found(&self, event: Option<StoredEvent>) -> Result<Option<StoredEvent>, Error> {
        Ok(self.open(event.into_iter().collect()).await?.pop())
    }

    /// The same for a page.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    ///
    /// # Cancellation
    ///
    /// As [`open`](Self::open).
    pub async fn open_page(&self, page: Page) -> Result<Page, Error> {
        open_page(self.sealer(), page).await
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What seals may know keys, and shows itself as it likes elsewhere.
        f.write_str(if self.0.is_some() { "Sealing" } else { "NoSealing" })
    }
}

pub(crate) async fn open_page(sealer: Option<&dyn Sealer>, page: Page) -> Result<Page, Error> {
    Ok(Page { events: open_events(sealer, page.events).await?, ..page })
}

async fn open_events(
    sealer: Option<&dyn Sealer>,
    mut events: Vec<StoredEvent>,
) -> Result<Vec<StoredEvent>, Error> {
    let Some(sealer) = sealer else { return Ok(events) };
    for event in &mut events {
        if !has_sealed(event.payload_json()) {
            continue;
        }
        let opened = sealer.open(Place::of_event(event.head()), event.payload_json().clone()).await;
        match opened {
            Ok(payload) => event.set_payload(payload),
            Err(error) if is_of_event(&error) => event.set_unopened(error_chain(&error)),
            Err(error) => {
                let (stream, sequence) = (event.stream(), event.sequence());
                return Err(failed(
                    &format!("opening the personal data of event {sequence} of stream {stream}"),
                    error,
                ));
            }
        }
    }
    Ok(events)
}

/// Whether the error is one of what is sealed, and not of keys or of the set-up.
fn is_of_event(error: &jitney_core::Error) -> bool {
    !error.is_retryable() && error.kind() != jitney_core::ErrorKind::Config
}

/// The error of `doing` something for which a key could not be had.
pub(crate) fn failed(doing: &str, error: jitney_core::Error) -> Error {
    let kind = match error.kind() {
        _ if error.is_retryable() => ErrorKind::Store,
        jitney_core::ErrorKind::Config => ErrorKind::Config,
        jitney_core::ErrorKind::Forgotten => ErrorKind::Forgotten,
        _ => ErrorKind::Encode,
    };
    let retryable = error.is_retryable();
    Error::new(kind, doing).with_source(error).retryable(retryable)
}

/// The error of what has personal data, while `what` stores it, and nothing that seals.
pub(crate) fn unsealed(what: &str) -> Error {
    let what = format!(
        "{what} has personal data, and the store was given nothing that seals it, so nothing is stored; give the store what seals \
         it, by `sealed_by`"
    );
    Error::new(ErrorKind::Config, what)
}

impl Append {
    /// Seals the personal data of its events, where it was not yet. A store that was given a sealer does so by itself. Call it before
    /// a transaction in which [`append_in`](crate::TransactionalStore::append_in) follows, where the keys are in the same
    /// SQLite database: while the transaction is open, no new key can be stored there.
    ///
    /// # Errors
    ///
    /// When a key cannot be had: of kind [`Store`](ErrorKind::Store), retryable, where its store did not answer.
    ///
    /// # Cancellation
    ///
    /// As [`Sealer::seal`].
    pub async fn seal(mut self, sealer: &dyn Sealer) -> Result<Append, Error> {
        for StreamAppend { stream, events, .. } in self.parts_mut() {
            for event in events.iter_mut().filter(|event| event.is_open()) {
                event.seal(stream, sealer).await?;
            }
        }
        Ok(self)
    }

    /// Refuses an event with personal data that was not sealed.
    pub(crate) fn refuse_open(&self) -> Result<(), Error> {
        for StreamAppend { stream, events, .. } in self.streams() {
            if let Some(event) = events.iter().find(|event| event.is_open()) {
                let NewEvent { event_id, event_type, .. } = event;
                return Err(unsealed(&format!(
                    "appending to stream {stream}: event {event_id} (`{event_type}`)"
                )));
            }
        }
        Ok(())
    }
}

impl NewEvent {
    async fn seal(&mut self, stream: &StreamId, sealer: &dyn Sealer) -> Result<(), Error> {
        let place = Place::event(stream.aggregate_type(), stream.aggregate_id(), &self.event_id);
        let sealed = sealer.seal(place, self.payload.clone()).await;
        self.payload = sealed.map_err(|error| {
            let NewEvent { event_id, event_type, .. } = &*self;
            let what = format!(
                "appending to stream {stream}: sealing the personal data of event {event_id} (`{event_type}`)"
            );
            failed(&what, error)
        })?;
        self.seen_by_sealer();
        Ok(())
    }
}

/// Texts that are no events, each in a place of its own: states, and what is kept beside them.
pub(crate) async fn seal_state(
    sealer: Option<&dyn Sealer>,
    place: Place<'_>,
    what: &str,
    state: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    if !has_open(&state) {
        return Ok(state);
    }
    let sealer = sealer.ok_or_else(|| unsealed(what))?;
    let sealed = sealer.seal(place, state.into()).await;
    Ok(sealed.map_err(|error| failed(&format!("sealing the personal data of {what}"), error))?.into())
}

/// What [`seal_state`] has sealed. An error says `what` it is.
pub(crate) async fn open_state(
    sealer: Option<&dyn Sealer>,
    place: Place<'_>,
    what: &str,
    state: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let (Some(sealer), true) = (sealer, has_sealed(&state)) else { return Ok(state) };
    let opened = sealer.open(place, state.into()).await;
    let opened = opened.map_err(|error| {
        let what = format!("opening the personal data of {what}");
        match is_of_event(&error) {
            true => Error::new(ErrorKind::Decode, what).with_source(error),
            false => failed(&what, error),
        }
    });
    Ok(opened?.into())
}

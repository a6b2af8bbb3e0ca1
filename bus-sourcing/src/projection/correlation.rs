//! Waiting for what a request has led to, by whoever knows no more of it than its correlation id.

use std::time::Duration;

use jitney_core::Id;

use super::handle::LOOK;
use super::{ProjectionHandle, ReadModel};
use crate::{Error, ErrorKind, EventStore, Position};

impl<M: ReadModel> ProjectionHandle<M> {
    /// Waits until `store` has events of a correlation id, and until all that it has of it by then are in the read model:
    /// for a user interface that knows the id of its request, and not the [position](Self::wait_for) of what was appended.
    /// A command without a correlation id of its own gives its events that of the command's id.
    ///
    /// What others append later because of these events is not waited for.
    ///
    /// # Errors
    ///
    /// As [`wait_for`](Self::wait_for), with the reading of the store in `at_most`; of kind
    /// [`Projection`](ErrorKind::Projection), retryable, when the store has no event of it within `at_most`, as when the
    /// command has led to none; of kind [`Store`](ErrorKind::Store), retryable, when it has not answered in that time; and of kind [`Unsupported`](ErrorKind::Unsupported) where the store has no [index of
    /// chains](crate::StoreCapabilities::correlations).
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn wait_for_correlation(
        &self,
        store: &(impl EventStore + ?Sized),
        correlation_id: &Id,
        at_most: Duration,
    ) -> Result<(), Error> {
        let began = self.env().instant();
        let mut answered = false;
        let looked = self.end_of_correlation(store, correlation_id, &mut answered);
        let found = self.env().timeout(at_most, looked).await;
        let end = found.unwrap_or_else(|_| {
            let (kind, why) = match answered {
                true => (
                    ErrorKind::Projection,
                    "has no event of it, as far as it has answered, within the time; see whether the command was handled, and has \
                     led to events",
                ),
                false => (ErrorKind::Store, "has not answered within the time; see whether it can be reached"),
            };
            let (name, store) = (self.name(), store.describe());
            let what = format!(
                "waiting for correlation {correlation_id} in projection `{name}`, for {at_most:?}: {store} {why}"
            );
            Err(Error::new(kind, what).retryable(true))
        })?;
        let left = at_most.saturating_sub(self.env().instant().duration_since(began));
        self.wait_for(&end, left).await
    }

    async fn end_of_correlation(
        &self,
        store: &(impl EventStore + ?Sized),
        correlation_id: &Id,
        answered: &mut bool,
    ) -> Result<Position, Error> {
        loop {
            if let Some(end) = store.end_of_correlation(correlation_id).await? {
                return Ok(end);
            }
            *answered = true;
            self.env().sleep(LOOK).await;
        }
    }
}

//! From what an aggregate has raised to the store.

use super::Repository;
use crate::{
    Aggregate, AggregateRoot, Append, Appended, Error, ErrorKind, Expected, ReadStream, StreamAppended,
};

impl<A: Aggregate> Repository<A> {
    /// Appends what `root` has raised. What an earlier call has stored, and was not answered, is saved: nobody else has
    /// events of these ids.
    pub(super) async fn append_uncommitted(
        &self,
        root: &mut AggregateRoot<A>,
    ) -> Result<Option<Appended>, Error> {
        let mut found = None;
        while !root.uncommitted().is_empty() {
            let error = match self.append_once(root).await {
                Ok(appended) => return Ok(Some(joined(found, appended))),
                Err(error) => error,
            };
            let Some(before) = self.appended_before(root, &error).await? else { return Err(error) };
            let (events, appended) = before;
            self.follow_up(root, events).await;
            found = Some(appended);
        }
        Ok(found)
    }

    /// Appends what `root` has raised, which is something.
    pub(super) async fn append_once(&self, root: &mut AggregateRoot<A>) -> Result<Appended, Error> {
        let expected = Expected::Exact(root.sequence());
        let append = Append::to(root.stream().clone(), expected, root.uncommitted().to_vec());
        let appended = self.store.append(append).await?;
        self.follow_up(root, root.uncommitted().len()).await;
        Ok(appended)
    }

    /// The store has the first `events` of what `root` has raised.
    async fn follow_up(&self, root: &mut AggregateRoot<A>, events: usize) {
        let last = root.uncommitted()[..events].last().map(|event| event.event_id.clone());
        root.committed(events);
        // The state of a root that has raised more is not the one behind its last stored event.
        if let Some(last) = last.filter(|_| root.uncommitted().is_empty()) {
            self.snapshot_if_due(root, last).await;
        }
    }

    /// How many events of `root` are in the store behind the sequence that it was loaded at, and where they are.
    async fn appended_before(
        &self,
        root: &AggregateRoot<A>,
        error: &Error,
    ) -> Result<Option<(usize, Appended)>, Error> {
        if error.kind() != ErrorKind::Duplicate {
            return Ok(None);
        }
        let read = ReadStream::forward().from(root.sequence() + 1).limit(root.uncommitted().len());
        let there = self.store.read_stream(root.stream(), read).await?;
        let own = there.iter().zip(root.uncommitted());
        let own = own.take_while(|(stored, raised)| stored.head().event_id == raised.event_id).count();
        let last = there[..own].last();
        Ok(last.map(|last| {
            let streams = vec![StreamAppended::behind(root.sequence(), own)];
            (own, Appended::new(streams, last.position().clone()))
        }))
    }
}

/// Where events are of which the first ones were found stored, and the others were stored now.
fn joined(found: Option<Appended>, mut appended: Appended) -> Appended {
    if let Some(found) = found {
        appended.streams[0].first_sequence = found.streams[0].first_sequence;
    }
    appended
}

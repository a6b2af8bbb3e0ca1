//! From a stream to a state.

use jiff::Timestamp;

use super::Repository;
use crate::aggregate_root::Loaded;
use crate::{Aggregate, AggregateRoot, Error, ErrorKind, ReadStream, StoredEvent, StreamId};

/// So many events are read at once.
pub(super) const PAGE: usize = 1_024;

/// Up to which event a state is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AsOf {
    /// Up to the event of this sequence.
    Sequence(u64),
    /// Up to the last event before the first one that was recorded later than this.
    Time(Timestamp),
}

impl AsOf {
    /// Up to the last event.
    pub(super) const NOW: AsOf = AsOf::Sequence(u64::MAX);

    fn includes(self, event: &StoredEvent) -> bool {
        match self {
            AsOf::Sequence(sequence) => event.sequence() <= sequence,
            AsOf::Time(time) => event.head().time <= time,
        }
    }
}

/// A state on its way through the events of its stream.
pub(super) struct Replay<A> {
    pub(super) state: A,
    pub(super) sequence: u64,
    pub(super) loaded: Loaded,
}

impl<A: Aggregate> Replay<A> {
    pub(super) fn from_the_start() -> Self {
        Replay { state: A::default(), sequence: 0, loaded: Loaded::default() }
    }

    pub(super) fn follow(&mut self, event: &StoredEvent) -> Result<(), Error> {
        let expected = self.sequence + 1;
        if event.sequence() != expected {
            let (stream, found) = (event.stream(), event.sequence());
            let what = format!(
                "reading stream {stream}: event {expected} is missing, event {found} follows; the store has lost it, or \
                 does not keep the order of a stream"
            );
            return Err(Error::new(ErrorKind::Store, what).retryable(false));
        }
        self.state.evolve(&event.decode()?);
        self.sequence = event.sequence();
        self.loaded.since.get_or_insert(event.head().time);
        Ok(())
    }
}

impl<A: Aggregate> Repository<A> {
    pub(super) async fn load_stream(&self, stream: StreamId) -> Result<AggregateRoot<A>, Error> {
        let replay = self.replay(&stream).await?;
        Ok(self.root(stream, replay))
    }

    fn root(&self, stream: StreamId, replay: Replay<A>) -> AggregateRoot<A> {
        let Replay { state, sequence, loaded } = replay;
        AggregateRoot::new(self.env.clone(), stream, state, sequence, loaded)
    }

    /// The state that the stream had, from its events alone.
    pub(super) async fn load_stream_as_of(
        &self,
        stream: StreamId,
        as_of: AsOf,
    ) -> Result<AggregateRoot<A>, Error> {
        let replay = self.replay_until(&stream, Replay::from_the_start(), as_of).await?;
        Ok(self.root(stream, replay))
    }

    /// Takes `replay` through the events behind it, up to and with `as_of`.
    pub(super) async fn replay_until(
        &self,
        stream: &StreamId,
        mut replay: Replay<A>,
        as_of: AsOf,
    ) -> Result<Replay<A>, Error> {
        loop {
            let events = self.page(stream, replay.sequence + 1).await?;
            for event in &events {
                if !as_of.includes(event) {
                    return Ok(replay);
                }
                replay.follow(event)?;
            }
            if events.len() < PAGE {
                return Ok(replay);
            }
        }
    }

    /// The events of the stream from the sequence `from` on; fewer than [`PAGE`] where these are the last ones.
    pub(super) async fn page(&self, stream: &StreamId, from: u64) -> Result<Vec<StoredEvent>, Error> {
        self.store.read_stream(stream, ReadStream::forward().from(from).limit(PAGE)).await
    }
}

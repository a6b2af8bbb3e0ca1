//! The store as all stores are used.

use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Id;
use jitney_core::personal::Sealer;
use jitney_sourcing::{
    Append, Appended, Error, EventStore, Expected, Filter, ListStreams, Page, Position, ReadStream,
    SnapshotStore, StoreCapabilities, StoredEvent, StreamId, StreamInfo, StreamState, StreamsPerAppend,
};

use super::KafkaStore;
use super::log::Log;
use super::place::Follower;

#[async_trait]
impl EventStore for KafkaStore {
    fn capabilities(&self) -> StoreCapabilities {
        let mut capabilities = StoreCapabilities::none("kafka");
        capabilities.durable = true;
        capabilities.streams_per_append = StreamsPerAppend::SamePart;
        capabilities.snapshots = true;
        capabilities
    }

    fn describe(&self) -> String {
        self.described()
    }

    async fn append(&self, append: Append) -> Result<Appended, Error> {
        self.store(self.sealing.seal(append).await?).await
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        self.sealing.open(self.read(stream, read).await?).await
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error> {
        self.sealing.open_found(self.find(stream, event_id).await?).await
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        self.sealing.open_page(self.page(after, filter, limit).await?).await
    }

    async fn end(&self) -> Result<Position, Error> {
        let places: Vec<_> = self.inner.logs.iter().map(|log| log.place()).collect();
        Ok(self.position_of(&self.ends(&places).await?))
    }

    async fn wait(&self, after: &Position, at_most: Duration) -> Result<(), Error> {
        let offsets = self.offsets(after)?;
        let mut ticks = self.inner.tail.subscribe();
        let news = async {
            loop {
                ticks.mark_unchanged();
                let positions = self.inner.logs.iter().map(|log| log.place().position());
                // Where the reader has ended, the time limit is all that is left.
                if positions.zip(&offsets).any(|(position, offset)| position > *offset) {
                    return;
                }
                if ticks.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        // The time limit is what the caller asked for.
        let _ = self.env().timeout(at_most, news).await;
        Ok(())
    }

    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>, Error> {
        let (_, log) = self.locate(stream).await?;
        self.read_up(&[&**log]).await?;
        Ok(log.known().info(stream))
    }

    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>, Error> {
        // Any id will do.
        let (of_type, _) = self.locate(&StreamId::new(list.aggregate_type.clone(), "-")).await?;
        let logs: Vec<&Log> = of_type.logs.iter().map(|log| &**log).collect();
        self.read_up(&logs).await?;
        let mut streams = Vec::new();
        for log in logs {
            let known = log.known();
            let infos = known.infos(&list.aggregate_type, list.after.as_deref());
            let infos = infos.filter(|info| list.state.is_none_or(|state| info.state == state));
            streams.extend(infos.take(list.limit));
        }
        streams.sort_unstable_by(|one: &StreamInfo, other| one.stream.cmp(&other.stream));
        streams.truncate(list.limit);
        Ok(streams)
    }

    async fn archive(&self, stream: &StreamId) -> Result<(), Error> {
        self.change(stream, Expected::Exists, StreamState::Archived).await
    }

    async fn restore(&self, stream: &StreamId) -> Result<(), Error> {
        self.change(stream, Expected::Exists, StreamState::Open).await
    }

    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<(), Error> {
        self.change(stream, expected, StreamState::Ended).await
    }

    fn snapshots(&self) -> Option<&dyn SnapshotStore> {
        Some(self)
    }

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.sealing.sealer()
    }
}

//! Snapshots, as all stores keep them.

use std::sync::Arc;

use async_trait::async_trait;
use jitney_core::message::{Message, Outbound, Topic};
use jitney_core::personal::mention_of;
use jitney_core::transport::Published;
use jitney_sourcing::{Error, ErrorKind, SnapshotStore, StoredSnapshot, StreamId};

use super::place::Follower;
use super::shelf::{self, Shelf, Wanted};
use super::{KafkaStore, failure, murmur2};

/// A record that is looked up may be replaced and taken away while it is read: so often is it looked up anew.
const ATTEMPTS: usize = 5;

impl KafkaStore {
    fn shelf(&self, stream: &StreamId) -> &Arc<Shelf> {
        let shelves = &self.inner.shelves;
        let count = u32::try_from(shelves.len()).unwrap_or(u32::MAX);
        &shelves[murmur2::partition(&shelf::key(stream), count) as usize]
    }

    async fn publish(&self, doing: &str, message: Message) -> Result<(), Error> {
        match self.inner.publisher.publish_one(Outbound { message, attributes: None }).await {
            Published::Acked => Ok(()),
            Published::Unknown(error) => {
                Err(Error::new(ErrorKind::Unknown, format!("{doing}: {error}")).with_source(error))
            }
            Published::Rejected(error) => Err(failure::of_cluster(doing, error)),
        }
    }

    /// The newest record of a snapshot, where there is one.
    async fn newest(&self, shelf: &Arc<Shelf>, key: &[u8]) -> Result<Option<Message>, Error> {
        for _ in 0..ATTEMPTS {
            self.read_up(&[&**shelf]).await?;
            let offset = match shelf.find(key) {
                Wanted::Nowhere => return Ok(None),
                Wanted::Here(message) => return Ok(Some(message)),
                Wanted::At(offset) => offset,
            };
            if let Some((_, message)) =
                self.inner.fetcher.these(shelf.place(), vec![offset]).await?.into_iter().next()
            {
                return Ok(Some(message));
            }
        }
        let stream = String::from_utf8_lossy(key);
        let what =
            format!("loading the snapshot of stream {stream}: it is replaced time and again; try again");
        Err(Error::new(ErrorKind::Store, what))
    }

    fn topic_of_snapshots(&self, stream: &StreamId) -> &Topic {
        &self.shelf(stream).place().topic
    }
}

#[async_trait]
impl SnapshotStore for KafkaStore {
    async fn load_snapshot(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, Error> {
        self.locate(stream).await?;
        let found = self.newest(self.shelf(stream), &shelf::key(stream)).await?;
        Ok(found.and_then(|message| shelf::read(&message)))
    }

    async fn save_snapshot(&self, stream: &StreamId, snapshot: StoredSnapshot) -> Result<(), Error> {
        self.locate(stream).await?;
        let record = shelf::record(self.topic_of_snapshots(stream), stream, snapshot, self.env());
        self.publish(&format!("saving the snapshot of stream {stream}"), record).await
    }

    async fn delete_snapshots_of(&self, subject: &str) -> Result<u64, Error> {
        let mention = mention_of(subject);
        let mut deleted = 0;
        for shelf in &self.inner.shelves {
            self.read_up(&[&**shelf]).await?;
            for key in shelf.keys() {
                let Some(message) = self.newest(shelf, &key).await? else { continue };
                if message.body.windows(mention.len()).any(|part| part == mention.as_bytes()) {
                    let record = shelf::deletion_of(&shelf.place().topic, key, self.env());
                    self.publish("deleting the snapshots of a subject", record).await?;
                    deleted += 1;
                }
            }
        }
        Ok(deleted)
    }

    async fn delete_snapshot(&self, stream: &StreamId) -> Result<(), Error> {
        self.locate(stream).await?;
        let record = shelf::deletion(self.topic_of_snapshots(stream), stream, self.env());
        self.publish(&format!("deleting the snapshot of stream {stream}"), record).await
    }
}

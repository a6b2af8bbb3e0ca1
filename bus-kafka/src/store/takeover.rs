//! How a writer takes its partition over: it shuts every other writer out, ends what one has left open, and reads up to the end.

use std::sync::Arc;

use jitney_core::message::Message;
use jitney_sourcing::{Error, ErrorKind, StreamId, StreamState};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::{Offset, TopicPartitionList};

use super::place::Follower;
use super::writer::{FIRST_PAUSE, Writer};
use super::{failure, wire};
use crate::error;
use crate::member_context::MemberContext;

impl Writer {
    /// Shuts out every other writer, and waits until everything that is stored was read.
    pub(super) fn take_over(&mut self) -> Result<(), Error> {
        let doing = format!("taking over partition {}", self.queue.place);
        let failed = |error: jitney_core::Error| failure::of_cluster(&doing, error);
        self.confirm(&doing)?;
        self.transactions.prepare().map_err(|error| failed(error.into_error()))?;
        let before = self.log.place().position();
        let end = self.settled_end(&doing)?;
        self.log.place().check_end(before, end)?;
        self.log.place().block_until(self.cluster.config.transaction_timeout, |position| position >= end)
    }

    /// Where the partition ends, once no transaction is open in it.
    ///
    /// None is, by what the cluster promises, once the transactional id was initialized. But a coordinator takes a partition that has
    /// no leader for one that was deleted, and ends a transaction without a mark in it: so it is behind the restart of a
    /// broker, where no other one leads meanwhile. Readers stand in front of such records, and they go the way of the next
    /// transaction of that id, which knows nothing of them. Nobody was told that they are stored, since an append is
    /// answered when it was read; so they are aborted before anything is judged.
    fn settled_end(&mut self, doing: &str) -> Result<u64, Error> {
        let failed = |error: jitney_core::Error| failure::of_cluster(doing, error);
        let deadline = self.cluster.env.instant() + self.cluster.config.connect_timeout;
        let mut was_ended = false;
        loop {
            let (first, stable) = self.ends(&*self.member(doing)?, doing)?;
            let (_, end) = self.ends(&self.onlooker, doing)?;
            if first > 0 {
                let what = format!("{doing}: its first {first} records were deleted; restore the topic");
                return Err(Error::new(ErrorKind::Store, what).retryable(false));
            }
            if stable >= end {
                return Ok(u64::try_from(end).unwrap_or(0));
            }
            if self.cluster.env.instant() > deadline {
                let what = format!(
                    "{doing}: another producer has a transaction open in it since offset {stable}, behind which nothing can be read; end it \
                     (`kafka-transactions.sh find-hanging`)"
                );
                return Err(Error::new(ErrorKind::Store, what));
            }
            if !std::mem::replace(&mut was_ended, true) {
                tracing::warn!(
                    partition = &*self.queue.place,
                    stable,
                    end,
                    "a transaction was left open, and is aborted"
                );
                let place = self.log.place();
                let stream = StreamId::new(self.log.aggregate_type().to_owned(), place.name.to_string());
                let nothing = wire::mark(
                    &place.topic,
                    &self.cluster.env.new_id(),
                    &stream,
                    StreamState::Open,
                    &self.cluster.env,
                )?;
                let key = self.log.a_key();
                self.transactions.abort_with(&Message { key: Some(key), ..nothing }).map_err(failed)?;
            }
            self.queue.pause(FIRST_PAUSE);
            if self.queue.is_revoked() {
                return Err(failure::not_owner(doing, &self.queue.place, &self.queue.group));
            }
        }
    }

    /// Where the partition begins and ends for `client`.
    fn ends<C: ConsumerContext>(&self, client: &BaseConsumer<C>, doing: &str) -> Result<(i64, i64), Error> {
        let place = self.log.place();
        let limit = self.cluster.config.connect_timeout;
        let ends = client.fetch_watermarks(&place.topic, place.partition, limit);
        ends.map_err(|found| failure::of_cluster(doing, error::client(doing, found)))
    }

    /// Asks the group whether this process is still the member that it takes it for. Others write here otherwise, and must not
    /// be shut out.
    fn confirm(&self, doing: &str) -> Result<(), Error> {
        let place = self.log.place();
        let mut offsets = TopicPartitionList::new();
        // The cluster checks who commits. The offset itself says nothing that anybody reads.
        let offset = Offset::Offset(i64::try_from(place.position()).unwrap_or(0));
        let member = self.member(doing)?;
        let added = offsets.add_partition_offset(&place.topic, place.partition, offset);
        let committed = added.and_then(|()| member.commit(&offsets, CommitMode::Sync));
        drop(member);
        if self.queue.is_revoked() {
            return Err(failure::not_owner(doing, &self.queue.place, &self.queue.group));
        }
        committed.map_err(|found| failure::of_cluster(doing, error::client(doing, found)))
    }

    pub(super) fn member(&self, doing: &str) -> Result<Arc<BaseConsumer<MemberContext>>, Error> {
        self.member.upgrade().ok_or_else(|| failure::closed(doing))
    }
}

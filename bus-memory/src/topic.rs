//! A topic: its partitions, the groups that read it, and how much of it is unsettled.

use std::sync::Arc;

use jitney_core::message::Message;
use jitney_core::transport::Start;

use crate::config::Config;
use crate::faults::hash_bytes;
use crate::gate::Gate;
use crate::partition::Partition;
use crate::partitioner;

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) partitions: Vec<Partition>,
    /// Who reads it, in the order in which they came.
    pub(crate) readers: Vec<Reader>,
    pub(crate) retention: Option<std::time::Duration>,
    pub(crate) gate: Arc<Gate>,
    /// Identifies it where faults are decided.
    pub(crate) identity: u64,
    /// Events, and bytes, that some group has not settled.
    held: usize,
    held_bytes: usize,
    appended: u64,
    /// The partition of the next message without a key.
    turn: u32,
}

/// A group that reads a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    /// Its index among the groups.
    pub(crate) group: usize,
    /// What the group knows the topic's first partition by.
    pub(crate) first: usize,
}

impl Topic {
    pub(crate) fn new(name: &str, partitions: u32, retention: Option<std::time::Duration>) -> Self {
        Topic {
            name: name.into(),
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            readers: Vec::new(),
            retention,
            gate: Arc::default(),
            identity: hash_bytes(name.as_bytes()),
            held: 0,
            held_bytes: 0,
            appended: 0,
            turn: 0,
        }
    }

    /// Whether so many more messages may be stored: nothing is held for nobody. More at once than a topic takes at all
    /// find room when it holds none.
    pub(crate) fn has_room_for(&self, messages: usize, config: &Config) -> bool {
        let has_places = self.held == 0 || self.held.saturating_add(messages) <= config.capacity;
        has_places && self.held_bytes < config.capacity_bytes
    }

    /// The partition that a message with `key` goes to.
    pub(crate) fn choose(&mut self, key: Option<&[u8]>) -> u32 {
        #[allow(clippy::cast_possible_truncation)] // made from a u32
        let partitions = self.partitions.len() as u32;
        match key {
            _ if partitions == 1 => 0,
            Some(key) => partitioner::partition(key, partitions),
            None => {
                let turn = self.turn;
                self.turn = (turn + 1) % partitions;
                turn
            }
        }
    }

    /// Stores `message`, for which every reader waits, and forgets history beyond its bounds.
    pub(crate) fn append(
        &mut self,
        partition: u32,
        message: Arc<Message>,
        size: usize,
        config: &Config,
    ) -> u64 {
        #[allow(clippy::cast_possible_truncation)] // far fewer groups than 2^32
        let waiting = self.readers.len() as u32;
        let stamp = self.appended;
        self.appended += 1;
        if waiting > 0 {
            self.hold(size);
        }
        let log = &mut self.partitions[partition as usize];
        let offset = log.append(message, size, waiting, stamp);
        if waiting > 0 {
            log.trim(config.history, config.history_bytes);
        } else {
            self.forget_beyond(config);
        }
        offset
    }

    /// A topic that nobody reads forgets its oldest messages, as a broker's retention does.
    fn forget_beyond(&mut self, config: &Config) {
        loop {
            let (records, bytes) = self
                .partitions
                .iter()
                .map(Partition::history)
                .fold((0, 0), |sum, history| (sum.0 + history.0, sum.1 + history.1));
            if records <= config.capacity && (bytes <= config.capacity_bytes || records == 1) {
                return;
            }
            let oldest = self
                .partitions
                .iter_mut()
                .filter_map(|log| log.oldest_stamp().map(|stamp| (stamp, log)))
                .min_by_key(|(stamp, _)| *stamp);
            let Some((_, log)) = oldest else { return };
            log.forget_oldest();
        }
    }

    /// Everything that is stored, in the order in which it was published.
    pub(crate) fn messages(&self) -> Vec<Arc<Message>> {
        let mut records: Vec<_> = self.partitions.iter().flat_map(Partition::records).collect();
        records.sort_by_key(|record| record.stamp);
        records.into_iter().map(|record| record.message.clone()).collect()
    }

    /// Counts bytes that some group waits for.
    pub(crate) fn hold(&mut self, size: usize) {
        self.held += 1;
        self.held_bytes += size;
    }

    /// Counts bytes that no group waits for any more.
    pub(crate) fn let_go(&mut self, size: usize) {
        self.held -= 1;
        self.held_bytes -= size;
        self.gate.open();
    }

    /// The offset in `partition` that `start` stands for; none where it names places, and none here.
    pub(crate) fn place(&self, partition: u32, start: &Start) -> Option<u64> {
        let log = &self.partitions[partition as usize];
        match start {
            Start::Earliest => Some(log.start()),
            Start::Latest => Some(log.end()),
            Start::Positions(_) => {
                let position = start.position_in(&self.name, partition)?;
                Some(position.0.clamp(log.start(), log.end()))
            }
            Start::Time(time) => Some(log.at_time(*time)),
        }
    }
}

/// All topics.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    list: Vec<Topic>,
    by_name: std::collections::BTreeMap<Arc<str>, usize>,
    /// Deliveries that groups owe: per group and message, one; and one per copy that is on its way.
    owed: u64,
}

impl Topics {
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn create(&mut self, topic: Topic) -> usize {
        let index = self.list.len();
        self.by_name.insert(topic.name.clone(), index);
        self.list.push(topic);
        index
    }

    pub(crate) fn get(&self, topic: usize) -> &Topic {
        &self.list[topic]
    }

    pub(crate) fn get_mut(&mut self, topic: usize) -> &mut Topic {
        &mut self.list[topic]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Topic> {
        self.list.iter()
    }

    /// A group has ended.
    pub(crate) fn forget_reader(&mut self, group: usize) {
        self.list.iter_mut().for_each(|topic| topic.readers.retain(|reader| reader.group != group));
    }

    pub(crate) fn append(
        &mut self,
        topic: usize,
        partition: u32,
        message: Arc<Message>,
        size: usize,
        config: &Config,
    ) -> u64 {
        let topic = &mut self.list[topic];
        self.owed += topic.readers.len() as u64;
        topic.append(partition, message, size, config)
    }

    /// One more group waits for a stored message.
    pub(crate) fn retain(&mut self, topic: usize, partition: u32, offset: u64) {
        let topic = &mut self.list[topic];
        if let Some(size) = topic.partitions[partition as usize].retain(offset) {
            topic.hold(size);
        }
        self.owed += 1;
    }

    /// One group has settled a stored message.
    pub(crate) fn release(&mut self, topic: usize, partition: u32, offset: u64) {
        let topic = &mut self.list[topic];
        if let Some(size) = topic.partitions[partition as usize].release(offset) {
            topic.let_go(size);
        }
        self.owed -= 1;
    }

    /// A copy of a message is kept beside the log.
    pub(crate) fn keep_copy(&mut self, topic: usize, size: usize) {
        self.list[topic].hold(size);
        self.owed += 1;
    }

    /// Such a copy is settled.
    pub(crate) fn drop_copy(&mut self, topic: usize, size: usize) {
        self.list[topic].let_go(size);
        self.owed -= 1;
    }

    /// A delivery is on its way that leaves nothing behind.
    pub(crate) fn owe(&mut self) {
        self.owed += 1;
    }

    /// Such a delivery is over.
    pub(crate) fn forgive(&mut self) {
        self.owed -= 1;
    }

    /// Whether every group has settled everything.
    pub(crate) fn is_quiet(&self) -> bool {
        self.owed == 0
    }
}

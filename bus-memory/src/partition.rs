//! One partition: an append-only log of messages, each with the number of groups that still wait for it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use jitney_core::message::Message;

/// A stored message.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) message: Arc<Message>,
    pub(crate) size: usize,
    /// How many groups have not settled it.
    waiting: u32,
    /// Its place in the order of the whole topic.
    pub(crate) stamp: u64,
}

/// A log of records, oldest first.
///
/// What no group waits for any more is history, for replay. When history is trimmed, a record that some group still
/// waits for is set aside, so that one slow message does not keep all that follow it.
#[derive(Debug, Default)]
pub(crate) struct Partition {
    /// The offset of the first record of `log`.
    base: u64,
    log: VecDeque<Record>,
    aside: BTreeMap<u64, Record>,
    history: usize,
    history_bytes: usize,
}

impl Partition {
    /// The offset that the next record gets.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    /// The oldest offset from which all records up to the end are there.
    pub(crate) fn start(&self) -> u64 {
        self.base
    }

    pub(crate) fn append(&mut self, message: Arc<Message>, size: usize, waiting: u32, stamp: u64) -> u64 {
        let offset = self.end();
        if waiting == 0 {
            self.history += 1;
            self.history_bytes += size;
        }
        self.log.push_back(Record { message, size, waiting, stamp });
        offset
    }

    pub(crate) fn get(&self, offset: u64) -> Option<&Record> {
        match offset.checked_sub(self.base) {
            Some(index) => self.log.get(usize::try_from(index).ok()?),
            None => self.aside.get(&offset),
        }
    }

    /// One more group waits for the record at `offset`. Answers its size where it is the first one.
    pub(crate) fn retain(&mut self, offset: u64) -> Option<usize> {
        let index = usize::try_from(offset.checked_sub(self.base)?).ok()?;
        let record = self.log.get_mut(index)?;
        record.waiting += 1;
        if record.waiting > 1 {
            return None;
        }
        self.history -= 1;
        self.history_bytes -= record.size;
        Some(record.size)
    }

    /// One group has settled the record at `offset`. Answers its size where it was the last one.
    pub(crate) fn release(&mut self, offset: u64) -> Option<usize> {
        let Some(index) = offset.checked_sub(self.base) else {
            let record = self.aside.get_mut(&offset)?;
            record.waiting -= 1;
            return if record.waiting == 0 {
                self.aside.remove(&offset).map(|record| record.size)
            } else {
                None
            };
        };
        let record = self.log.get_mut(usize::try_from(index).ok()?)?;
        record.waiting -= 1;
        if record.waiting > 0 {
            return None;
        }
        self.history += 1;
        self.history_bytes += record.size;
        Some(record.size)
    }

    /// Forgets the oldest history beyond the bounds.
    pub(crate) fn trim(&mut self, records: usize, bytes: usize) {
        while self.history > records || self.history_bytes > bytes {
            self.forget_oldest();
        }
    }

    /// Forgets history from before `time`.
    pub(crate) fn expire(&mut self, time: Timestamp) {
        while self.log.front().is_some_and(|oldest| oldest.waiting == 0 && oldest.message.time < time) {
            self.forget_oldest();
        }
    }

    /// Forgets the oldest record, or sets it aside where a group waits for it. Answers the size of what is gone.
    pub(crate) fn forget_oldest(&mut self) -> Option<usize> {
        let record = self.log.pop_front()?;
        let offset = self.base;
        self.base += 1;
        if record.waiting > 0 {
            self.aside.insert(offset, record);
            return None;
        }
        self.history -= 1;
        self.history_bytes -= record.size;
        Some(record.size)
    }

    /// Records and bytes that no group waits for.
    pub(crate) fn history(&self) -> (usize, usize) {
        (self.history, self.history_bytes)
    }

    /// The place in the topic's order of the oldest record.
    pub(crate) fn oldest_stamp(&self) -> Option<u64> {
        self.log.front().map(|record| record.stamp)
    }

    /// The offset of the first record at or after `time`; the end where there is none.
    pub(crate) fn at_time(&self, time: Timestamp) -> u64 {
        let index = self.log.iter().position(|record| record.message.time >= time);
        index.map_or(self.end(), |index| self.base + index as u64)
    }

    /// Everything that is stored.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.aside.values().chain(&self.log)
    }
}

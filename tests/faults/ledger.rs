//! What all processes of a run have written down so far.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use jitney_testkit::history::{EventRef, History, PublishOutcome, Record, SettledAs, What};

use super::events::TOPIC;

/// Records as they come, from the files of a folder.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    read: HashMap<PathBuf, u64>,
    records: Vec<Record>,
    /// Different events by outcome of their publish; outputs of handlers are none of these.
    outcomes: HashMap<EventRef, PublishOutcome>,
    acked: usize,
    /// Publishes that wait for their answer.
    unanswered: usize,
    /// Deliveries that wait for their settlement, by member and token.
    open: HashMap<(String, (u64, u64)), EventRef>,
    handled: HashSet<(String, EventRef)>,
    /// What members have asked to be acked; those that were killed then heard no answer.
    asked: HashSet<(String, EventRef)>,
    /// Deliveries that were settled though the event had been handled.
    handled_again: usize,
    /// How many deliveries each member has settled.
    settled: HashMap<String, usize>,
}

impl Ledger {
    pub(crate) fn new(folder: &Path) -> Self {
        Ledger {
            folder: folder.to_owned(),
            read: HashMap::new(),
            records: Vec::new(),
            outcomes: HashMap::new(),
            acked: 0,
            unanswered: 0,
            open: HashMap::new(),
            handled: HashSet::new(),
            asked: HashSet::new(),
            handled_again: 0,
            settled: HashMap::new(),
        }
    }

    /// Reads what was written since the last time.
    pub(crate) fn refresh(&mut self) {
        for entry in fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                self.read_on(path);
            }
        }
    }

    fn read_on(&mut self, path: PathBuf) {
        let from = self.read.entry(path.clone()).or_default();
        let mut file = File::open(path).unwrap();
        file.seek(SeekFrom::Start(*from)).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        // The rest of a line that is being written comes next time, or never.
        let finished = text.rfind('\n').map_or(0, |end| end + 1);
        *from += finished as u64;
        for line in text[..finished].lines() {
            self.add(serde_json::from_str(line).unwrap());
        }
    }

    fn add(&mut self, record: Record) {
        match &record.what {
            What::Publishing { .. } => self.unanswered += 1,
            What::Published { .. } => self.unanswered -= 1,
            _ => {}
        }
        match &record.what {
            What::Published { event, outcome } if event.topic == TOPIC => {
                self.acked += usize::from(*outcome == PublishOutcome::Acked);
                self.outcomes.insert(event.clone(), *outcome);
            }
            What::Delivered { member, arrival, .. } => {
                let token = (arrival.epoch, arrival.token);
                self.open.insert((member.clone(), token), arrival.event.clone());
            }
            What::Settling { group, member, token, settle: SettledAs::Ack } => {
                let event = self.open.get(&(member.clone(), *token));
                self.asked.extend(event.map(|event| (group.clone(), event.clone())));
            }
            What::Settled { group, member, token, settle: SettledAs::Ack, ok: true } => {
                if let Some(event) = self.open.remove(&(member.clone(), *token)) {
                    self.handled_again += usize::from(!self.handled.insert((group.clone(), event)));
                    *self.settled.entry(member.clone()).or_default() += 1;
                }
            }
            _ => {}
        }
        self.records.push(record);
    }

    /// How many publishes were acked.
    pub(crate) fn acked(&self) -> usize {
        self.acked
    }

    /// How many publishes were answered otherwise.
    pub(crate) fn not_acked(&self) -> usize {
        self.outcomes.len() - self.acked
    }

    /// How many publishes wait for their answer, those of processes that were killed for ever.
    pub(crate) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// How many different events were handled, counted by group.
    pub(crate) fn handled(&self) -> usize {
        self.handled.len()
    }

    /// How many deliveries were handled though their event had been handled before.
    pub(crate) fn handled_again(&self) -> usize {
        self.handled_again
    }

    /// How many deliveries members of this process have settled.
    pub(crate) fn settled_by(&self, process: &str) -> usize {
        let members = self.settled.iter().filter(|(member, _)| is_of(member, process));
        members.map(|(_, settled)| settled).sum()
    }

    /// How many deliveries members of this process have and did not settle.
    pub(crate) fn open_at(&self, process: &str) -> usize {
        self.open.keys().filter(|(member, _)| is_of(member, process)).count()
    }

    /// Whether one group has handled everything that was acked, as far as can be known of members that were killed.
    pub(crate) fn all_handled(&self) -> bool {
        let acked = self.outcomes.iter().filter(|(_, outcome)| **outcome == PublishOutcome::Acked);
        let handled: HashSet<_> = self.handled.union(&self.asked).map(|(_, event)| event).collect();
        handled.len() >= self.acked && acked.map(|(event, _)| event).all(|event| handled.contains(event))
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn history(&self) -> History {
        self.records.clone().into()
    }
}

/// Members are called by their process, and a number.
pub(crate) fn is_of(member: &str, process: &str) -> bool {
    member.rsplit_once('-').is_some_and(|(name, _)| name == process)
}

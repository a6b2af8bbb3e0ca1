//! Writing a history down.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jitney_core::Env;
use tokio::time::Instant;

use super::{Arrival, EventRef, History, PublishOutcome, Record, SettledAs, What};

/// Writes down what happens in one process; cheap to clone, and all clones share one order.
///
/// What *causes* redeliveries (leaving, releasing, seeking, faults) is recorded before it is done, and what a
/// transport *answers* (publishes, settlements) after it has answered: so that an innocent transport is never
/// blamed for what happened between an act and its record.
#[derive(Clone)]
pub struct Recorder {
    name: Arc<str>,
    env: Env,
    started: (i64, Instant),
    book: Arc<Mutex<Book>>,
}

#[derive(Default)]
struct Book {
    records: Vec<Record>,
    /// Where each record is written as well, before anything else happens.
    file: Option<File>,
}

impl Recorder {
    /// An empty recorder; `name` is unique among those whose records will be merged.
    pub fn new(name: &str, env: Env) -> Self {
        Recorder::with(name, env, Book::default())
    }

    /// A recorder that also writes each record to a new file at `path`, one JSON object a line, before it goes on: what
    /// a process recorded outlives the process, however that ends. [`History::read`] reads the file.
    ///
    /// # Errors
    ///
    /// When the file cannot be made.
    ///
    /// # Panics
    ///
    /// The recorder panics where a record cannot be written: a history with a hole would blame the innocent.
    pub fn to_file(name: &str, env: Env, path: &Path) -> io::Result<Self> {
        let file = Some(File::create_new(path)?);
        Ok(Recorder::with(name, env, Book { records: Vec::new(), file }))
    }

    fn with(name: &str, env: Env, book: Book) -> Self {
        let started = (env.now().as_millisecond(), env.instant());
        Recorder { name: name.into(), env, started, book: Arc::new(Mutex::new(book)) }
    }

    /// Everything recorded so far.
    pub fn history(&self) -> History {
        self.book().records.clone().into()
    }

    /// A publish is about to begin.
    pub fn publishing(&self, event: &EventRef) {
        self.record(What::Publishing { event: event.clone() });
    }

    /// A publish was answered.
    pub fn published(&self, event: &EventRef, outcome: PublishOutcome) {
        self.record(What::Published { event: event.clone(), outcome });
    }

    /// A member joined.
    pub fn joined(&self, group: &str, member: &str, topics: &[&str]) {
        let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
        self.record(What::Joined { group: group.to_owned(), member: member.to_owned(), topics });
    }

    /// A delivery came.
    pub fn delivered(&self, group: &str, member: &str, arrival: Arrival) {
        self.record(What::Delivered { group: group.to_owned(), member: member.to_owned(), arrival });
    }

    /// A settlement is about to be asked for.
    pub fn settling(&self, group: &str, member: &str, token: (u64, u64), settle: SettledAs) {
        self.record(What::Settling { group: group.to_owned(), member: member.to_owned(), token, settle });
    }

    /// A settlement was answered.
    pub fn settled(&self, group: &str, member: &str, token: (u64, u64), settle: SettledAs, ok: bool) {
        self.record(What::Settled { group: group.to_owned(), member: member.to_owned(), token, settle, ok });
    }

    /// A member is about to release `epoch`.
    pub fn revoked(&self, group: &str, member: &str, epoch: u64) {
        self.record(What::Revoked { group: group.to_owned(), member: member.to_owned(), epoch });
    }

    /// A member learnt that `epoch` is gone.
    pub fn lost(&self, group: &str, member: &str, epoch: u64) {
        self.record(What::Lost { group: group.to_owned(), member: member.to_owned(), epoch });
    }

    /// A member is about to leave or to be dropped.
    pub fn left(&self, group: &str, member: &str) {
        self.record(What::Left { group: group.to_owned(), member: member.to_owned() });
    }

    /// A group is about to be sent to another place.
    pub fn rewound(&self, group: &str) {
        self.record(What::Rewound { group: group.to_owned() });
    }

    /// Something is about to be broken on purpose.
    pub fn fault(&self, fault: &str) {
        self.record(What::Fault { fault: fault.to_owned() });
    }

    fn record(&self, what: What) {
        let mut book = self.book();
        let number = book.records.len() as u64;
        // By the clock that never goes back, so that times follow the order of the records.
        let (start, since) = self.started;
        let elapsed = self.env.instant().duration_since(since).as_millis();
        let millis = start.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX));
        let record = Record { recorder: self.name.as_ref().to_owned(), number, millis, what };
        if let Some(file) = &mut book.file {
            let mut line = serde_json::to_vec(&record).expect("a record has nothing that JSON cannot say");
            line.push(b'\n');
            file.write_all(&line).expect("a record is written to its file");
        }
        book.records.push(record);
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("name", &self.name).finish_non_exhaustive()
    }
}

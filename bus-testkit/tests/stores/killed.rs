//! A store on a file, whose writers can be killed: intact, and with faults that show only then.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::event::{DecodeError, EventType, StoredPayload, Version};
use jitney_core::{DomainEvent, Id};
use jitney_sourcing::{
    Append, Appended, Error, EventStore, Expected, Filter, ListStreams, MemoryStore, NewEvent, Page,
    Position, ReadStream, StoreCapabilities, StoredEvent, StreamId, StreamInfo,
};
use jitney_testkit::conformance::{Report, Verdict};
use jitney_testkit::stores::{self, StoreFixture};
use serde::{Deserialize, Serialize};

/// The variables that tell the writer which file, and what is broken.
const PATH: &str = "JITNEY_TEST_JOURNAL";
const FAULT: &str = "JITNEY_TEST_FAULT";

/// Events in memory that are written to a file as well, a line an append, and read from it by whoever opens it.
#[derive(Debug)]
struct Journal {
    memory: MemoryStore,
    file: File,
    /// The last event of an append is written with the next one.
    tears: bool,
    held: Mutex<Option<Line>>,
    /// Nothing is written.
    forgets: bool,
}

/// An event of the suite, as it is in the file.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    aggregate_type: String,
    aggregate_id: String,
    event_id: Id,
    by: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Incremented {
    by: u64,
}

impl DomainEvent for Incremented {
    const TYPES: &'static [EventType] =
        &[EventType::new("Incremented", "Journalled", Version::new(1, 0), "Journalled-events")];

    fn event_type(&self) -> &'static EventType {
        &Self::TYPES[0]
    }

    fn decode(payload: &StoredPayload<'_>) -> Result<Self, DecodeError> {
        payload.read()
    }
}

impl Journal {
    async fn open(path: &Path, fault: &str) -> Result<Self, Error> {
        let (memory, text) = (MemoryStore::new(), std::fs::read_to_string(path).unwrap_or_default());
        for line in text.lines() {
            let lines: Vec<Line> = serde_json::from_str(line).unwrap();
            let mut append: Option<Append> = None;
            for Line { aggregate_type, aggregate_id, event_id, by } in lines {
                let stream = StreamId::new(aggregate_type, aggregate_id);
                let event = NewEvent::new(event_id, jiff::Timestamp::UNIX_EPOCH, &Incremented { by })?;
                append = Some(match append.take() {
                    Some(whole) if whole.streams().iter().any(|part| part.stream == stream) => {
                        memory.append(whole).await?;
                        Append::to(stream, Expected::Any, [event])
                    }
                    Some(whole) => whole.and_to(stream, Expected::Any, [event]),
                    None => Append::to(stream, Expected::Any, [event]),
                });
            }
            if let Some(append) = append {
                memory.append(append).await?;
            }
        }
        let file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        Ok(Journal {
            memory,
            file,
            tears: fault == "tears",
            held: Mutex::default(),
            forgets: fault == "forgets",
        })
    }

    fn write(&self, lines: &[Line]) {
        let mut file = &self.file;
        file.write_all(format!("{}\n", serde_json::to_string(lines).unwrap()).as_bytes()).unwrap();
    }
}

#[async_trait]
impl EventStore for Journal {
    fn capabilities(&self) -> StoreCapabilities {
        let mut capabilities = self.memory.capabilities();
        (capabilities.durable, capabilities.snapshots) = (true, false);
        capabilities
    }

    fn describe(&self) -> String {
        "a store on a file".to_owned()
    }

    async fn append(&self, append: Append) -> Result<Appended, Error> {
        let appended = self.memory.append(append.clone()).await?;
        let mut lines = Vec::new();
        for part in append.streams() {
            for event in &part.events {
                let Incremented { by } = serde_json::from_slice(&event.payload).unwrap();
                let (aggregate_type, aggregate_id) =
                    (part.stream.aggregate_type(), part.stream.aggregate_id());
                lines.push(Line {
                    aggregate_type: aggregate_type.to_owned(),
                    aggregate_id: aggregate_id.to_owned(),
                    event_id: event.event_id.clone(),
                    by,
                });
            }
        }
        match () {
            () if self.forgets => {}
            () if self.tears => {
                let last = lines.pop();
                let mut held = self.held.lock().unwrap();
                let all: Vec<_> = held.take().into_iter().chain(lines).collect();
                *held = last;
                self.write(&all);
            }
            () => self.write(&lines),
        }
        Ok(appended)
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        self.memory.read_stream(stream, read).await
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error> {
        self.memory.find_event(stream, event_id).await
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        self.memory.read_all(after, filter, limit).await
    }

    async fn end(&self) -> Result<Position, Error> {
        self.memory.end().await
    }

    async fn wait(&self, after: &Position, at_most: Duration) -> Result<(), Error> {
        self.memory.wait(after, at_most).await
    }

    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>, Error> {
        self.memory.stream_info(stream).await
    }

    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>, Error> {
        self.memory.list_streams(list).await
    }

    async fn archive(&self, stream: &StreamId) -> Result<(), Error> {
        self.memory.archive(stream).await
    }

    async fn restore(&self, stream: &StreamId) -> Result<(), Error> {
        self.memory.restore(stream).await
    }

    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<(), Error> {
        self.memory.end_stream(stream, expected).await
    }
}

struct OnAFile {
    path: PathBuf,
    fault: &'static str,
}

impl Drop for OnAFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[async_trait]
impl StoreFixture for OnAFile {
    async fn store(&self) -> Result<Arc<dyn EventStore>, Error> {
        Ok(Arc::new(Journal::open(&self.path, "").await?))
    }

    fn writer(&self) -> Option<Command> {
        let mut writer = Command::new(std::env::current_exe().ok()?);
        writer.args(["--exact", "killed::writer_to_be_killed", "--ignored", "--nocapture"]);
        writer.env(PATH, &self.path).env(FAULT, self.fault);
        Some(writer)
    }
}

fn report(fault: &'static str) -> Report {
    let name = format!("jitney-journal-{}-{fault}", std::process::id());
    let fixture = OnAFile { path: std::env::temp_dir().join(name), fault };
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { stores::run_only(&fixture, "survives_writers_that_are_killed").await })
}

#[test]
#[ignore = "the suite starts it, and kills it"]
fn writer_to_be_killed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let path = PathBuf::from(std::env::var(PATH).unwrap());
        let store = Journal::open(&path, &std::env::var(FAULT).unwrap()).await.unwrap();
        stores::write_until_killed(&store).await.unwrap();
    });
}

#[test]
fn an_intact_store_survives_writers_that_are_killed() {
    let report = report("intact");
    report.assert_passed();
    assert!(report.skipped().is_empty(), "{report}");
}

#[test]
fn a_part_of_an_append_that_is_left_is_caught() {
    caught(&report("tears"), "in the middle of an append");
}

#[test]
fn what_was_acknowledged_in_vain_is_caught() {
    caught(&report("forgets"), "and [0, 0] are stored");
}

fn caught(report: &Report, words: &str) {
    assert_eq!(report.failed(), ["survives_writers_that_are_killed"], "{report}");
    let Verdict::Failed(reason) = &report.checks[0].verdict else { panic!("{report}") };
    assert!(reason.contains(words), "{reason}");
}

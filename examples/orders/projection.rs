//! The shared read model: the events of all orders, written down by the processes of the role `projection` and read by any
//! other.
//!
//! Each process appends to a file of its own in the directory that all share, one event a line. An event is settled when
//! its line is written, so that none is missing; one that was delivered twice may have two lines, in two files. Readers
//! recognise it by its id.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jitney::handler::{HandlerSet, HandlerSpec};
use jitney::prelude::*;
use jitney::{Env, Error, ErrorKind, error_chain};

use super::events::OrderCreated;
use super::history::{line, stored};

/// What the names of the files end with.
const ENDING: &str = ".events.jsonl";

/// Where this process writes.
#[derive(Debug, Clone)]
pub struct Journal(Arc<Mutex<Pages>>);

#[derive(Debug)]
struct Pages {
    directory: PathBuf,
    env: Env,
    file: Option<File>,
}

impl Journal {
    /// A journal in `directory`; its file is made with the first event.
    pub fn new(directory: &Path, env: &Env) -> Self {
        Journal(Arc::new(Mutex::new(Pages { directory: directory.to_owned(), env: env.clone(), file: None })))
    }

    /// Appends an event's line. It outlives this process, and the machine as far as its file system does.
    fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = match pages.file.take() {
            Some(file) => file,
            None => File::create_new(pages.directory.join(format!("{}{ENDING}", pages.env.new_id())))?,
        };
        // Behind a line that was not written whole, the file is left as it is, and the next line begins another.
        file.write_all(line)?;
        pages.file = Some(file);
        Ok(())
    }
}

async fn write_down(event: RawEvent, State(journal): State<Journal>) -> jitney::Result<()> {
    let failed = |error| Error::new(ErrorKind::Transport, "writing an event down").with_source(error);
    journal.append(&line(&event)?).map_err(failed)
}

/// The handler of the projection, without the macro: a process may have no other handler whose topics it could read.
pub fn handlers() -> HandlerSet {
    let topic = OrderCreated::TYPES[0].topic();
    HandlerSet::new().handler(HandlerSpec::new("write_down").group("projection").topic(topic), write_down)
}

/// Reads what all processes have written.
pub struct Reader {
    directory: PathBuf,
    /// How far each file has been read.
    places: BTreeMap<PathBuf, u64>,
}

impl Reader {
    pub fn new(directory: &Path) -> Self {
        Reader { directory: directory.to_owned(), places: BTreeMap::new() }
    }

    /// The events that were written since the last call.
    pub fn read(&mut self) -> Result<Vec<RawEvent>, String> {
        let wrong = |path: &Path, what: String| format!("reading {}: {what}", path.display());
        let mut events = Vec::new();
        for path in files(&self.directory, ENDING)? {
            let place = self.places.entry(path.clone()).or_default();
            let text = read_from(&path, *place).map_err(|error| wrong(&path, error.to_string()))?;
            // Of a line without an end, the event is not settled: it will be written again.
            for line in text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
                let line_at = *place;
                *place += line.len() as u64;
                let event = std::str::from_utf8(line).map_err(|error| error.to_string());
                let event = event.and_then(|line| stored(line).map_err(|error| error_chain(&error)));
                events.push(event.map_err(|what| wrong(&path, format!("byte {line_at}: {what}")))?);
            }
        }
        Ok(events)
    }
}

fn read_from(path: &Path, place: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(place))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    Ok(text)
}

/// The files in `directory` whose names end with `ending`.
pub fn files(directory: &Path, ending: &str) -> Result<Vec<PathBuf>, String> {
    let entries = fs::read_dir(directory).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()
    });
    let mut paths = entries.map_err(|error| format!("reading {}: {error}", directory.display()))?;
    paths.retain(|path| path.to_str().is_some_and(|path| path.ends_with(ending)));
    Ok(paths)
}

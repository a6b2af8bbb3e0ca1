//! Processes that are killed while they write.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use jitney_core::{Env, Id};
use jitney_sourcing::{
    Append, Error, ErrorKind, EventStore, Expected, NewEvent, StreamAppend, StreamId, StreamsPerAppend,
};

use super::trial::{Trial, append_as_owner};
use super::{content, expectations};
use crate::conformance::failure::{Failure, Outcome, ensure};

/// Which stream a writer is told to write to.
const TYPE: &str = "JITNEY_SUITE_AGGREGATE_TYPE";
const ID: &str = "JITNEY_SUITE_AGGREGATE_ID";

/// What a writer says of each append that was acknowledged, behind which comes its number.
const STORED: &str = "stored ";

/// Appends to `store` without end, and says on standard output what was acknowledged: what the program does that
/// [`StoreFixture::writer`](super::StoreFixture::writer) gives.
///
/// # Errors
///
/// What the store answers; or that this program was not started by the suite.
///
/// # Cancellation
///
/// Dropping the future leaves it open whether the last events are stored.
pub async fn write_until_killed(store: &dyn EventStore) -> Result<(), Error> {
    let told = |name| {
        let missing = |_| Error::new(ErrorKind::Config, format!("reading {name}: only the suite sets it"));
        std::env::var(name).map_err(missing)
    };
    let stream = StreamId::new(told(TYPE)?, told(ID)?);
    let several = store.capabilities().streams_per_append == StreamsPerAppend::Any;
    let mut last = 0;
    for number in 0.. {
        let append = append_of(&stream, several, number, Expected::Exact(last));
        last += append.streams()[0].events.len() as u64;
        append_as_owner(&Env::system(), store, append).await?;
        // Past what captures the output of tests, and whole: who is killed in the middle has said nothing.
        let said = std::io::stdout().write_all(format!("\n{STORED}{number}\n").as_bytes());
        said.and_then(|()| std::io::stdout().flush())
            .map_err(|error| Error::new(ErrorKind::Closed, "saying what is stored").with_source(error))?;
    }
    Ok(())
}

/// The append of this number: one to three events, and one more to another stream where the store can.
fn append_of(stream: &StreamId, several: bool, number: usize, expected: Expected) -> Append {
    let event = |name: &str| {
        let mut event = content::event(&Env::system(), number as u64);
        event.event_id = Id::from(&*format!("{}-{number}-{name}", stream.aggregate_id()));
        event.time = jiff::Timestamp::UNIX_EPOCH;
        event
    };
    let events = ["a", "b", "c"].iter().take(1 + number % 3).map(|name| event(name));
    let append = Append::to(stream.clone(), expected, events);
    if several { append.and_to(beside(stream), Expected::Any, [event("beside")]) } else { append }
}

fn beside(stream: &StreamId) -> StreamId {
    StreamId::new(stream.shared_aggregate_type(), format!("{}-beside", stream.aggregate_id()))
}

/// Writers are killed one after the other, each at a random point; what they were told to have stored is there, and of what
/// they were about to store everything or nothing.
pub(super) async fn survives_writers_that_are_killed(trial: &Trial<'_>) -> Outcome {
    let several = trial.capabilities.streams_per_append == StreamsPerAppend::Any;
    let start = trial.wait("the end", trial.store().await?.end()).await??;
    let mut counts = Vec::new();
    for _ in 0..5 {
        let stream = trial.stream();
        let acknowledged = kill_one(trial, &stream).await?;
        let store = trial.store().await?;
        let appends: Vec<Append> =
            (0..=acknowledged).map(|number| append_of(&stream, several, number, Expected::Any)).collect();
        let streams: Vec<_> =
            [stream.clone(), beside(&stream)].into_iter().take(1 + usize::from(several)).collect();
        let count = |appends: &[Append]| -> Vec<usize> {
            (0..streams.len()).map(|place| events_of(appends, place).len()).collect()
        };
        let (without, with) = (count(&appends[..acknowledged]), count(&appends));
        let mut stored = Vec::new();
        for stream in &streams {
            stored.push(trial.stored(&*store, stream).await?.len());
        }
        ensure!(
            stored == without || stored == with,
            "a writer was killed behind {without:?} acknowledged events, by stream, in the middle of an append that \
             made it {with:?}, and {stored:?} are stored"
        );
        // The last append again: what has become of it must be known.
        match trial.try_append(&*store, appends[acknowledged].clone()).await? {
            Ok(_) => ensure!(stored == without, "{stored:?} events were stored, and the last ones once more"),
            Err(error) => ensure!(
                error.kind() == ErrorKind::Duplicate && stored == with,
                "an append of a writer that was killed was made again with {stored:?} events stored, and refused: \
                 {error:?}"
            ),
        }
        for (place, stream) in streams.into_iter().enumerate() {
            let events = events_of(&appends, place);
            expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &events)?;
            counts.push((stream, events.len()));
        }
    }
    let store = trial.store().await?;
    let end = trial.wait("the end", store.end()).await??;
    let read = trial.read_between(&*store, &start, &trial.filter(), 50, &end).await?;
    expectations::complete_and_in_order(&read, &counts)
}

/// What appends have for the first or for the second of their streams.
fn events_of(appends: &[Append], place: usize) -> Vec<NewEvent> {
    let parts = appends.iter().filter_map(|append| append.streams().get(place));
    parts.flat_map(|StreamAppend { events, .. }| events.clone()).collect()
}

/// A process that does not outlive this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a writer, kills it, and says how many of its appends were acknowledged.
async fn kill_one(trial: &Trial<'_>, stream: &StreamId) -> Outcome<usize> {
    let Some(mut command) = trial.fixture.writer() else {
        return Err(Failure("the fixture has a writer no longer".to_owned()));
    };
    let enough = 1 + trial.random(60);
    let mut writer = start(&mut command, stream)?;
    let Some(output) = writer.0.stdout.take() else {
        return Err(Failure("a writer was started without its output".to_owned()));
    };
    let mut lines = BufReader::new(output).lines();
    let reading = tokio::task::spawn_blocking(move || {
        let mut acknowledged = 0;
        while acknowledged < enough {
            match lines.next() {
                Some(Ok(line)) => acknowledged += usize::from(line.starts_with(STORED)),
                _ => return (acknowledged, lines),
            }
        }
        (acknowledged, lines)
    });
    let read = trial.wait("a writer to say what it has stored", reading).await?;
    let (mut acknowledged, lines) =
        read.map_err(|error| Failure(format!("reading what a writer says: {error}")))?;
    ensure!(
        acknowledged == enough,
        "a writer ended by itself behind {acknowledged} appends: {:?}",
        writer.0.wait()
    );
    drop(writer);
    // What it said before it was killed.
    acknowledged += lines.map_while(Result::ok).filter(|line| line.starts_with(STORED)).count();
    Ok(acknowledged)
}

fn start(command: &mut Command, stream: &StreamId) -> Outcome<Running> {
    command.env(TYPE, stream.aggregate_type()).env(ID, stream.aggregate_id());
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    started.map(Running).map_err(|error| Failure(format!("starting a writer: {error}")))
}

//! What the processes of all databases have in common: columns, and what they say.

use jiff::Timestamp;
use jitney_core::Id;
use jitney_sourcing::process::{
    Cause, ParkedInput, PendingDeadline, ProcessCommit, ProcessCounts, ProcessInfo, ProcessStep,
    StoredProcess,
};
use jitney_sourcing::{Error, ErrorKind, Position, StreamId};

use crate::outbox::Row;

/// Key, version, version of the state, state, compensations, whether it has ended, when it began, and when it made its last step.
pub(crate) type ProcessColumns = (String, i64, i64, String, String, bool, i64, i64);

/// Key, deadline, when it is due, the id of the cause, and its metadata.
pub(crate) type DeadlineColumns = (String, String, i64, String, String);

/// Id, aggregate type, aggregate id, what it was, error, and time.
pub(crate) type ParkedColumns = (String, Option<String>, Option<String>, String, Option<String>, i64);

pub(crate) fn process(columns: ProcessColumns) -> StoredProcess {
    let (key, version, state_version, state, compensations, completed, started, updated) = columns;
    StoredProcess {
        key,
        version: version.unsigned_abs(),
        // One that is no version at all is refused as a newer one.
        state_version: u32::try_from(state_version).unwrap_or(u32::MAX),
        state,
        compensations,
        completed,
        started_at: time(started),
        updated_at: time(updated),
    }
}

pub(crate) fn deadline(columns: DeadlineColumns) -> Result<PendingDeadline, sqlx::Error> {
    let (key, deadline, due, id, metadata) = columns;
    let cause: Cause =
        PendingDeadline::cause_from(&id, &metadata).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(PendingDeadline { key, deadline, at: time(due), cause })
}

pub(crate) fn step((id, what, at): (String, String, i64)) -> ProcessStep {
    ProcessStep { id: Id::from(&*id), what, at: time(at) }
}

/// Of key, version, beginning, last step, and next deadline.
pub(crate) fn info(columns: (String, i64, i64, i64, Option<i64>)) -> ProcessInfo {
    let (key, version, started, updated, next) = columns;
    ProcessInfo {
        key,
        version: version.unsigned_abs(),
        started_at: time(started),
        updated_at: time(updated),
        next_deadline: next.map(time),
    }
}

/// Of open processes, overdue deadlines, the oldest of these, and inputs that were put aside.
pub(crate) fn counts((open, overdue, since, parked): (i64, i64, Option<i64>, i64)) -> ProcessCounts {
    ProcessCounts {
        open: open.unsigned_abs(),
        overdue: overdue.unsigned_abs(),
        overdue_since: since.map(time),
        parked: parked.unsigned_abs(),
    }
}

pub(crate) fn parked(columns: ParkedColumns) -> ParkedInput {
    let (id, aggregate_type, aggregate_id, what, error, at) = columns;
    let stream = aggregate_type.zip(aggregate_id);
    ParkedInput {
        event_id: Id::from(&*id),
        stream: stream.map(|(aggregate_type, aggregate_id)| StreamId::new(aggregate_type, aggregate_id)),
        what,
        error,
        at: time(at),
    }
}

pub(crate) fn position(process: &str, text: &str) -> Result<Position, Error> {
    text.parse().map_err(|error| {
        let what = format!("reading the checkpoint of `{process}`: `{text}` is none; correct the row");
        Error::new(ErrorKind::Decode, what).with_source(error)
    })
}

/// What goes into the outbox, and deadlines that are set, with their metadata.
pub(crate) type Encoded = (Vec<Row>, Vec<(PendingDeadline, String)>);

/// What `commit` puts into the outbox, and the deadlines that it sets.
pub(crate) fn encoded(commit: &mut ProcessCommit) -> Result<Encoded, Error> {
    let process = commit.process;
    let failed = |what: &str| Error::new(ErrorKind::Encode, format!("storing steps of `{process}`: {what}"));
    let messages = std::mem::take(&mut commit.messages);
    let rows = messages.into_iter().map(|event| {
        Row::new(event).map_err(|error| failed("putting an event into the outbox").with_source(error))
    });
    let rows = rows.collect::<Result<_, _>>()?;
    let set = commit.changes.iter_mut().flat_map(|change| change.deadlines.values_mut());
    let set = set.filter_map(Option::take).map(|pending| {
        let json = pending.metadata_json();
        json.map(|json| (pending, json)).map_err(|error| failed("encoding metadata").with_source(error))
    });
    Ok((rows, set.collect::<Result<_, _>>()?))
}

/// The number of a version in a column.
pub(crate) fn number(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

fn time(milliseconds: i64) -> Timestamp {
    let never = if milliseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(milliseconds).unwrap_or(never)
}

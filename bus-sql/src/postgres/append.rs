//! Appends: one statement a stream, which finds the end of the stream, checks it, and stores the events.

use jitney_sourcing::{
    Append, Appended, Error, ErrorKind, Expected, Filter, NewEvent, Position, Sealing, StoredEvent,
    StreamAppend, StreamAppended,
};
use sqlx::{Connection, PgConnection, Row};

use super::error::{Effect, failed};
use super::inline::Inline;
use super::outbox::insert;
use super::refusal;
use super::row::{from_u64, position};
use super::schema::Schema;
use crate::correlation::number;
use crate::outbox::rows;

/// What an append leads to in its transaction, beside the events, and what opens them for it.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) outbox: Option<&'a Filter>,
    pub(super) inline: &'a Inline,
    pub(super) sealing: &'a Sealing,
}

/// How often an append is tried whose reason to fail has gone by the time that it is looked for.
const ATTEMPTS: usize = 10;

/// Moves the stream on by `$count` events, the last of them recorded at `$time`; no row where it is not between `$3` and `$4`.
///
/// The row of the stream is locked by the upsert until the transaction ends, so that of the stream's writers each sees what
/// the one before has left. `last_tx` never goes back within an epoch: that of a writer who began earlier, and wrote
/// elsewhere first, is less than that of the event before.
macro_rules! move_on {
    ($count:literal, $time:literal) => {
        concat!(
            "
WITH s AS (
    INSERT INTO {schema}.streams AS s
        (aggregate_type, aggregate_id, last_sequence, last_epoch, last_tx, last_time_ms)
    SELECT $1, $2, ",
            $count,
            ", (SELECT max(epoch) FROM {schema}.epochs),
        pg_current_xact_id()::text::bigint, ",
            $time,
            "
    WHERE $3 = 0
       OR EXISTS (SELECT FROM {schema}.streams k WHERE k.aggregate_type = $1 AND k.aggregate_id = $2)
    ON CONFLICT (aggregate_type, aggregate_id) DO UPDATE SET
        last_sequence = s.last_sequence + excluded.last_sequence,
        last_epoch = excluded.last_epoch,
        last_tx = CASE WHEN s.last_epoch = excluded.last_epoch
            THEN greatest(s.last_tx, excluded.last_tx) ELSE excluded.last_tx END,
        last_time_ms = excluded.last_time_ms
    WHERE s.state = 0 AND s.last_sequence BETWEEN $3 AND $4
    RETURNING s.stream, s.last_sequence, s.last_epoch, s.last_tx
)"
        )
    };
}

/// One event, which most appends are: it takes the server 0.7 of the time that the other statement takes.
const APPEND_ONE: &str = concat!(
    move_on!("1", "$9"),
    "
INSERT INTO {schema}.events
    (epoch, tx, stream, sequence, aggregate_type, aggregate_id, event_id, event_type,
     version_major, version_minor, time_ms, correlation, metadata, payload)
SELECT s.last_epoch, s.last_tx, s.stream, s.last_sequence, $1, $2, $5, $6, $7, $8, $9, $10, $11::json, $12::json
FROM s
RETURNING sequence, epoch, tx, seq"
);

const APPEND_SEVERAL: &str = concat!(
    move_on!("cardinality($5)", "$9[cardinality($9)]"),
    ", e AS (
    INSERT INTO {schema}.events
        (epoch, tx, stream, sequence, aggregate_type, aggregate_id, event_id, event_type,
         version_major, version_minor, time_ms, correlation, metadata, payload)
    SELECT s.last_epoch, s.last_tx, s.stream, s.last_sequence - cardinality($5) + n.place, $1, $2,
        n.event_id, n.event_type, n.major, n.minor, n.time_ms, n.correlation, n.metadata::json, n.payload::json
    FROM s, ROWS FROM (
        unnest($5::text[]), unnest($6::text[]), unnest($7::bigint[]), unnest($8::bigint[]),
        unnest($9::bigint[]), unnest($10::bigint[]), unnest($11::text[]), unnest($12::text[])
    ) WITH ORDINALITY AS n(event_id, event_type, major, minor, time_ms, correlation, metadata, payload, place)
    ORDER BY n.place
    RETURNING seq
)
SELECT s.last_sequence, s.last_epoch, s.last_tx, (SELECT max(seq) FROM e) FROM s"
);

/// In the order of the keys, as streams may share one.
const LOCK: &str = "
SELECT pg_advisory_xact_lock(key) FROM (
    SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest($1::text[]) AS n(name) ORDER BY key) AS keys";

/// The constraint that a second event of the same id in one stream meets.
const BY_ID: &str = "events_by_id";

/// Stores `append` in a transaction of its own, with what goes into the outbox and what inline projections make of it. The
/// events that those are to be told of come along.
pub(super) async fn append(
    connection: &mut PgConnection,
    schema: &Schema,
    beside: Beside<'_>,
    append: Append,
) -> Result<(Appended, Vec<StoredEvent>), Error> {
    let parts = prepared(append)?;
    let ([part], None, true) = (&parts[..], beside.outbox, beside.inline.is_empty()) else {
        return all(connection, schema, beside, &parts, Effect::Possible).await;
    };
    for _ in 0..ATTEMPTS {
        // The statement is its own transaction: an error behind it may be one of the commit.
        match store(connection, schema, part).await {
            Ok(Some(stored)) => return Ok((appended(&[stored], &parts), Vec::new())),
            Ok(None) => {}
            Err(error) if is_duplicate(&error) => {}
            Err(error) => return Err(failed(&doing(&parts), error, Effect::Possible)),
        }
        refusal::find(connection, schema, &parts).await?;
    }
    Err(restless(&parts))
}

/// Stores `append` in the transaction that is open on `connection`, behind a savepoint, so that a refused one leaves the
/// transaction usable.
pub(super) async fn append_in(
    connection: &mut PgConnection,
    schema: &Schema,
    beside: Beside<'_>,
    append: Append,
) -> Result<Appended, Error> {
    let parts = prepared(append)?;
    Ok(all(connection, schema, beside, &parts, Effect::None).await?.0)
}

async fn all(
    connection: &mut PgConnection,
    schema: &Schema,
    beside: Beside<'_>,
    parts: &[Part],
    effect_of_commit: Effect,
) -> Result<(Appended, Vec<StoredEvent>), Error> {
    let open = |error| failed(&doing(parts), error, Effect::None);
    for _ in 0..ATTEMPTS {
        let mut transaction = connection.begin().await.map_err(open)?;
        lock(&mut transaction, schema, parts).await.map_err(open)?;
        beside.inline.announce(&mut transaction).await.map_err(open)?;
        let mut stored = Vec::with_capacity(parts.len());
        for part in parts {
            match store(&mut transaction, schema, part).await {
                Ok(Some(one)) => stored.push(one),
                Ok(None) => break,
                Err(error) if is_duplicate(&error) => break,
                Err(error) => return Err(open(error)),
            }
        }
        if stored.len() == parts.len() {
            if let Some(filter) = beside.outbox {
                for (part, stored) in parts.iter().zip(&stored) {
                    let first = stored.first_sequence(part);
                    let rows = rows(&part.append, first, filter)?;
                    insert(&mut transaction, schema, &rows).await.map_err(open)?;
                }
            }
            let Beside { inline, sealing, .. } = beside;
            let events = inline.apply(&mut transaction, schema, sealing, parts, &stored).await?;
            let committed = transaction.commit().await;
            committed.map_err(|error| failed(&doing(parts), error, effect_of_commit))?;
            return Ok((appended(&stored, parts), events));
        }
        transaction.rollback().await.map_err(open)?;
        refusal::find(connection, schema, parts).await?;
    }
    Err(restless(parts))
}

/// Locks several streams against others that append to several: in one order, whatever the order of the append, or two of
/// them would wait for each other.
async fn lock(connection: &mut PgConnection, schema: &Schema, parts: &[Part]) -> Result<(), sqlx::Error> {
    if parts.len() < 2 {
        return Ok(());
    }
    let names = parts.iter().map(|part| format!("jitney {} {}", schema.name(), part.append.stream));
    let names: Vec<_> = names.collect();
    sqlx::query(LOCK).bind(names).execute(connection).await.map(drop)
}

/// The events for one stream, column by column.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) append: StreamAppend,
    pub(super) ids: Vec<String>,
    metadata: Vec<String>,
}

fn prepared(append: Append) -> Result<Vec<Part>, Error> {
    append.check()?;
    append.into_streams().into_iter().map(Part::new).collect()
}

impl Part {
    fn new(append: StreamAppend) -> Result<Self, Error> {
        let unfit = |event: &NewEvent, what| {
            let (stream, id) = (&append.stream, &event.event_id);
            Error::new(ErrorKind::Encode, format!("appending event {id} to stream {stream}: {what}"))
        };
        let mut metadata = Vec::with_capacity(append.events.len());
        for event in &append.events {
            if std::str::from_utf8(&event.payload).is_err() {
                return Err(unfit(event, "its payload is no text; give it JSON"));
            }
            let json = event.metadata.to_json();
            let json = json.map_err(|error| unfit(event, "encoding its metadata").with_source(error))?;
            metadata.push(String::from_utf8_lossy(&json).into_owned());
        }
        let ids = append.events.iter().map(|event| event.event_id.to_string()).collect();
        Ok(Part { ids, metadata, append })
    }
}

/// Where the last event of a stream went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stored {
    pub(super) last_sequence: u64,
    pub(super) place: [i64; 3],
}

impl Stored {
    /// The sequence of the first event of `part`, which went there.
    pub(super) fn first_sequence(&self, part: &Part) -> u64 {
        (self.last_sequence + 1).saturating_sub(part.append.events.len() as u64)
    }
}

/// Stores the events of `part`; `None` where the stream is not as expected, or closed.
async fn store(
    connection: &mut PgConnection,
    schema: &Schema,
    part: &Part,
) -> Result<Option<Stored>, sqlx::Error> {
    let StreamAppend { stream, expected, events, .. } = &part.append;
    let (least, most) = bounds(*expected);
    let statement = if events.len() == 1 { APPEND_ONE } else { APPEND_SEVERAL };
    let query = sqlx::query(schema.sql(statement))
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(least)
        .bind(most);
    let query = match (&events[..], &part.ids[..], &part.metadata[..]) {
        ([event], [id], [metadata]) => query
            .bind(id)
            .bind(&*event.event_type)
            .bind(i64::from(event.version.major))
            .bind(i64::from(event.version.minor))
            .bind(event.time.as_millisecond())
            .bind(number(&event.metadata, &event.event_id))
            .bind(metadata)
            .bind(payload(event)),
        (events, ids, metadata) => {
            let numbers = |number: fn(&NewEvent) -> i64| -> Vec<i64> { events.iter().map(number).collect() };
            let texts = |text: fn(&NewEvent) -> &str| -> Vec<&str> { events.iter().map(text).collect() };
            query
                .bind(ids)
                .bind(texts(|event| &event.event_type))
                .bind(numbers(|event| i64::from(event.version.major)))
                .bind(numbers(|event| i64::from(event.version.minor)))
                .bind(numbers(|event| event.time.as_millisecond()))
                .bind(numbers(|event| number(&event.metadata, &event.event_id)))
                .bind(metadata)
                .bind(texts(payload))
        }
    };
    let Some(row) = query.fetch_optional(connection).await? else { return Ok(None) };
    let last_sequence: i64 = row.try_get(0)?;
    let place = [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
    Ok(Some(Stored { last_sequence: last_sequence.unsigned_abs(), place }))
}

fn payload(event: &NewEvent) -> &str {
    std::str::from_utf8(&event.payload).expect("it was looked at when the part was made")
}

/// Between which sequences the last event of the stream has to be.
pub(super) fn bounds(expected: Expected) -> (i64, i64) {
    match expected {
        Expected::New => (0, 0),
        Expected::Exact(sequence) => (from_u64(sequence), from_u64(sequence)),
        Expected::Exists => (1, i64::MAX),
        Expected::Any => (0, i64::MAX),
    }
}

fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.constraint() == Some(BY_ID))
}

fn appended(stored: &[Stored], parts: &[Part]) -> Appended {
    let place = stored.iter().map(|stored| stored.place).max().unwrap_or_default();
    let streams = stored.iter().zip(parts).map(|(stored, part)| {
        let count = part.append.events.len();
        StreamAppended::behind(stored.last_sequence.saturating_sub(count as u64), count)
    });
    Appended::new(streams.collect(), place_or_start(place))
}

fn place_or_start(place: [i64; 3]) -> Position {
    position(place).unwrap_or(Position::START)
}

fn doing(parts: &[Part]) -> String {
    let names: Vec<_> = parts.iter().map(|part| part.append.stream.to_string()).collect();
    let (stream, s) = (names.join(", "), if names.len() == 1 { "" } else { "s" });
    format!("appending to stream{s} {stream}")
}

/// The error of an append that other writers never left alone.
fn restless(parts: &[Part]) -> Error {
    let what = format!("{}: others write to it all the time; try again", doing(parts));
    Error::new(ErrorKind::Store, what).retryable(true)
}

//! Why an append stored nothing.

use std::collections::HashMap;

use jitney_core::Id;
use jitney_sourcing::{Conflict, Duplicate, Error, Expected, StreamId, StreamState};
use sqlx::{PgConnection, Row};

use super::append::Part;
use super::error::{Effect, failed};
use super::row::state;
use super::schema::Schema;

const KNOWN: &str = "
SELECT e.event_id, e.sequence FROM {schema}.events e
WHERE e.stream = (SELECT stream FROM {schema}.streams WHERE aggregate_type = $1 AND aggregate_id = $2)
  AND e.event_id = ANY ($3)";

const STREAM: &str = "
SELECT last_sequence, state FROM {schema}.streams WHERE aggregate_type = $1 AND aggregate_id = $2";

/// An error that says why `parts` cannot be stored; none where they can by now. That an event is there already counts before
/// everything else: whoever tries again after an unknown outcome wants to know that.
pub(super) async fn find(
    connection: &mut PgConnection,
    schema: &Schema,
    parts: &[Part],
) -> Result<(), Error> {
    for part in parts {
        refuse_duplicates(connection, schema, part).await?;
    }
    for part in parts {
        check(connection, schema, &part.append.stream, part.append.expected).await?;
    }
    Ok(())
}

async fn refuse_duplicates(connection: &mut PgConnection, schema: &Schema, part: &Part) -> Result<(), Error> {
    let stream = &part.append.stream;
    let failed = |error| failed(&format!("looking for events in stream {stream}"), error, Effect::None);
    let rows = sqlx::query(schema.sql(KNOWN))
        .bind(stream.aggregate_type())
        .bind(stream.aggregate_id())
        .bind(&part.ids)
        .fetch_all(connection)
        .await
        .map_err(failed)?;
    let known: Result<HashMap<String, i64>, _> =
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect();
    let known = known.map_err(failed)?;
    let first = part.ids.iter().find_map(|id| known.get_key_value(id.as_str()));
    first.map_or(Ok(()), |(id, sequence)| {
        let (stream, event_id) = (stream.clone(), Id::from(id.as_str()));
        Err(Error::duplicating(Duplicate { stream, event_id, sequence: sequence.unsigned_abs() }))
    })
}

/// Refuses a change of a stream that is closed, or not where it is expected.
pub(super) async fn check(
    connection: &mut PgConnection,
    schema: &Schema,
    stream: &StreamId,
    expected: Expected,
) -> Result<(), Error> {
    let (actual, state) = look_at(connection, schema, stream).await?.unwrap_or((0, StreamState::Open));
    match state {
        StreamState::Ended => Err(Error::ended(stream)),
        StreamState::Archived => Err(Error::archived(stream)),
        _ if expected.is_met_by(actual) => Ok(()),
        _ => Err(Error::conflicting(Conflict { stream: stream.clone(), expected, actual })),
    }
}

/// The sequence of the last event of a stream, and its state.
pub(super) async fn look_at(
    connection: &mut PgConnection,
    schema: &Schema,
    stream: &StreamId,
) -> Result<Option<(u64, StreamState)>, Error> {
    let failed = |error| failed(&format!("looking at stream {stream}"), error, Effect::None);
    let query = sqlx::query(schema.sql(STREAM)).bind(stream.aggregate_type()).bind(stream.aggregate_id());
    let Some(row) = query.fetch_optional(connection).await.map_err(failed)? else { return Ok(None) };
    let (last, number): (i64, i16) =
        row.try_get(0).and_then(|last| Ok((last, row.try_get(1)?))).map_err(failed)?;
    Ok(Some((last.unsigned_abs(), state(number))))
}

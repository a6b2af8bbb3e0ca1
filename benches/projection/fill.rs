//! A store with many events in it.

use std::time::Instant;

use jitney::sourcing::{Append, Error, EventStore, Expected, NewEvent, StreamId};
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::{self, AssertSqlSafe};
use jitney_core::Env;

use super::deposits::PurseEvent;
use crate::Failure;

/// How many events are stored at once, all of one stream.
const AT_ONCE: u64 = 100;

/// How many events a stream has in the end.
const OF_A_STREAM: u64 = 500;

/// How many write at once.
const WRITERS: u64 = 4;

/// Stores so many events; answers in how many seconds.
pub async fn fill(store: &PostgresStore, schema: &str, events: u64) -> Result<f64, Failure> {
    let (env, begin) = (Env::system(), Instant::now());
    let appends = events.div_ceil(AT_ONCE);
    let streams = events.div_ceil(OF_A_STREAM);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (env, store) = (env.clone(), store.clone());
            Env::system().spawn(async move {
                for append in (writer..appends).step_by(WRITERS as usize) {
                    let count = AT_ONCE.min(events - append * AT_ONCE);
                    let name = |number| format!("purse of somebody whose number is {number}");
                    let new = |number| {
                        let event = PurseEvent::Deposited { cents: number as i64, name: name(number) };
                        NewEvent::new(env.new_id(), env.now(), &event)
                    };
                    let new: Vec<_> = (0..count).map(new).collect::<Result<_, Error>>()?;
                    let stream = StreamId::new("Purse", (append % streams).to_string());
                    store.append(Append::to(stream, Expected::Any, new)).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .collect();
    for writer in writers {
        writer.await??;
    }
    let seconds = begin.elapsed().as_secs_f64();
    // What the server does by itself after a while.
    sqlx::raw_sql(AssertSqlSafe(format!("VACUUM ANALYZE {schema}.events"))).execute(store.pool()).await?;
    Ok(seconds)
}

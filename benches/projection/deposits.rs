//! What is stored, and the read model that is made of it: one row for each event.

use jitney::DomainEvent;
use jitney::handler::HandlerError;
use jitney::sourcing::{Filter, Projecting, Projection, StoredEvent};
use jitney::sql::sqlx::{self, AssertSqlSafe, PgConnection};
use serde::{Deserialize, Serialize};

/// What is stored.
#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Purse")]
pub enum PurseEvent {
    /// The only one.
    Deposited {
        /// How much.
        cents: i64,
        /// Whose.
        name: String,
    },
}

/// The columns of many rows.
#[derive(Debug, Default)]
pub struct Rows {
    purses: Vec<String>,
    sequences: Vec<i64>,
    cents: Vec<i64>,
}

impl Rows {
    /// One more row.
    pub fn push(&mut self, purse: String, sequence: i64, event: &PurseEvent) {
        let PurseEvent::Deposited { cents, .. } = event;
        self.purses.push(purse);
        self.sequences.push(sequence);
        self.cents.push(*cents);
    }

    /// Writes them to the table `deposits` of `place`, a schema with a point behind it, or nothing.
    pub async fn write(self, place: &str, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let sql = format!(
            "INSERT INTO {place}deposits SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])"
        );
        let insert = sqlx::query(AssertSqlSafe(sql)).bind(self.purses).bind(self.sequences).bind(self.cents);
        insert.execute(connection).await.map(drop)
    }
}

/// Makes the table.
pub async fn prepare(place: &str, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = format!(
        "CREATE TABLE {place}deposits (purse text NOT NULL, sequence bigint NOT NULL, cents bigint NOT NULL,
            PRIMARY KEY (purse, sequence))"
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// The read model, by statements for many rows.
#[derive(Debug)]
pub struct Deposits {
    /// What it is called.
    pub name: String,
}

impl Projection for Deposits {
    type Connection = PgConnection;

    fn name(&self) -> &str {
        &self.name
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    async fn prepare(&self, connection: &mut PgConnection) -> Result<(), HandlerError> {
        Ok(prepare("", connection).await?)
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, PgConnection>,
    ) -> Result<(), HandlerError> {
        self.apply_batch(std::slice::from_ref(event), at).await
    }

    async fn apply_batch(
        &self,
        events: &[StoredEvent],
        at: &mut Projecting<'_, PgConnection>,
    ) -> Result<(), HandlerError> {
        let mut rows = Rows::default();
        for event in events {
            let decoded: PurseEvent = event.decode().map_err(HandlerError::permanent)?;
            let sequence = i64::try_from(event.sequence()).map_err(HandlerError::permanent)?;
            rows.push(event.head().aggregate_id.to_string(), sequence, &decoded);
        }
        Ok(rows.write("", at.connection()).await?)
    }
}

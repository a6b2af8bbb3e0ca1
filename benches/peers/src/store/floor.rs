//! The floor on PostgreSQL: sqlx alone with the statements of Jitney's store, which it asks the server for.

use async_trait::async_trait;
use jitney::Env;
use jitney::sql::PostgresStore;
use jitney::sql::sqlx::postgres::PgRow;
use jitney::sql::sqlx::{self, AssertSqlSafe, ColumnIndex, PgPool, Row, SqlSafeStr, SqlStr};

use super::account::{AGGREGATE, Account, Deposit};
use super::jitney_store::LONG_ACCOUNT;
use super::subject::{ALL, Failure, PAGE, Subject};

/// What a repository reads at once.
const STREAM_PAGE: i64 = 1_024;

/// The statements, as they are prepared on the connection of a store that has done its work once.
#[derive(Clone)]
struct Statements {
    append: SqlStr,
    read_stream: SqlStr,
    load_snapshot: SqlStr,
}

impl Statements {
    /// Those of `store`, which has one connection.
    async fn of(store: &PostgresStore) -> Result<Self, Failure> {
        let texts: Vec<String> = sqlx::query_scalar("SELECT statement FROM pg_prepared_statements")
            .fetch_all(store.pool())
            .await?;
        let find = |words: &[&str]| {
            let mut texts = texts.iter().filter(|text| !text.contains("unnest"));
            let text = texts.find(|text| words.iter().all(|word| text.contains(word)));
            let text = text.ok_or_else(|| format!("the store has prepared no statement with {words:?}"))?;
            Ok::<_, Failure>(statement(text.clone()))
        };
        Ok(Statements {
            // That for one event; the one for several unnests its parameters.
            append: find(&["INSERT", ".streams", ".events"])?,
            read_stream: find(&["SELECT", ".events", ">= $3", "ORDER BY e.sequence"])?,
            load_snapshot: find(&["SELECT", ".snapshots"])?,
        })
    }
}

fn statement(text: String) -> SqlStr {
    AssertSqlSafe(text).into_sql_str()
}

/// sqlx on the tables of a store.
#[derive(Clone)]
pub struct Floor {
    env: Env,
    pool: PgPool,
    statements: Statements,
    read_all: SqlStr,
    insert: Option<SqlStr>,
}

impl Floor {
    /// On the tables of `store`, which has one connection and has done its work, through `pool`; all events are read from the
    /// schema `filled`.
    pub async fn new(store: &PostgresStore, pool: PgPool, filled: &str) -> Result<Self, Failure> {
        let read_all = format!(
            "SELECT epoch, tx, seq, sequence, event_id, event_type, version_major, version_minor, time_ms, metadata, payload,
                aggregate_type, aggregate_id
            FROM {filled}.events WHERE (epoch, tx, seq) > ($1, $2, $3) ORDER BY epoch, tx, seq LIMIT $4"
        );
        let statements = Statements::of(store).await?;
        Ok(Floor { env: Env::system(), pool, statements, read_all: statement(read_all), insert: None })
    }

    /// The same, with appends that are nothing but an INSERT into a table like that of the events, in `schema`: without
    /// a look at the stream, an expectation, a place in the order of all events.
    pub async fn with_bare_insert(mut self, schema: &str) -> Result<Self, Failure> {
        let create =
            format!("CREATE TABLE {schema}.bare (LIKE {schema}.events INCLUDING ALL EXCLUDING IDENTITY)");
        sqlx::raw_sql(statement(create)).execute(&self.pool).await?;
        let counter = format!("CREATE SEQUENCE {schema}.bare_seq");
        sqlx::raw_sql(statement(counter)).execute(&self.pool).await?;
        self.insert = Some(statement(format!(
            "INSERT INTO {schema}.bare (epoch, tx, seq, stream, sequence, aggregate_type, aggregate_id, event_id, event_type,
                version_major, version_minor, time_ms, correlation, metadata, payload)
            VALUES (1, 1, nextval('{schema}.bare_seq'), 1, currval('{schema}.bare_seq'), $1, $2, $3, $4, $5, $6, $7, $8, $9::json, $10::json)"
        )));
        Ok(self)
    }

    async fn insert(&self, id: &str, sql: &SqlStr) -> Result<(), Failure> {
        let New { id: event_id, correlation, metadata, payload, time } = self.new_event()?;
        sqlx::query(sql.clone())
            .bind(AGGREGATE)
            .bind(id)
            .bind(event_id)
            .bind("Deposited")
            .bind(1_i64)
            .bind(0_i64)
            .bind(time)
            .bind(correlation)
            .bind(metadata)
            .bind(payload)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// One event, where the last one of the stream is between `least` and `most`.
    async fn store(&self, id: &str, least: i64, most: i64) -> Result<(), Failure> {
        let New { id: event_id, correlation, metadata, payload, time } = self.new_event()?;
        let row = sqlx::query(self.statements.append.clone())
            .bind(AGGREGATE)
            .bind(id)
            .bind(least)
            .bind(most)
            .bind(event_id)
            .bind("Deposited")
            .bind(1_i64)
            .bind(0_i64)
            .bind(time)
            .bind(correlation)
            .bind(metadata)
            .bind(payload)
            .fetch_one(&self.pool)
            .await?;
        let _: i64 = row.try_get(0)?;
        Ok(())
    }

    fn new_event(&self) -> Result<New, Failure> {
        Ok(New {
            id: self.env.new_id().to_string(),
            correlation: self.env.random().cast_signed(),
            metadata: format!("{{\"correlationId\":\"{}\"}}", self.env.new_id()),
            payload: serde_json::to_string(&Deposit::new())?,
            time: self.env.now().as_millisecond(),
        })
    }

    /// Follows the events of a stream from the one behind `sequence` on; the sequence of the last one.
    async fn follow(&self, id: &str, mut sequence: i64, account: &mut Account) -> Result<i64, Failure> {
        let rows = sqlx::query(self.statements.read_stream.clone())
            .bind(AGGREGATE)
            .bind(id)
            .bind(sequence + 1)
            .bind(STREAM_PAGE)
            .fetch_all(&self.pool)
            .await?;
        for row in &rows {
            sequence = row.try_get("sequence")?;
            account.add(&serde_json::from_str(text(row, "payload")?)?);
        }
        Ok(sequence)
    }
}

/// An event that is stored.
struct New {
    id: String,
    correlation: i64,
    metadata: String,
    payload: String,
    time: i64,
}

/// The text of a column that is JSON.
fn text(row: &PgRow, column: impl ColumnIndex<PgRow>) -> Result<&str, Failure> {
    row.try_get_raw(column)?.as_str()
}

/// An event as a program would keep it that reads the rows by itself.
#[derive(Debug)]
#[expect(dead_code, reason = "they are read for their own sake")]
struct ReadEvent {
    sequence: i64,
    event_id: String,
    event_type: String,
    version: (i64, i64),
    time: i64,
    metadata: String,
    payload: String,
    aggregate_type: String,
    aggregate_id: String,
}

fn read_event(row: &PgRow) -> Result<([i64; 3], ReadEvent), Failure> {
    let event = ReadEvent {
        sequence: row.try_get(3)?,
        event_id: row.try_get(4)?,
        event_type: row.try_get(5)?,
        version: (row.try_get(6)?, row.try_get(7)?),
        time: row.try_get(8)?,
        metadata: text(row, 9)?.to_owned(),
        payload: text(row, 10)?.to_owned(),
        aggregate_type: row.try_get(11)?,
        aggregate_id: row.try_get(12)?,
    };
    Ok(([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?], event))
}

#[async_trait]
impl Subject for Floor {
    async fn command(&self, id: &str) -> Result<(), Failure> {
        let mut account = Account::default();
        let sequence = self.follow(id, 0, &mut account).await?;
        self.store(id, sequence, sequence).await
    }

    async fn append(&self, id: &str) -> Result<(), Failure> {
        match &self.insert {
            Some(insert) => self.insert(id, insert).await,
            None => self.store(id, 0, i64::MAX).await,
        }
    }

    async fn load(&self, with_snapshot: bool) -> Result<u64, Failure> {
        let (mut account, mut sequence) = (Account::default(), 0);
        if with_snapshot {
            let row = sqlx::query(self.statements.load_snapshot.clone())
                .bind(AGGREGATE)
                .bind(LONG_ACCOUNT)
                .fetch_one(&self.pool)
                .await?;
            sequence = row.try_get("sequence")?;
            account = serde_json::from_slice(row.try_get("state")?)?;
        }
        self.follow(LONG_ACCOUNT, sequence, &mut account).await?;
        Ok(account.cents)
    }

    async fn read_all(&self) -> Result<usize, Failure> {
        let (mut place, mut events) = ([0_i64; 3], 0);
        while events < ALL {
            let rows = sqlx::query(self.read_all.clone())
                .bind(place[0])
                .bind(place[1])
                .bind(place[2])
                .bind(i64::try_from(PAGE)?)
                .fetch_all(&self.pool)
                .await?;
            let read = rows.iter().map(read_event).collect::<Result<Vec<_>, _>>()?;
            let Some((last, _)) = read.last() else { break };
            (place, events) = (*last, events + read.len());
        }
        Ok(events)
    }
}

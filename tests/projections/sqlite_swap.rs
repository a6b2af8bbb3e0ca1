//! The swap in SQLite, from one file into another: what a handler sends and deletes in it.

use std::sync::Arc;

use jitney::handler::HandlerError;
use jitney::prelude::*;
use jitney::sourcing::{
    ErrorKind, EventStore, Filter, Projecting, Projection, ProjectionHandle, Projector, StoredEvent,
};
use jitney::sql::sqlx::{SqliteConnection, query, query_scalar};
use jitney::sql::{SqliteOutbox, SqliteReadModel, SqliteStore};

use crate::folder::Folder;
use crate::setting::{PATIENCE, POISON, Payer, PurseEvent, until_at_rest};

/// Empties a purse.
const EMPTY: u64 = 7;

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Purse", id = purse)]
struct Noted {
    purse: String,
}

/// Keeps the coins of each purse, and sends word of each event.
struct Coins {
    version: u32,
    outbox: SqliteOutbox,
}

impl Projection for Coins {
    type Connection = SqliteConnection;

    fn name(&self) -> &str {
        "coins"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<(), HandlerError> {
        let coins = "CREATE TABLE coins (purse TEXT REFERENCES purses ON DELETE CASCADE, cents INTEGER)";
        let purses = "CREATE TABLE purses (purse TEXT PRIMARY KEY)";
        for sql in [coins, purses] {
            query(sql).execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, SqliteConnection>,
    ) -> Result<(), HandlerError> {
        let PurseEvent::Filled { cents } = event.decode().map_err(HandlerError::permanent)?;
        let purse = event.head().aggregate_id.to_string();
        match cents {
            POISON if self.version == 1 => return Err(HandlerError::permanent("not yet known")),
            EMPTY => {
                let delete = query("DELETE FROM purses WHERE purse = ?1").bind(&purse);
                delete.execute(at.connection()).await?;
            }
            _ => {
                let insert = query("INSERT OR IGNORE INTO purses VALUES (?1)").bind(&purse);
                insert.execute(at.connection()).await?;
                let insert = query("INSERT INTO coins VALUES (?1, ?2)").bind(&purse);
                insert.bind(i64::try_from(cents)?).execute(at.connection()).await?;
            }
        }
        if at.is_live() {
            self.outbox.publish(at.connection(), &Noted { purse }).await?;
        }
        Ok(())
    }
}

async fn count(store: &SqliteStore, sql: &'static str) -> i64 {
    query_scalar(sql).fetch_one(store.readers()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_and_deleted_in_a_swap_is_so_behind_it() {
    let (folder, mut payer) = (Folder::new("swap"), Payer::default());
    let store = SqliteStore::open(&folder.path("coins.db")).await.unwrap();
    let projector = |version| {
        let events: Arc<dyn EventStore> = Arc::new(store.clone());
        let coins = Coins { version, outbox: SqliteOutbox::of(&store) };
        Projector::new(events, SqliteReadModel::of(&store), coins)
    };
    let old = projector(1).shards(3).start().await.unwrap();
    payer.pay_all(&store, 6, 1).await;
    payer.pay(&store, "x", &[5, POISON, EMPTY]).await;
    payer.pay_all(&store, 6, 1).await;
    // One shard stops; the others are further on, so that the new build handles the rest of it in the swap.
    assert_eq!(old.wait_for_end(PATIENCE).await.unwrap_err().kind(), ErrorKind::Projection);
    until_at_rest(&ProjectionHandle::new(SqliteReadModel::of(&store), "coins").unwrap(), &store).await;
    old.shutdown().await.unwrap();
    let before = count(&store, "SELECT count(*) FROM jitney_outbox").await;
    assert!(before < 14, "the swap has nothing to send: {before}");
    projector(2).rebuild().await.unwrap();
    assert_eq!(count(&store, "SELECT count(*) FROM jitney_outbox").await, 15, "of {before} before");
    let orphans = "SELECT count(*) FROM coins WHERE purse NOT IN (SELECT purse FROM purses)";
    let coins = count(&store, "SELECT count(*) FROM coins").await;
    assert_eq!((coins, count(&store, orphans).await), (12, 0));
    // The references hold in the database too, and another swap replaces the tables, whichever refers to which.
    projector(2).rebuild().await.unwrap();
    assert_eq!(count(&store, "SELECT count(*) FROM coins").await, 12);
    assert_eq!(count(&store, "SELECT count(*) FROM pragma_foreign_key_check").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_would_delete_rows_of_others_is_refused_and_says_so() {
    let folder = Folder::new("swap");
    let store = SqliteStore::open(&folder.path("coins.db")).await.unwrap();
    let projector = |version| {
        let coins = Coins { version, outbox: SqliteOutbox::of(&store) };
        Projector::new(store.clone(), SqliteReadModel::of(&store), coins)
    };
    Payer::default().pay(&store, "a", &[1]).await;
    let old = projector(1).start().await.unwrap();
    old.wait_for_end(PATIENCE).await.unwrap();
    old.shutdown().await.unwrap();
    let mut transaction = store.begin().await.unwrap();
    for sql in [
        "CREATE TABLE owners (name TEXT, purse TEXT REFERENCES purses ON DELETE CASCADE)",
        "INSERT INTO owners VALUES ('Ada', 'a')",
    ] {
        query(sql).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let error = projector(2).rebuild().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    assert!(error.to_string().contains("`owners`") && error.to_string().contains("`purses`"), "{error}");
    assert_eq!(count(&store, "SELECT count(*) FROM owners").await, 1);
}

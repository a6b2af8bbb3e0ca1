//! SQLite.

use std::collections::BTreeMap;
use std::sync::Arc;

use jitney::DomainEvent;
use jitney::event::EventType;
use jitney::handler::HandlerError;
use jitney::outbox::OutboxStore;
use jitney::sourcing::{
    Append, Appended, Error, ErrorKind, EventStore, Filter, Projecting, Projection, Projector, StoredEvent,
    TransactionalStore,
};
use jitney::sql::sqlx::{SqliteConnection, query, query_as, query_scalar};
use jitney::sql::{SqliteOutbox, SqliteReadModel, SqliteStore};

use crate::folder::Folder;
use crate::inline::{DurableInlineDatabase, InlineDatabase};
use crate::setting::{Conduct, Database, Payer, PurseEvent, Row, Rows};

pub(crate) struct Sqlite {
    store: SqliteStore,
    folder: Folder,
}

pub(crate) struct Purses {
    version: u32,
    conduct: Conduct,
}

impl Projection for Purses {
    type Connection = SqliteConnection;

    fn name(&self) -> &str {
        "purses"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn filter(&self) -> Filter {
        Filter::of::<PurseEvent>()
    }

    fn event_types(&self) -> Vec<&'static EventType> {
        PurseEvent::accepts()
    }

    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<(), HandlerError> {
        let totals = "CREATE TABLE totals (purse TEXT PRIMARY KEY, cents INTEGER NOT NULL, sequence INTEGER NOT NULL, \
                      double INTEGER GENERATED ALWAYS AS (cents * 2) VIRTUAL)";
        let index = "CREATE INDEX totals_by_cents ON totals (cents)";
        let view = "CREATE VIEW rich AS SELECT purse FROM totals WHERE cents > 5";
        for sql in [totals, index, view] {
            query(sql).execute(&mut *connection).await?;
        }
        Ok(())
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, SqliteConnection>,
    ) -> Result<(), HandlerError> {
        let cents = self.conduct.cents(event)? * u64::from(self.version);
        let sql = "INSERT INTO totals (purse, cents, sequence) VALUES (?1, ?2, 1) \
                   ON CONFLICT (purse) DO UPDATE SET cents = cents + ?2, sequence = sequence + 1";
        let insert = query(sql).bind(event.head().aggregate_id.to_string()).bind(i64::try_from(cents)?);
        insert.execute(at.connection()).await?;
        Ok(())
    }

    async fn after_commit(&self, events: &[StoredEvent]) {
        self.conduct.tell(events);
    }
}

impl Database for Sqlite {
    type Model = SqliteReadModel;
    type Purses = Purses;

    async fn new() -> Self {
        let folder = Folder::new("projections");
        let store = SqliteStore::open(&folder.path("purses.db")).await.unwrap();
        Sqlite { store, folder }
    }

    fn store(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store.clone())
    }

    async fn model(&self) -> SqliteReadModel {
        // As another process would open it.
        SqliteReadModel::open(&self.folder.path("purses.db")).await.unwrap()
    }

    fn purses(&self, version: u32, conduct: &Conduct) -> Purses {
        Purses { version, conduct: conduct.clone() }
    }

    async fn rows(&self) -> Rows {
        let sql = "SELECT purse, cents, sequence FROM totals";
        let rows: Vec<(String, i64, i64)> = query_as(sql).fetch_all(self.store.readers()).await.unwrap();
        let row = |(purse, cents, sequence): (String, i64, i64)| {
            (purse, Row { cents: cents.unsigned_abs(), sequence: sequence.unsigned_abs() })
        };
        rows.into_iter().map(row).collect::<BTreeMap<_, _>>()
    }
}

all_checks!(Sqlite);
bus_checks!(Sqlite);
inline_checks!(Sqlite);
durable_inline_checks!(Sqlite, "sqlite");

impl InlineDatabase for Sqlite {
    type Store = SqliteStore;

    async fn open(&self, inline: Option<(u32, &Conduct)>) -> Result<SqliteStore, Error> {
        Self::open_at(&self.place(), inline).await
    }

    async fn outbox(&self, store: &SqliteStore) -> u64 {
        SqliteOutbox::of(store).backlog().await.unwrap().pending
    }
}

impl DurableInlineDatabase for Sqlite {
    fn place(&self) -> String {
        self.folder.path("purses.db")
    }

    async fn open_at(place: &str, inline: Option<(u32, &Conduct)>) -> Result<SqliteStore, Error> {
        let builder = SqliteStore::builder(place).outbox(Filter::all());
        match inline {
            Some((version, conduct)) => {
                builder.inline(Purses { version, conduct: conduct.clone() }).open().await
            }
            None => builder.open().await,
        }
    }

    async fn append_in(
        store: &SqliteStore,
        appends: Vec<Append>,
        commit: bool,
    ) -> Vec<Result<Appended, Error>> {
        let mut transaction = store.begin().await.unwrap();
        let mut all = Vec::new();
        for append in appends {
            all.push(store.append_in(&mut transaction, append).await);
        }
        if commit {
            transaction.commit().await.unwrap();
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_has_inline_projections_too() {
    let conduct = Conduct::default();
    let builder = SqliteStore::builder("sqlite::memory:").inline(Purses { version: 1, conduct });
    let (store, mut payer) = (builder.open().await.unwrap(), Payer::default());
    payer.pay(&store, "a", &[1, 2]).await;
    let cents = query_scalar::<_, i64>("SELECT cents FROM totals");
    assert_eq!(cents.fetch_all(store.readers()).await.unwrap(), [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_inline_projections_of_one_name_are_refused() {
    let purses = || Purses { version: 1, conduct: Conduct::default() };
    let builder = SqliteStore::builder("sqlite::memory:").inline(purses()).inline(purses());
    let error = builder.open().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("`purses`"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_takes_indexes_and_views_along_and_leaves_no_file() {
    let (database, conduct, mut payer) = (Sqlite::new().await, Conduct::default(), Payer::default());
    payer.pay(&database.store, "a", &[1, 2]).await;
    database.projector(1, &conduct).await.start().await.unwrap().shutdown().await.unwrap();
    for _ in 0..2 {
        database.projector(2, &conduct).await.rebuild().await.unwrap();
        assert_eq!(database.rows().await, payer.rows(2));
        let objects = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'jitney%' AND name NOT LIKE 'sqlite%' ORDER BY name";
        let objects: Vec<String> = query_scalar(objects).fetch_all(database.store.readers()).await.unwrap();
        assert_eq!(objects, ["rich", "totals", "totals_by_cents"]);
        let rich = query_scalar::<_, i64>("SELECT count(*) FROM rich");
        assert_eq!(rich.fetch_one(database.store.readers()).await.unwrap(), 1);
        let folder = std::path::PathBuf::from(database.folder.path(""));
        let builds = folder
            .read_dir()
            .unwrap()
            .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains(".build"));
        assert_eq!(builds.count(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_in_memory_is_refused() {
    let (store, conduct) = (SqliteStore::in_memory().await.unwrap(), Conduct::default());
    let projector = |version| {
        let purses = Purses { version, conduct: conduct.clone() };
        Projector::new(store.clone(), SqliteReadModel::of(&store), purses)
    };
    projector(1).start().await.unwrap().shutdown().await.unwrap();
    let error = projector(2).rebuild().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

//! SQLite.

use std::collections::BTreeMap;

use jitney::handler::HandlerError;
use jitney::inbox::Inbox;
use jitney::outbox::OutboxEvent;
use jitney::sourcing::{Append, Error, Filter, Projecting, Projection, StoredEvent, TransactionalStore};
use jitney::sql::sqlx::{AssertSqlSafe, SqliteConnection, query, query_as, query_scalar, raw_sql};
use jitney::sql::{SqliteInbox, SqliteOutbox, SqliteProcessStore, SqliteReadModel, SqliteStore};
use jitney_testkit::mirror::Mirror;

use crate::folder::Folder;
use crate::parcels::{Addressed, Misread};
use crate::setting::Database;

pub(crate) struct Sqlite {
    mirror: Mirror,
    store: SqliteStore,
    plain: SqliteStore,
    folder: Folder,
}

pub(crate) struct Labels {
    version: u32,
    misreads: bool,
}

impl Projection for Labels {
    type Connection = SqliteConnection;

    fn name(&self) -> &str {
        "labels"
    }

    fn version(&self) -> u32 {
        self.version
    }

    fn filter(&self) -> Filter {
        Filter::of::<Addressed>()
    }

    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<(), HandlerError> {
        let sql = "CREATE TABLE labels (parcel TEXT PRIMARY KEY, name TEXT NOT NULL)";
        query(sql).execute(connection).await?;
        Ok(())
    }

    async fn apply(
        &self,
        event: &StoredEvent,
        at: &mut Projecting<'_, SqliteConnection>,
    ) -> Result<(), HandlerError> {
        if self.misreads {
            event.decode::<Misread>().map_err(HandlerError::permanent)?;
        }
        let Addressed { parcel, name } = event.decode().map_err(HandlerError::permanent)?;
        let sql = "INSERT INTO labels VALUES (?1, ?2) ON CONFLICT (parcel) DO UPDATE SET name = ?2";
        let text = name.text.unwrap_or_default();
        query(sql).bind(parcel).bind(text).execute(at.connection()).await?;
        Ok(())
    }
}

impl Database for Sqlite {
    type Store = SqliteStore;
    type Outbox = SqliteOutbox;
    type Processes = SqliteProcessStore;
    type Model = SqliteReadModel;
    type Labels = Labels;

    async fn new() -> Self {
        let (folder, mirror) = (Folder::new("sealed"), Mirror::new());
        let builder = || SqliteStore::builder(&folder.path("parcels.db")).outbox(Filter::all());
        let store = builder().sealed_by(mirror.clone()).open().await.unwrap();
        let plain = builder().open().await.unwrap();
        Sqlite { mirror, store, plain, folder }
    }

    fn mirror(&self) -> &Mirror {
        &self.mirror
    }

    fn store(&self) -> &SqliteStore {
        &self.store
    }

    fn plain(&self) -> SqliteStore {
        self.plain.clone()
    }

    async fn inline(&self) -> Result<SqliteStore, Error> {
        let builder = SqliteStore::builder(&self.folder.path("parcels.db")).sealed_by(self.mirror.clone());
        builder.inline(self.labels(1, false)).open().await
    }

    fn outbox(&self, of: &SqliteStore) -> SqliteOutbox {
        SqliteOutbox::of(of)
    }

    fn inbox(&self, of: &SqliteStore) -> Box<dyn Inbox> {
        Box::new(SqliteInbox::of(of))
    }

    fn processes(&self, of: &SqliteStore) -> SqliteProcessStore {
        SqliteProcessStore::of(of)
    }

    fn model(&self) -> SqliteReadModel {
        SqliteReadModel::of(&self.store)
    }

    fn labels(&self, version: u32, misreads: bool) -> Labels {
        Labels { version, misreads }
    }

    async fn in_transaction(&self, append: Append, event: OutboxEvent) -> Result<(), jitney::Error> {
        let mut transaction = self.store.begin().await?;
        self.store.append_in(&mut transaction, append).await?;
        SqliteOutbox::of(&self.store).add(&mut transaction, event).await?;
        transaction.commit().await.unwrap();
        Ok(())
    }

    async fn read_labels(&self) -> BTreeMap<String, String> {
        let rows: Vec<(String, String)> =
            query_as("SELECT parcel, name FROM labels").fetch_all(self.store.readers()).await.unwrap();
        rows.into_iter().collect()
    }

    async fn everything(&self) -> BTreeMap<String, String> {
        let readers = self.store.readers();
        let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let tables: Vec<String> = query_scalar(tables).fetch_all(readers).await.unwrap();
        let mut everything = BTreeMap::new();
        for table in tables {
            let columns = "SELECT name FROM pragma_table_info(?1)";
            let columns: Vec<String> = query_scalar(columns).bind(&table).fetch_all(readers).await.unwrap();
            let mut texts = Vec::new();
            for column in columns {
                let sql = format!(
                    "SELECT coalesce(group_concat(CAST(\"{column}\" AS TEXT), ' '), '') FROM \"{table}\""
                );
                texts.push(query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_one(readers).await.unwrap());
            }
            everything.insert(table.strip_prefix("jitney_").unwrap_or(&table).to_owned(), texts.join("\n"));
        }
        everything
    }

    async fn meddle(&self, sql: &str) {
        let mut transaction = self.store.begin().await.unwrap();
        raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    fn table(&self, name: &str) -> String {
        format!("jitney_{name}")
    }

    fn replaced(&self, column: &str, from: &str, to: &str) -> String {
        format!("replace({column}, '{from}', '{to}')")
    }
}

all_checks!(Sqlite);

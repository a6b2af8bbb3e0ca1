//! Where a store keeps what it is given, as bytes.

use std::path::PathBuf;
use std::time::Duration;

use jitney::Env;
use jitney::kafka::rdkafka::consumer::{BaseConsumer, Consumer};
use jitney::kafka::rdkafka::error::KafkaError;
use jitney::kafka::rdkafka::message::{BorrowedMessage, Headers, Message};
use jitney::kafka::rdkafka::{ClientConfig, Offset, TopicPartitionList};
use jitney::sql::sqlx::{self, AssertSqlSafe, Connection};

use crate::server::{self, Database};

/// Where orders are sourced.
pub enum Place {
    /// Nowhere: they are on the bus alone.
    Nowhere,
    /// In memory.
    Memory,
    /// In a file of this folder.
    Sqlite(PathBuf),
    Postgres(Database),
    /// On these brokers, in topics that begin with this name and a dot.
    Kafka(String, String),
}

/// What is at a place, and where there.
pub type Found = Vec<(String, Vec<u8>)>;

impl Place {
    pub fn sqlite() -> Self {
        let folder = std::env::temp_dir().join(format!("jitney-proof-{}", Env::system().new_id()));
        std::fs::create_dir_all(&folder).unwrap();
        Place::Sqlite(folder)
    }

    pub fn kafka() -> Self {
        let servers = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
        Place::Kafka(servers, format!("proof-{:016x}", Env::system().random()))
    }

    /// The URL of the store.
    pub fn url(&self) -> Option<String> {
        match self {
            Place::Nowhere => None,
            Place::Memory => Some("memory".to_owned()),
            Place::Sqlite(folder) => Some(format!("sqlite://{}", folder.join("orders.db").display())),
            Place::Postgres(database) => Some(database.to_string()),
            Place::Kafka(servers, name) => Some(format!("{servers}/{name}?partitions=2")),
        }
    }

    /// Everything that is there. What a process has in memory alone is not.
    pub async fn everything(&self) -> Found {
        match self {
            Place::Nowhere | Place::Memory => Vec::new(),
            Place::Sqlite(folder) => {
                let mut found = files(folder);
                found.extend(tables_of_file(&folder.join("orders.db")).await);
                found
            }
            Place::Postgres(database) => tables(database).await,
            Place::Kafka(servers, name) => {
                let (servers, prefix) = (servers.clone(), format!("{name}."));
                tokio::task::spawn_blocking(move || topics(&servers, &prefix)).await.unwrap()
            }
        }
    }
}

impl Place {
    /// How the places end in which orders are to be found, so that a search of nothing is noticed.
    pub fn with_orders(&self) -> &'static [&'static str] {
        match self {
            Place::Nowhere | Place::Memory => &[],
            Place::Sqlite(_) => {
                &["orders.db", " jitney_events", " jitney_outbox", " jitney_snapshots", " phones"]
            }
            Place::Postgres(_) => &[".events", ".outbox", ".snapshots", ".phones"],
            Place::Kafka(..) => &[".Order-events", "snapshots"],
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Place::Sqlite(folder) = self {
            // What cannot be removed stays in the system's directory for such files.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// The files of a folder: databases, their logs, and whatever else somebody has put there.
pub fn files(folder: &std::path::Path) -> Found {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

/// The rows of all tables, of all schemas but the server's own; binary columns are in hexadecimal digits there.
async fn tables(url: &str) -> Found {
    const TABLES: &str = "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables \
                          WHERE schemaname NOT IN ('pg_catalog', 'information_schema')";
    let mut connection = server::connection(url).await;
    let names: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut connection).await.unwrap();
    let mut found = Vec::new();
    for name in names {
        let rows = AssertSqlSafe(format!("SELECT row::text FROM {name} AS row"));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.unwrap();
        found.push((name, rows.join("\n").into()));
    }
    found
}

/// The rows of all tables of a file, with binary columns in hexadecimal digits.
async fn tables_of_file(path: &std::path::Path) -> Found {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let names = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let names: Vec<String> = sqlx::query_scalar(names).fetch_all(&mut connection).await.unwrap();
    let mut found = Vec::new();
    for name in names {
        let columns =
            "SELECT group_concat('quote(\"' || name || '\")', ' || '' '' || ') FROM pragma_table_info(?1)";
        let columns: String =
            sqlx::query_scalar(columns).bind(&name).fetch_one(&mut connection).await.unwrap();
        let rows = AssertSqlSafe(format!("SELECT {columns} FROM \"{name}\""));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.unwrap();
        found.push((format!("the table {name}"), rows.join("\n").into()));
    }
    found
}

/// The records of all topics with this prefix, from the first one on, also those of transactions that were not committed.
fn topics(servers: &str, prefix: &str) -> Found {
    const WAIT: Duration = Duration::from_secs(30);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers.trim_start_matches("kafka://").trim_end_matches('/'))
        .set("group.id", "nobody")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_uncommitted")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(None, WAIT).unwrap();
    let topics = metadata.topics().iter().filter(|topic| topic.name().starts_with(prefix));
    let mut partitions = TopicPartitionList::new();
    let mut found: Found = Vec::new();
    for topic in topics {
        found.push((topic.name().to_owned(), Vec::new()));
        for partition in topic.partitions() {
            partitions.add_partition_offset(topic.name(), partition.id(), Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&partitions).unwrap();
    let mut to_end = partitions.count();
    while to_end > 0 {
        match consumer.poll(WAIT).expect("a broker answers within the bound") {
            Err(KafkaError::PartitionEOF(_)) => to_end -= 1,
            record => {
                let record = record.unwrap();
                let (_, bytes) = found.iter_mut().find(|(topic, _)| topic == record.topic()).unwrap();
                append(bytes, &record);
            }
        }
    }
    found
}

fn append(bytes: &mut Vec<u8>, record: &BorrowedMessage<'_>) {
    for header in record.headers().iter().flat_map(|headers| headers.iter()) {
        bytes.extend_from_slice(header.key.as_bytes());
        bytes.extend_from_slice(header.value.unwrap_or_default());
    }
    bytes.extend_from_slice(record.key().unwrap_or_default());
    bytes.extend_from_slice(record.payload().unwrap_or_default());
    bytes.push(b'\n');
}

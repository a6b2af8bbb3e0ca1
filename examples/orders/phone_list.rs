//! The phone list: a read model for those who call customers back, with names and phones in plain text. So it is made anew when a
//! customer is forgotten.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use async_trait::async_trait;
use jitney::error_chain;
use jitney::sourcing::EventStore;
use jitney::sourcing::projection::Rebuilds;

use super::recipient::Recipient;
use super::store::Store;

/// The list in a database.
#[async_trait]
pub trait PhoneList: Send + Sync {
    /// Has it follow `events` to their end. It is made where there is none.
    ///
    /// # Errors
    ///
    /// When database or store do not answer, or an event cannot be handled.
    async fn catch_up(&self, events: Arc<dyn EventStore>) -> jitney::Result<()>;

    /// How it is made anew, where there is one: of `events`, without anybody who is forgotten.
    fn rebuilds(&self, events: Arc<dyn EventStore>) -> Rebuilds;

    /// Who gets each order.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    async fn recipients(&self) -> jitney::Result<BTreeMap<String, Recipient>>;
}

/// Prints the list as it is behind all events that `store` has.
///
/// # Errors
///
/// When the store does not answer, an event cannot be handled, or nothing can be printed.
pub async fn show(store: &Store, out: &mut impl Write) -> Result<(), String> {
    let none = || format!("{} keeps no phone list: name a file or a database", store.events.describe());
    let phones = store.phones.clone().ok_or_else(none)?;
    phones.catch_up(Arc::clone(&store.events)).await.map_err(|error| error_chain(&error))?;
    let recipients = phones.recipients().await.map_err(|error| error_chain(&error))?;
    recipients
        .iter()
        .try_for_each(|(order, Recipient { contact, phone })| writeln!(out, "{order}  {contact}  {phone}"))
        .map_err(|error| format!("writing the phone list: {error}"))
}

/// The list on one database: the statements are the same, the connection is another.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! on_database {
    ($module:ident, $model:ident, $connection:ident, $table:literal, $pool:ident) => {
        mod $module {
            use std::collections::BTreeMap;
            use std::sync::Arc;

            use async_trait::async_trait;
            use jitney::handler::HandlerError;
            use jitney::prelude::*;
            use jitney::privacy::Revealed;
            use jitney::sourcing::projection::Rebuilds;
            use jitney::sourcing::{EventStore, Projector};
            use jitney::sql::$model;
            use jitney::sql::sqlx::{self, $connection};

            use super::super::recipient::{OrderAddressed, Recipient};
            use super::super::wait;
            use super::PhoneList;

            struct Phones;

            #[projection(name = "phone_list", version = 1)]
            impl Phones {
                #[prepare]
                async fn table(&self, tx: &mut $connection) -> Result<(), HandlerError> {
                    let table = "CREATE TABLE phones (order_id text PRIMARY KEY, contact text NOT NULL, phone text NOT NULL)";
                    sqlx::query(table).execute(tx).await?;
                    Ok(())
                }

                #[handler]
                async fn addressed(&self, event: OrderAddressed, tx: &mut $connection) -> Result<(), HandlerError> {
                    match event.recipient.reveal() {
                        Revealed::Known(Recipient { contact, phone }) => {
                            let insert = sqlx::query("INSERT INTO phones (order_id, contact, phone) VALUES ($1, $2, $3)");
                            insert.bind(event.order_id).bind(contact).bind(phone).execute(tx).await?;
                            Ok(())
                        }
                        Revealed::Erased => Ok(()),
                        Revealed::Sealed => Err(HandlerError::permanent("the store has no vault that opens recipients")),
                    }
                }
            }

            #[async_trait]
            impl PhoneList for $model {
                async fn catch_up(&self, events: Arc<dyn EventStore>) -> jitney::Result<()> {
                    let projector = Projector::new(events, self.clone(), Phones).start().await?;
                    let there = projector.wait_for_end(wait::PATIENCE).await;
                    projector.shutdown().await?;
                    Ok(there?)
                }

                fn rebuilds(&self, events: Arc<dyn EventStore>) -> Rebuilds {
                    let model = self.clone();
                    Rebuilds::new().of(move || Projector::new(Arc::clone(&events), model.clone(), Phones))
                }

                async fn recipients(&self) -> jitney::Result<BTreeMap<String, Recipient>> {
                    let sql = concat!("SELECT order_id, contact, phone FROM ", $table);
                    let rows = sqlx::query_as::<_, (String, String, String)>(sql).fetch_all(self.$pool()).await;
                    let rows = rows.map_err(|error| {
                        let what = "reading the phone list";
                        jitney::Error::new(jitney::ErrorKind::Transport, what).with_source(error)
                    })?;
                    let row = |(order, contact, phone)| (order, Recipient { contact, phone });
                    Ok(rows.into_iter().map(row).collect())
                }
            }
        }
    };
}

#[cfg(feature = "sqlite")]
on_database!(sqlite, SqliteReadModel, SqliteConnection, "phones", readers);
#[cfg(feature = "postgres")]
on_database!(postgres, PostgresReadModel, PgConnection, "phone_list.phones", pool);

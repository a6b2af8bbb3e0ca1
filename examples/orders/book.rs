//! The order book: a read model beside the events of a store, for questions that no order answers alone. How many orders are at
//! each stage, and what are they worth?
//!
//! It follows the store as a projection does, so it can be made anew at any time, beside the one that is read.

use std::sync::Arc;

use async_trait::async_trait;
use jitney::sourcing::EventStore;
use jitney::sourcing::projection::Progress;
use rust_decimal::Decimal;

/// How many events go into the book at once.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
const BATCH: usize = 200;

/// The orders at one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtStage {
    pub stage: String,
    pub orders: usize,
    pub net: Decimal,
}

/// What is told of how far a rebuild is.
pub type Told = Box<dyn Fn(&Progress) + Send + Sync>;

/// The book in a database.
#[async_trait]
pub trait OrderBook: Send + Sync {
    /// Has it follow `events` to their end. It is made where there is none.
    ///
    /// # Errors
    ///
    /// When database or store do not answer, or an event cannot be handled.
    async fn catch_up(&self, events: Arc<dyn EventStore>) -> jitney::Result<()>;

    /// Makes it anew beside the one that is there, which is read until the new one takes its place.
    ///
    /// # Errors
    ///
    /// As [`catch_up`](Self::catch_up).
    async fn rebuild(&self, events: Arc<dyn EventStore>, told: Told) -> jitney::Result<()>;

    /// What readers see, by stage.
    ///
    /// # Errors
    ///
    /// When the database does not answer.
    async fn stages(&self) -> jitney::Result<Vec<AtStage>>;
}

/// The book on one database: the statements are the same, the connection is another.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
macro_rules! on_database {
    ($module:ident, $model:ident, $connection:ident, $table:literal, $pool:ident) => {
        pub mod $module {
            use std::sync::Arc;

            use async_trait::async_trait;
            use jitney::handler::HandlerError;
            use jitney::prelude::*;
            use jitney::sourcing::{EventStore, Projector};
            use jitney::sql::sqlx::{self, $connection};
            use jitney::sql::$model;

            use super::super::order::{Order, OrderEvent, Stage};
            use super::super::{money, wait};
            use super::{AtStage, BATCH, OrderBook, Told};

            struct Book;

            #[projection(name = "order_book", version = 1)]
            impl Book {
                #[prepare]
                async fn table(&self, tx: &mut $connection) -> Result<(), HandlerError> {
                    let table = "CREATE TABLE orders (order_id text PRIMARY KEY, stage text NOT NULL, net bigint NOT NULL)";
                    sqlx::query(table).execute(tx).await?;
                    Ok(())
                }

                #[handler]
                async fn happened(
                    &self,
                    event: Envelope<OrderEvent>,
                    tx: &mut $connection,
                ) -> Result<(), HandlerError> {
                    let (id, mut order) = (event.aggregate_id(), Order::default());
                    order.evolve(&event);
                    let stage = order.stage().to_string();
                    let changed = match order.stage() {
                        Stage::Created => {
                            let insert = sqlx::query("INSERT INTO orders (order_id, stage, net) VALUES ($1, $2, $3)");
                            let net = money::units(order.net()).ok_or("the order is worth more than a book has room for")?;
                            insert.bind(id).bind(stage).bind(net).execute(tx).await?
                        }
                        _ => {
                            let update = sqlx::query("UPDATE orders SET stage = $2 WHERE order_id = $1");
                            update.bind(id).bind(stage).execute(tx).await?
                        }
                    };
                    match changed.rows_affected() {
                        1 => Ok(()),
                        _ => Err(HandlerError::permanent(format!("order `{id}` was never created"))),
                    }
                }
            }

            #[async_trait]
            impl OrderBook for $model {
                async fn catch_up(&self, events: Arc<dyn EventStore>) -> jitney::Result<()> {
                    let projector = Projector::new(events, self.clone(), Book).batch(BATCH).start().await?;
                    let there = projector.wait_for_end(wait::PATIENCE).await;
                    projector.shutdown().await?;
                    Ok(there?)
                }

                async fn rebuild(&self, events: Arc<dyn EventStore>, told: Told) -> jitney::Result<()> {
                    let projector = Projector::new(events, self.clone(), Book).batch(BATCH);
                    Ok(projector.on_progress(told).rebuild().await?)
                }

                async fn stages(&self) -> jitney::Result<Vec<AtStage>> {
                    let sql = concat!(
                        "SELECT stage, count(*), CAST(sum(net) AS bigint) FROM ",
                        $table,
                        " GROUP BY stage ORDER BY stage"
                    );
                    let rows = sqlx::query_as::<_, (String, i64, i64)>(sql).fetch_all(self.$pool()).await;
                    let rows = rows.map_err(|error| {
                        let what = "reading the order book";
                        jitney::Error::new(jitney::ErrorKind::Transport, what).with_source(error)
                    })?;
                    let stage = |(stage, orders, net): (String, i64, i64)| AtStage {
                        stage,
                        orders: usize::try_from(orders).unwrap_or(0),
                        net: money::of_units(net),
                    };
                    Ok(rows.into_iter().map(stage).collect())
                }
            }
        }
    };
}

#[cfg(feature = "sqlite")]
on_database!(sqlite, SqliteReadModel, SqliteConnection, "orders", readers);
#[cfg(feature = "postgres")]
on_database!(postgres, PostgresReadModel, PgConnection, "order_book.orders", pool);

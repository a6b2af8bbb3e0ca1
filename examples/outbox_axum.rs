//! The outbox in a web service: an order and the event that tells of it are stored in one transaction, or neither of them is.
//!
//! ```text
//! cargo run --example outbox_axum --features sqlite
//! curl -i -H 'content-type: application/json' -d '{"id": "o-1", "cents": 1999}' http://127.0.0.1:3000/orders
//! ```
//!
//! The service has no aggregates: its table is its truth. A relay publishes what is in the outbox, from where a crash cannot take it.
//! On PostgreSQL it is `PostgresOutbox`, in a transaction of the service's own `PgPool`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use jitney::memory::Memory;
use jitney::outbox::Relay;
use jitney::prelude::{App, Bus, Deserialize, DomainEvent, Serialize, handler, handlers, shutdown_signal};
use jitney::sql::sqlx::{self, sqlite::SqliteConnection};
use jitney::sql::{SqliteOutbox, SqliteStore};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = id)]
struct OrderPlaced {
    id: String,
    cents: i64,
}

#[handler(group = "notices")]
async fn tell(placed: OrderPlaced) {
    println!("order {} of {} cents was placed", placed.id, placed.cents);
}

/// What a request works with.
#[derive(Debug, Clone)]
struct Shop {
    database: SqliteStore,
    outbox: SqliteOutbox,
}

impl Shop {
    async fn open(database: SqliteStore) -> Result<Self, Box<dyn std::error::Error>> {
        let mut transaction = database.begin().await?;
        let table = "CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents > 0))";
        sqlx::query(table).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Shop { outbox: SqliteOutbox::of(&database), database })
    }

    fn routes(self) -> Router {
        Router::new().route("/orders", post(place)).with_state(self)
    }
}

async fn place(State(shop): State<Shop>, Json(order): Json<OrderPlaced>) -> (StatusCode, String) {
    match store(&shop, &order).await {
        Ok(()) => (StatusCode::CREATED, String::new()),
        // The transaction was dropped: there is neither an order nor an event.
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
    }
}

async fn store(shop: &Shop, order: &OrderPlaced) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut transaction = shop.database.begin().await?;
    let connection: &mut SqliteConnection = &mut transaction;
    shop.outbox.publish(connection, order).await?;
    let insert = sqlx::query("INSERT INTO orders VALUES (?1, ?2)").bind(&order.id).bind(order.cents);
    insert.execute(connection).await?;
    transaction.commit().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let shop = Shop::open(SqliteStore::open("shop.db").await?).await?;
    let bus = Bus::new(Memory::builder().build());
    let app = App::new("shop", bus.clone()).handlers(handlers![tell]).spawn().await?;
    let relay = Relay::new(shop.outbox.clone(), &bus).spawn();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, shop.routes()).with_graceful_shutdown(shutdown_signal()).await?;
    relay.shutdown().await?;
    app.shutdown().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::http::{Request, header::CONTENT_TYPE};
    use jitney::outbox::OutboxStore;
    use tower::ServiceExt;

    async fn answer(routes: &Router, order: &'static str) -> StatusCode {
        let request =
            Request::post("/orders").header(CONTENT_TYPE, "application/json").body(Body::from(order));
        routes.clone().oneshot(request.unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn there_is_an_event_for_each_order_that_is_stored_and_for_no_other() {
        let shop = Shop::open(SqliteStore::in_memory().await.unwrap()).await.unwrap();
        let (outbox, routes) = (shop.outbox.clone(), shop.routes());
        assert_eq!(answer(&routes, r#"{"id": "o-1", "cents": 1999}"#).await, StatusCode::CREATED);
        assert_eq!(answer(&routes, r#"{"id": "o-2", "cents": -1}"#).await, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(answer(&routes, r#"{"id": "o-1", "cents": 5}"#).await, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(outbox.backlog().await.unwrap().pending, 1);
    }
}

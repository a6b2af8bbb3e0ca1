//! An idempotent consumer: a payment is credited once, however often, and by whatever events, the service is told of it.
//!
//! ```text
//! cargo run --example idempotent_consumer --features sqlite
//! ```
//!
//! The handler writes in a transaction of its own database, in which the payment is marked as handled, and what it returns goes
//! into the outbox of that database: all of it, or nothing. The same on PostgreSQL is `Tx<Postgres>` and `PostgresInbox`.

use jitney::memory::Memory;
use jitney::outbox::Relay;
use jitney::prelude::*;
use jitney::sql::sqlx::{self, Sqlite};
use jitney::sql::{SqliteInbox, SqliteOutbox, SqliteStore, Tx};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Payment", id = payment)]
struct PaymentReceived {
    payment: String,
    account: String,
    cents: i64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account", id = account)]
struct AccountCredited {
    account: String,
    cents: i64,
}

const CREDIT: &str = "
INSERT INTO accounts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET cents = cents + excluded.cents RETURNING cents";

#[handler(group = "accounts", idempotent(key = payment))]
async fn credit(received: PaymentReceived, mut tx: Tx<Sqlite>) -> Result<AccountCredited, sqlx::Error> {
    let credit = sqlx::query_scalar(CREDIT).bind(&received.account).bind(received.cents);
    let cents = credit.fetch_one(&mut *tx).await?;
    Ok(AccountCredited { account: received.account, cents })
}

#[handler(group = "letters")]
async fn tell(credited: AccountCredited) {
    println!("{} has {} cents", credited.account, credited.cents);
}

/// A database with the service's own table.
async fn database() -> Result<SqliteStore, Box<dyn std::error::Error>> {
    let store = SqliteStore::in_memory().await?;
    let mut transaction = store.begin().await?;
    let table = "CREATE TABLE accounts (account TEXT PRIMARY KEY, cents INTEGER NOT NULL)";
    sqlx::query(table).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(store)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (store, memory) = (database().await?, Memory::builder().build());
    let bus = Bus::builder(memory.clone()).build();
    let app = App::new("bank", bus.clone())
        .inbox(SqliteInbox::of(&store))
        .handlers(handlers![credit, tell])
        .spawn()
        .await?;

    let received =
        |payment: &str, cents| PaymentReceived { payment: payment.into(), account: "Ada".into(), cents };
    for event in [received("p-1", 500), received("p-1", 500), received("p-2", 30)] {
        bus.publish(&event).await?; // each under an id of its own
    }
    memory.idle().await;
    // A service has a relay run beside it: `.spawn()`.
    Relay::new(SqliteOutbox::of(&store), &bus).drain().await?;
    memory.idle().await;
    app.shutdown().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jitney::sql::TxOwner;

    #[tokio::test]
    async fn a_payment_is_added_to_what_is_there() {
        let store = database().await.unwrap();
        let received = PaymentReceived { payment: "p-1".into(), account: "Ada".into(), cents: 500 };
        for cents in [500, 1000] {
            let owner = TxOwner::of(store.begin().await.unwrap());
            let credited = credit(received.clone(), owner.lend().unwrap()).await.unwrap();
            assert_eq!(credited, AccountCredited { account: "Ada".into(), cents });
            owner.take_back().unwrap().commit().await.unwrap();
        }
    }
}

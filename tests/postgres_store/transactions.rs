//! Appends in a transaction of the application's own.

use jitney::sourcing::{Append, Error, ErrorKind, EventStore, Expected, ReadStream, TransactionalStore};
use jitney::sql::sqlx::{Connection, query_scalar, raw_sql};

use super::server::{add, append, connection, database, ids, read_to_end, store, stream, up};
use jitney::sql::PostgresStore;
use jitney_core::Env;

#[tokio::test]
async fn events_come_and_go_with_the_callers_transaction() {
    let store = store().await;
    raw_sql("CREATE TABLE orders (id int)").execute(store.pool()).await.unwrap();
    for is_kept in [false, true] {
        let mut transaction = store.pool().begin().await.unwrap();
        raw_sql("INSERT INTO orders VALUES (1)").execute(&mut *transaction).await.unwrap();
        store.append_in(&mut transaction, append("a", Expected::New, &["one"])).await.unwrap();
        match is_kept {
            true => transaction.commit().await.unwrap(),
            false => transaction.rollback().await.unwrap(),
        }
        let events = store.read_stream(&stream("a"), ReadStream::forward()).await.unwrap();
        assert_eq!(events.len(), usize::from(is_kept));
    }
    let orders: i64 = query_scalar("SELECT count(*) FROM orders").fetch_one(store.pool()).await.unwrap();
    assert_eq!(orders, 1);
}

#[tokio::test]
async fn a_refused_append_leaves_the_transaction_usable() {
    let store = store().await;
    add(&store, "a", "one").await;
    let mut transaction = store.pool().begin().await.unwrap();
    let known = store.append_in(&mut transaction, append("a", Expected::Any, &["one"])).await.unwrap_err();
    assert_eq!(known.duplicate().map(|duplicate| duplicate.sequence), Some(1));
    let stale = store.append_in(&mut transaction, append("a", Expected::New, &["two"])).await.unwrap_err();
    assert_eq!(stale.conflict().map(|conflict| conflict.actual), Some(1));
    store.append_in(&mut transaction, append("a", Expected::Exact(1), &["two"])).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(ids(&read_to_end(&store).await), ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_wait_for_each_other_end_with_one_that_may_try_again() {
    let url = database().await;
    let store = PostgresStore::connect(&url).await.unwrap();
    let (mut one, mut two) = (connection(&url).await, connection(&url).await);
    let (mut first, mut second) = (one.begin().await.unwrap(), two.begin().await.unwrap());
    store.append_in(&mut first, append("a", Expected::New, &["1"])).await.unwrap();
    store.append_in(&mut second, append("b", Expected::New, &["2"])).await.unwrap();
    let crossing = tokio::join!(
        async {
            let appended = store.append_in(&mut first, append("b", Expected::Any, &["3"])).await;
            first.rollback().await.unwrap();
            appended
        },
        async {
            let appended = store.append_in(&mut second, append("a", Expected::Any, &["4"])).await;
            second.rollback().await.unwrap();
            appended
        }
    );
    let errors: Vec<_> = [crossing.0, crossing.1].into_iter().filter_map(Result::err).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((errors[0].kind(), errors[0].is_retryable()), (ErrorKind::Store, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_that_name_the_same_streams_in_other_orders_do_not_wait_for_each_other() {
    let store = store().await;
    let env = Env::system();
    let writing: Vec<_> = [("a", "b"), ("b", "a"), ("a", "b"), ("b", "a")]
        .into_iter()
        .enumerate()
        .map(|(writer, (first, second))| {
            let store = store.clone();
            env.spawn(async move {
                for number in 0..50 {
                    let events = |name| [up(&format!("{writer}-{name}-{number}"), 1)];
                    let append = Append::to(stream(first), Expected::Any, events(first));
                    store.append(append.and_to(stream(second), Expected::Any, events(second))).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .collect();
    for writer in writing {
        writer.await.unwrap().unwrap();
    }
}

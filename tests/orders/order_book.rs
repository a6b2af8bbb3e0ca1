//! The order book: right, and made anew while it is read.

use crate::bench::{line, read};
use crate::orders::cli::{FINE, MISUSED};
use crate::sourced_database::Database;
use crate::sourced_stores::{call, run};

/// The lines that a command on the book of `store` prints.
async fn lines(command: &str, store: &str) -> Vec<String> {
    let printed = call(&[command, "--store", store]).await;
    assert_eq!(printed.code, FINE, "{}", printed.err);
    printed.out.lines().map(str::to_owned).collect()
}

/// What a book prints of a stage: orders, and net.
fn of(lines: &[String], stage: &str) -> (u64, String) {
    let line = lines.iter().find(|line| line.starts_with(stage));
    let words: Vec<_> = line.unwrap_or_else(|| panic!("{stage} in {lines:?}")).split_whitespace().collect();
    (words[1].parse().unwrap(), words[2].to_owned())
}

/// `spoil` makes every order in the book one that is spoilt.
async fn is_made_anew_while_it_is_read(database: &Database, spoil: impl AsyncFn()) {
    let mut some: String = read("orders.jsonl").split_inclusive('\n').take(59).collect();
    some += &line("dear", 1, "20000.00");
    let figures = run(Some(database.url()), &some).await.figures();
    let book = lines("book", database.url()).await;
    let (all, net) = of(&book, "all");
    assert_eq!((all, &*net), (60, figures["net"].as_str().unwrap()), "{book:?}");
    assert_eq!(of(&book, "shipped").0, figures["shipped"].as_u64().unwrap());
    assert_eq!((of(&book, "cancelled").0, figures["cancelled"].as_u64()), (1, Some(1)));

    spoil().await;
    assert_eq!(of(&lines("book", database.url()).await, "spoilt"), (60, net));
    let mut rebuilt = lines("rebuild", database.url()).await;
    let how = rebuilt.pop().unwrap();
    assert_eq!(rebuilt, book, "{how}");
    let events = figures["eventsByType"].as_object().unwrap().values().map(|number| number.as_u64().unwrap());
    assert!(how.starts_with(&format!("rebuilt of {} events, ", events.sum::<u64>())), "{how}: {figures}");
    assert!(how.contains("/s; read ") && how.ends_with("60 orders each time"), "{how}");

    // What comes later is in the new one.
    run(Some(database.url()), &line("late", 1, "5.00")).await.figures();
    assert_eq!(of(&lines("book", database.url()).await, "all").0, 61);
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn the_book_on_sqlite_is_made_anew_while_it_is_read() {
    let database = Database::sqlite();
    let spoil = async || {
        let store = jitney::sql::SqliteStore::open(database.url()).await.unwrap();
        let mut transaction = store.begin().await.unwrap();
        let spoil = jitney::sql::sqlx::query("UPDATE orders SET stage = 'spoilt'");
        spoil.execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    };
    is_made_anew_while_it_is_read(&database, spoil).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn the_book_on_postgres_is_made_anew_while_it_is_read() {
    use jitney::sql::sqlx::{Connection, PgConnection, query};
    let database = Database::postgres().await;
    let spoil = async || {
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        query("UPDATE order_book.orders SET stage = 'spoilt'").execute(&mut connection).await.unwrap();
    };
    is_made_anew_while_it_is_read(&database, spoil).await;
}

#[tokio::test]
async fn a_book_needs_a_store_that_lasts() {
    for arguments in [
        &["book"][..],
        &["rebuild", "--store", "memory"],
        &["rebuild", "--json", "--store", "sqlite://no.db"],
    ] {
        let printed = call(arguments).await;
        assert_eq!((printed.code, &*printed.out), (MISUSED, ""), "{arguments:?}: {}", printed.err);
    }
}

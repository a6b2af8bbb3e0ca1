//! Sourced orders on SQLite, PostgreSQL and Kafka, by the command line: totals, a second run, and questions to the past.

use clap::Parser;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::bench::{line, read};
use crate::orders::arguments::Arguments;
use crate::orders::cli::{FAILED, FINE, MISUSED, perform};
use crate::sourced_database::Database;

/// What a call has printed.
pub struct Printed {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl Printed {
    /// The figures of orders, without those of the process that prints them.
    pub fn figures(&self) -> Value {
        assert_eq!(self.code, FINE, "{}", self.err);
        let mut figures: Value = serde_json::from_str(&self.out).unwrap();
        for name in ["handled", "duplicates", "retries"] {
            figures.as_object_mut().unwrap().remove(name);
        }
        figures
    }
}

pub async fn call(arguments: &[&str]) -> Printed {
    let arguments = Arguments::try_parse_from([&["orders"], arguments].concat()).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = perform(&arguments, &ProgressBar::hidden(), &mut out, &mut err).await;
    Printed { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

/// A run with `store`, or without one.
pub async fn run(store: Option<&str>, input: &str) -> Printed {
    let path = std::env::temp_dir().join(format!("jitney-orders-input-{}", jitney::Env::system().new_id()));
    std::fs::write(&path, input).unwrap();
    let input = path.to_str().unwrap();
    let store = store.map_or(Vec::new(), |store| vec!["--store", store]);
    let printed = call(&[&["--json", "--bus", "memory://", "--input", input], &*store].concat()).await;
    std::fs::remove_file(&path).unwrap();
    printed
}

/// `figures` as of a run in which so many orders were there before.
fn with_refused(mut figures: Value, refused: usize) -> Value {
    figures["refused"] = json!(refused);
    figures["eventsByType"]["OrderRefused"] = json!(refused);
    figures
}

async fn has_the_figures_of_a_run_without_a_store(database: &Database, input: &str) {
    let plain = run(None, input).await.figures();
    let first = run(Some(database.url()), input).await.figures();
    assert_eq!(first, plain);
    let end = database.end().await;
    let second = run(Some(database.url()), input).await.figures();
    assert_eq!(second, with_refused(plain, input.lines().count()));
    assert_eq!(database.end().await, end, "the second run has stored something");
}

/// The time, the event and the state of each event of an order.
async fn replayed(store: &str, order_id: &str) -> Vec<[String; 3]> {
    let Printed { code, out, err } = call(&["replay", "--store", store, "--aggregate", order_id]).await;
    assert_eq!(code, FINE, "{err}");
    let lines: Vec<_> = out.lines().collect();
    let events = lines.chunks(2).zip(1..).map(|(event, sequence)| {
        let head: Vec<_> = event[0].split_whitespace().collect();
        assert_eq!(head[0], sequence.to_string(), "{out}");
        [head[1].to_owned(), head[2..].join(" "), event[1].trim().to_owned()]
    });
    events.collect()
}

async fn answers_about_the_past(database: &Database) {
    let store = database.url();
    let dear = line("dear", 1, "20000.00");
    let before = run(Some(store), &(line("cheap", 2, "1.00") + &dear)).await.figures();
    let events = replayed(store, "dear").await;
    let shown: Vec<_> = events.iter().map(|[_, event, state]| (&**event, &**state)).collect();
    let declined = "lines 1, net 20000.00, declined because 20000.00 is above the limit of 10000.00";
    assert_eq!(
        shown,
        [
            ("OrderCreated 2.0", "created: lines 1, net 20000.00"),
            ("StockReserved 1.0", "reserved: lines 1, net 20000.00"),
            ("PaymentDeclined 1.0", &format!("declined: {declined}")),
            ("StockReleased 1.0", &format!("released: {declined}")),
            ("OrderCancelled 1.0", &format!("cancelled: {declined}")),
        ]
    );
    for [time, _, _] in &events {
        let as_of = call(&["as-of", time, "--store", store, "--aggregate", "dear"]).await;
        // Several may have been recorded in one millisecond.
        let (sequence, last) = events.iter().enumerate().rfind(|(_, [other, _, _])| other == time).unwrap();
        assert_eq!(as_of.out, format!("{:>4}  {}\n", sequence + 1, last[2]), "{}", as_of.err);
    }

    let times = [&events[4][0], &replayed(store, "cheap").await.pop().unwrap()[0]].map(String::clone);
    let then = times.iter().max().unwrap();
    until_behind(then).await;
    let after = run(Some(store), &line("late", 1, "5.00")).await.figures();
    assert_eq!((&before["orders"], &after["orders"]), (&json!(2), &json!(3)));
    assert_eq!(call(&["as-of", then, "--store", store, "--json"]).await.figures(), before);
    assert_eq!(call(&["as-of", "9999-01-01T00:00:00Z", "--store", store, "--json"]).await.figures(), after);
    let none = call(&["as-of", "1996-07-04T00:00:00Z", "--store", store, "--json"]).await.figures();
    assert_eq!((&none["orders"], &none["net"]), (&json!(0), &json!("0.00")));

    let nobody = call(&["replay", "--store", store, "--aggregate", "nobody"]).await;
    assert_eq!((nobody.code, &*nobody.out), (FAILED, ""));
    assert!(
        nobody.err.starts_with("error: there is no order `nobody` in the event store "),
        "{}",
        nobody.err
    );
    let early = call(&["as-of", "1996-07-04T00:00:00Z", "--store", store, "--aggregate", "dear"]).await;
    assert_eq!(early.code, FAILED);
    assert!(early.err.contains("no order `dear`") && early.err.contains("at 1996-07-04"), "{}", early.err);
}

/// Waits until the clock is behind `time`, so that what is recorded from now on is later.
async fn until_behind(time: &str) {
    let time: jiff::Timestamp = time.parse().unwrap();
    let env = jitney::Env::system();
    while env.now().as_millisecond() <= time.as_millisecond() {
        env.sleep(std::time::Duration::from_millis(1)).await;
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn all_orders_on_sqlite_have_the_figures_of_a_run_without_a_store_and_are_refused_the_second_time() {
    has_the_figures_of_a_run_without_a_store(&Database::sqlite(), &read("orders.jsonl")).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_answers_about_the_past() {
    answers_about_the_past(&Database::sqlite()).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn orders_on_postgres_have_the_figures_of_a_run_without_a_store_and_are_refused_the_second_time() {
    let some: String = read("orders.jsonl").split_inclusive('\n').take(200).collect();
    has_the_figures_of_a_run_without_a_store(&Database::postgres().await, &some).await;
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn postgres_answers_about_the_past() {
    answers_about_the_past(&Database::postgres().await).await;
}

#[cfg(feature = "kafka")]
#[tokio::test(flavor = "multi_thread")]
async fn orders_on_kafka_have_the_figures_of_a_run_without_a_store_and_are_refused_the_second_time() {
    let some: String = read("orders.jsonl").split_inclusive('\n').take(100).collect();
    has_the_figures_of_a_run_without_a_store(&Database::kafka(), &some).await;
}

#[cfg(feature = "kafka")]
#[tokio::test(flavor = "multi_thread")]
async fn kafka_answers_about_the_past() {
    answers_about_the_past(&Database::kafka()).await;
}

#[tokio::test]
async fn what_makes_no_sense_is_said() {
    for (arguments, part) in [
        (&["--store", "mongodb://localhost"][..], "there is none for `mongodb`; there are `--store memory`"),
        (&["--store", "postgrs://me:secret@here"], "there is none for `postgrs`"),
        (&["--store", "orders.db"], "`--store sqlite://orders.db`"),
        (
            &["--store", "memory", "--role", "stock", "--state", "there"],
            "`--store` is for a run in one process",
        ),
        (&["replay", "--aggregate", "A"], "name the store"),
        (&["replay", "--aggregate", "A", "--store", "memory"], "one in memory has ended"),
        (
            &["--repeat", "2", "as-of", "2026-01-31T17:00:00Z", "--store", "sqlite://no.db"],
            "leave out what is for a run",
        ),
        (
            &["replay", "--aggregate", "A", "--json", "--store", "sqlite://no.db"],
            "`--json` is for the figures",
        ),
    ] {
        let Printed { code, out, err } = call(arguments).await;
        assert_eq!((code, &*out), (MISUSED, ""), "{arguments:?}: {err}");
        assert!(err.contains(part) && !err.contains("secret"), "{arguments:?}: {err}");
    }
    #[cfg(feature = "privacy")]
    for (arguments, part) in [
        (&["--store", "sqlite://no.db", "--customers", "no.jsonl"][..], "the keys of customers would not"),
        (&["phones", "--store", "sqlite://no.db"], "name where the keys are"),
        (&["forget", "VINET", "--store", "sqlite://no.db"], "name where the keys are"),
    ] {
        let Printed { code, out, err } = call(arguments).await;
        assert_eq!((code, &*out), (MISUSED, ""), "{arguments:?}: {err}");
        assert!(err.contains(part), "{arguments:?}: {err}");
    }
    for time in ["yesterday", "2026-01-31", "2026-01-31T17:00:00"] {
        let refused = Arguments::try_parse_from(["orders", "as-of", time, "--store", "sqlite://no.db"]);
        let said = refused.unwrap_err().to_string();
        assert!(said.contains(time) && said.contains("write a time like 2026-01-31T17:00:00Z"), "{said}");
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_question_makes_no_store() {
    let database = Database::sqlite();
    let Printed { code, err, .. } = call(&["replay", "--aggregate", "A", "--store", database.url()]).await;
    assert_eq!(code, MISUSED, "{err}");
    assert!(!database.exists(), "{err}");
}

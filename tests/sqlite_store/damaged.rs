//! Rows that another program has changed.

use jitney::sourcing::{ErrorKind, EventStore, Filter, Position, ReadStream};
use jitney::sql::{SqliteStore, sqlx};
use sqlx::{Connection, SqliteConnection};

use super::events::{append, stream};
use super::folder::Folder;

/// A store with three events, after `sql` was executed behind its back.
async fn damaged_by(folder: &Folder, sql: &'static str) -> SqliteStore {
    let path = folder.path("a.db");
    let store = SqliteStore::open(&path).await.unwrap();
    append(&store, "a", &["1", "2", "3"]).await.unwrap();
    let mut other = SqliteConnection::connect(&path).await.unwrap();
    sqlx::query("PRAGMA foreign_keys = off").execute(&mut other).await.unwrap();
    sqlx::query(sql).execute(&mut other).await.unwrap();
    store
}

/// Reading the stream fails by what is wrong with event 2.
async fn reading_names(name: &str, sql: &'static str, what: &str) {
    let folder = Folder::new(name);
    let store = damaged_by(&folder, sql).await;
    for read in [ReadStream::forward(), ReadStream::backward(), ReadStream::forward().from(2)] {
        let error = store.read_stream(&stream("a"), read).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{error:?}");
        let text = error.to_string();
        assert!(text.contains("event 2 of stream Log/a") && text.contains(what), "{text}");
    }
}

#[tokio::test]
async fn metadata_that_is_no_json_is_named() {
    let sql = "UPDATE jitney_events SET metadata = '{nonsense' WHERE sequence = 2";
    reading_names("metadata", sql, "its metadata cannot be read").await;
}

#[tokio::test]
async fn a_version_and_a_time_that_are_none_are_named() {
    let sql = "UPDATE jitney_events SET version = 'two' WHERE sequence = 2";
    reading_names("version", sql, "its version is none").await;
    let sql = "UPDATE jitney_events SET time = 9223372036854775807 WHERE sequence = 2";
    reading_names("time", sql, "its time is out of range").await;
}

#[tokio::test]
async fn a_payload_that_is_no_text_is_named() {
    let sql = "UPDATE jitney_events SET payload = CAST(x'ff' AS TEXT) WHERE sequence = 2";
    reading_names("payload", sql, "its payload is no text").await;
}

#[tokio::test]
async fn a_sequence_that_is_missing_is_named() {
    reading_names("sequence", "DELETE FROM jitney_events WHERE sequence = 2", "stream Log/a").await;
}

#[tokio::test]
async fn a_last_event_that_is_missing_is_named() {
    let folder = Folder::new("last");
    let store = damaged_by(&folder, "DELETE FROM jitney_events WHERE sequence = 3").await;
    for read in [ReadStream::forward(), ReadStream::backward(), ReadStream::forward().from(3)] {
        let error = store.read_stream(&stream("a"), read).await.unwrap_err();
        assert!(error.to_string().contains("event 3 of stream Log/a"), "{error}");
    }
}

#[tokio::test]
async fn a_stream_that_is_missing_is_not_passed_over() {
    let folder = Folder::new("stream");
    let store = damaged_by(&folder, "DELETE FROM jitney_streams").await;
    let error = store.read_all(&Position::START, &Filter::all(), 10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("position 1: its stream is missing"), "{error}");
}

#[tokio::test]
async fn a_stream_that_is_said_to_end_too_early_takes_no_events() {
    let folder = Folder::new("early");
    let store = damaged_by(&folder, "UPDATE jitney_streams SET last_sequence = 1").await;
    let error = append(&store, "a", &["4"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("Log/a at 1"), "{error}");
}

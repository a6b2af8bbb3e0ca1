//! The transaction of one attempt.

use async_trait::async_trait;
use jitney_core::Error;
use jitney_core::handler::{Context, FromContext, HandlerError, Requirement};
use jitney_core::inbox::UnitOfWork;
use jitney_core::outbox::OutboxEvent;
use sqlx::Sqlite;

use super::{CONTAINS, SqliteInbox};
use crate::inbox::{outbox_rows, was_ended};
use crate::sqlite::error::commit_failed;
use crate::sqlite::outbox::insert;
use crate::tx::{Tx, TxOwner};

const DOING: &str = "committing the transaction of an event";

/// A mark as it is stored.
#[derive(Debug)]
pub(super) struct Mark {
    pub(super) group: String,
    pub(super) is_natural: bool,
    pub(super) key: String,
}

/// A transaction in which events are marked as handled.
#[derive(Debug)]
pub(super) struct SqliteUnit {
    /// One of those that it has made, where it has made any.
    pub(super) mark: Option<Mark>,
    pub(super) owner: TxOwner<Sqlite>,
    pub(super) inbox: SqliteInbox,
}

#[async_trait]
impl UnitOfWork for SqliteUnit {
    async fn commit(self: Box<Self>, outputs: Vec<OutboxEvent>) -> Result<(), Error> {
        let SqliteUnit { mark, owner, inbox } = *self;
        let mut transaction = owner.take_back()?;
        let rows = outbox_rows(outputs, inbox.store.sealing()).await?;
        if let Some(Mark { group, is_natural, key }) = mark {
            // A conflict may have rolled it back, behind which each statement is a transaction of its own.
            let query = sqlx::query_scalar(CONTAINS).bind(group).bind(is_natural).bind(key);
            let is_there: bool =
                query.fetch_one(&mut *transaction).await.map_err(|error| inbox.store.failed(DOING, error))?;
            if !is_there {
                return Err(was_ended(DOING));
            }
        }
        let inserted = insert(&mut transaction, &rows).await;
        inserted.map_err(|error| inbox.store.failed(DOING, error))?;
        let committed = transaction.commit().await;
        committed.map_err(|error| commit_failed(inbox.store.place(), DOING, error))?;
        // A handler may have appended events to streams.
        inbox.store.wake_readers();
        inbox.clean_at_times();
        Ok(())
    }
}

/// What the inbox offers, and the extractor asks for.
pub(super) fn offer() -> Requirement {
    Requirement::transaction::<Tx<Sqlite>>("Tx<Sqlite>")
}

#[diagnostic::do_not_recommend]
impl FromContext for Tx<Sqlite> {
    async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
        let unit = cx.unit::<SqliteUnit>();
        let unit = unit.ok_or_else(|| HandlerError::permanent("the application has no inbox in SQLite"))?;
        Ok(unit.owner.lend()?)
    }

    fn requirement() -> Option<Requirement> {
        Some(offer())
    }
}

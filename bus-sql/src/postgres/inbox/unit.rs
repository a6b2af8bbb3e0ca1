//! The transaction of one attempt.

use async_trait::async_trait;
use jitney_core::handler::{Context, FromContext, HandlerError, Requirement};
use jitney_core::inbox::UnitOfWork;
use jitney_core::outbox::OutboxEvent;
use jitney_core::{Error, ErrorKind};
use sqlx::Postgres;

use super::PostgresInbox;
use crate::inbox::{outbox_rows, was_ended};
use crate::postgres::error::{Effect, failed};
use crate::postgres::outbox::insert;
use crate::tx::{Tx, TxOwner};

const DOING: &str = "committing the transaction of an event";

/// In a transaction that has failed, the server answers a commit by a rollback, and says nothing of it. This is refused there; and
/// it says which transaction this is.
const IS_WHOLE: &str = "SELECT pg_current_xact_id_if_assigned()::text";

/// The error code of everything that is sent in a transaction that has failed.
const IN_FAILED_TRANSACTION: &str = "25P02";

/// A transaction in which events are marked as handled.
#[derive(Debug)]
pub(super) struct PostgresUnit {
    /// Which transaction it is, where it has marked anything.
    pub(super) id: Option<String>,
    pub(super) owner: TxOwner<Postgres>,
    pub(super) inbox: PostgresInbox,
}

#[async_trait]
impl UnitOfWork for PostgresUnit {
    async fn commit(self: Box<Self>, outputs: Vec<OutboxEvent>) -> Result<(), Error> {
        let PostgresUnit { id, owner, inbox } = *self;
        let mut transaction = owner.take_back()?;
        let rows = outbox_rows(outputs, inbox.store.sealing()).await?;
        let is_whole = sqlx::query_scalar::<_, Option<String>>(IS_WHOLE).fetch_one(&mut *transaction).await;
        if is_whole.map_err(not_whole)? != id {
            return Err(was_ended(DOING));
        }
        if !rows.is_empty() {
            let inserted = insert(&mut transaction, inbox.store.schema(), &rows).await;
            inserted.map_err(|error| failed(DOING, error, Effect::None))?;
        }
        transaction.commit().await.map_err(|error| failed(DOING, error, Effect::Possible))?;
        // A handler may have appended events to streams.
        inbox.store.wake_readers();
        inbox.clean_at_times();
        Ok(())
    }
}

fn not_whole(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code());
    if code.is_some_and(|code| code == IN_FAILED_TRANSACTION) {
        let what = format!(
            "{DOING}: one of its statements has failed, and the handler went on; return the error, or try the statement in a \
             savepoint (`tx.begin()`)"
        );
        return Error::new(ErrorKind::Rejected, what).with_source(error).retryable(true);
    }
    failed(DOING, error, Effect::None).into()
}

/// What the inbox offers, and the extractor asks for.
pub(super) fn offer() -> Requirement {
    Requirement::transaction::<Tx<Postgres>>("Tx<Postgres>")
}

#[diagnostic::do_not_recommend]
impl FromContext for Tx<Postgres> {
    async fn from_context(cx: &Context<'_>) -> Result<Self, HandlerError> {
        let unit = cx.unit::<PostgresUnit>();
        let unit =
            unit.ok_or_else(|| HandlerError::permanent("the application has no inbox in PostgreSQL"))?;
        Ok(unit.owner.lend()?)
    }

    fn requirement() -> Option<Requirement> {
        Some(offer())
    }
}

//! Jitney on a store.

use std::sync::Arc;

use async_trait::async_trait;
use jitney::Env;
use jitney::sourcing::{
    Append, EventStore, Expected, Filter, NewEvent, Position, Repository, SnapshotPolicy, StreamId,
};

use super::account::{AGGREGATE, Account, AccountEvent, Deposit};
use super::subject::{ALL, BEHIND_SNAPSHOT, Failure, LONG, PAGE, SNAPSHOT_EVERY, Subject};

/// The account that is loaded.
pub const LONG_ACCOUNT: &str = "long";

/// How many streams the events are in that are read when all are.
const STREAMS: usize = 100;

/// A store, and the repositories on it.
pub struct Jitney {
    env: Env,
    /// Of commands and appends.
    store: Arc<dyn EventStore>,
    accounts: Repository<Account>,
    with_snapshots: Repository<Account>,
    /// What is read as a whole, and does not grow.
    filled: Arc<dyn EventStore>,
}

impl Jitney {
    /// On `store`; all events are read from `filled`.
    pub fn on(store: Arc<dyn EventStore>, filled: Arc<dyn EventStore>) -> Result<Self, Failure> {
        let accounts = Repository::new(Arc::clone(&store));
        let with_snapshots = accounts.clone().with_snapshots(SnapshotPolicy::every(SNAPSHOT_EVERY as u64))?;
        Ok(Jitney { env: Env::system(), store, accounts, with_snapshots, filled })
    }

    /// Makes the account that is loaded.
    pub async fn fill_account(&self) -> Result<(), Failure> {
        let mut long = self.with_snapshots.load(LONG_ACCOUNT).await?;
        for _ in 0..LONG / BEHIND_SNAPSHOT {
            long.raise(vec![AccountEvent::Deposited(Deposit::new()); BEHIND_SNAPSHOT])?;
            self.with_snapshots.save(&mut long).await?;
        }
        Ok(())
    }

    /// Makes the events that are read.
    pub async fn fill_all(&self) -> Result<(), Failure> {
        for stream in 0..STREAMS {
            let events = (0..ALL / STREAMS).map(|_| self.event()).collect::<Result<Vec<_>, _>>()?;
            let stream = StreamId::new(AGGREGATE, format!("account-{stream}"));
            self.filled.append(Append::to(stream, Expected::New, events)).await?;
        }
        Ok(())
    }

    fn event(&self) -> Result<NewEvent, Failure> {
        let (id, deposit) = (self.env.new_id(), AccountEvent::Deposited(Deposit::new()));
        let mut event = NewEvent::new(id, self.env.now(), &deposit)?;
        event.metadata.correlation_id = Some(self.env.new_id());
        Ok(event)
    }
}

#[async_trait]
impl Subject for Jitney {
    async fn command(&self, id: &str) -> Result<(), Failure> {
        self.accounts.handle(id, Deposit::new()).await?;
        Ok(())
    }

    async fn append(&self, id: &str) -> Result<(), Failure> {
        let append = Append::to(StreamId::new(AGGREGATE, id), Expected::Any, [self.event()?]);
        self.store.append(append).await?;
        Ok(())
    }

    async fn load(&self, with_snapshot: bool) -> Result<u64, Failure> {
        let accounts = if with_snapshot { &self.with_snapshots } else { &self.accounts };
        Ok(accounts.load(LONG_ACCOUNT).await?.cents)
    }

    async fn read_all(&self) -> Result<usize, Failure> {
        let (mut position, mut events) = (Position::START, 0);
        loop {
            let page = self.filled.read_all(&position, &Filter::all(), PAGE).await?;
            events += page.events.len();
            position = page.position;
            if page.at_end {
                return Ok(events);
            }
        }
    }
}

//! An aggregate with everything that it needs. Another store is another line: `SqliteStore::open("counters.db").await?`.

use jitney::prelude::*;
use jitney::sourcing::MemoryStore;

#[derive(Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Counter")]
enum CounterEvent {
    Incremented { by: u64 },
}

#[derive(Debug, thiserror::Error)]
#[error("the counter is full")]
struct Overflow;

#[derive(Default)]
struct Counter(u64);

impl Aggregate for Counter {
    type Event = CounterEvent;
    type Command = u64;
    type Error = Overflow;

    fn decide(&self, by: u64) -> Result<Events<CounterEvent>, Overflow> {
        self.0.checked_add(by).ok_or(Overflow)?;
        Ok(CounterEvent::Incremented { by }.into())
    }

    fn evolve(&mut self, CounterEvent::Incremented { by }: &CounterEvent) {
        self.0 += by;
    }
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let counters = Repository::<Counter>::new(MemoryStore::new());
    counters.handle("visits", 2).await?;
    let visits = counters.handle("visits", 3).await?;
    println!("{} visits in {} events", visits.state.0, visits.sequence);
    Ok(())
}

//! CQRS: what decides and what answers are two models. Commands go to aggregates, each of which knows itself alone; questions
//! about all of them go to a read model that is built from their events.
//!
//!     cargo run --example cqrs
//!
//! The read model here is a table in memory that follows the store by a `Subscription`. It is a little behind the aggregates:
//! who has to see a change of its own waits until the read model has reached the change's position.

use std::collections::BTreeMap;

use jitney::prelude::*;
use jitney::sourcing::{EventStore, Filter, MemoryStore, Position, Subscription};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Seat")]
enum SeatEvent {
    Booked { guest: String },
    Released,
}

#[derive(Debug, Clone)]
enum Command {
    Book { guest: String },
    Release,
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum Refusal {
    #[error("the seat is taken by {0}")]
    Taken(String),
    #[error("nobody has the seat")]
    Free,
}

/// The write side: one seat, and what may happen to it.
#[derive(Debug, Default)]
struct Seat {
    guest: Option<String>,
}

impl Aggregate for Seat {
    type Event = SeatEvent;
    type Command = Command;
    type Error = Refusal;

    fn decide(&self, command: Command) -> Result<Events<SeatEvent>, Refusal> {
        match (command, &self.guest) {
            (Command::Book { .. }, Some(guest)) => Err(Refusal::Taken(guest.clone())),
            (Command::Book { guest }, None) => Ok(SeatEvent::Booked { guest }.into()),
            (Command::Release, Some(_)) => Ok(SeatEvent::Released.into()),
            (Command::Release, None) => Err(Refusal::Free),
        }
    }

    fn evolve(&mut self, event: &SeatEvent) {
        self.guest = match event {
            SeatEvent::Booked { guest } => Some(guest.clone()),
            SeatEvent::Released => None,
        };
    }
}

/// The read side: who sits where, over all seats.
struct Seating {
    by_guest: BTreeMap<String, Vec<String>>,
    news: Subscription,
}

impl Seating {
    /// Built from everything that has happened, and what comes.
    fn of(store: impl EventStore) -> Self {
        let news = Subscription::new(store, Position::START, Filter::of::<SeatEvent>());
        Seating { by_guest: BTreeMap::new(), news }
    }

    /// Follows the store up to `position`.
    async fn reach(&mut self, position: &Position) -> jitney::Result<()> {
        while !self.news.position().has_reached(position) {
            for event in self.news.next().await? {
                let seat = event.stream().aggregate_id().to_owned();
                self.by_guest.values_mut().for_each(|seats| seats.retain(|other| *other != seat));
                if let SeatEvent::Booked { guest } = event.decode()? {
                    self.by_guest.entry(guest).or_default().push(seat);
                }
            }
        }
        Ok(())
    }

    fn seats_of(&self, guest: &str) -> &[String] {
        self.by_guest.get(guest).map_or(&[], Vec::as_slice)
    }
}

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let store = MemoryStore::new();
    let (seats, mut seating) = (Repository::<Seat>::new(store.clone()), Seating::of(store));
    for seat in ["1A", "1B", "7C"] {
        seats.handle(seat, Command::Book { guest: "Ada".into() }).await?;
    }
    if let Err(refused) = seats.handle("1A", Command::Book { guest: "Bob".into() }).await {
        println!("Bob: {refused}");
    }
    let released = seats.handle("1B", Command::Release).await?;
    if let Some(position) = released.position {
        seating.reach(&position).await?;
    }
    println!("Ada sits on {}", seating.seats_of("Ada").join(" and "));
    Ok(())
}

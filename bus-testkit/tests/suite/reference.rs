//! A tiny transport that keeps every promise: one log per topic, one queue per group.
//!
//! A key that is in flight with one member goes to no other, so that order per key holds among many members.

mod member;
mod transport;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;
use jitney_core::message::Message;
use jitney_core::transport::{Interest, Start, Token, Transport};
use jitney_core::{Capabilities, Env};

use transport::Reference;

pub(crate) const MAX_BYTES: usize = 256 << 10;
pub(crate) const SETTLE_WITHIN: Duration = Duration::from_secs(30);

type Instant = tokio::time::Instant;

/// The broker, to which any number of transports connect.
#[derive(Clone, Default)]
pub(crate) struct Broker(Arc<Mutex<State>>, Env);

#[derive(Default)]
struct State {
    topics: HashMap<String, Vec<Arc<Message>>>,
    groups: HashMap<String, Group>,
    /// Counts messages, members, epochs and tokens alike.
    counter: u64,
    wakers: Vec<Waker>,
}

#[derive(Default)]
struct Group {
    topics: Vec<String>,
    /// Unsettled messages that are with nobody, in the order of publishing.
    waiting: BTreeMap<(usize, usize), Entry>,
    in_flight: HashMap<Token, InFlight>,
    members: HashMap<u64, Member>,
    dead: Vec<Message>,
}

#[derive(Default)]
struct Member {
    epoch: u64,
    closed: bool,
    interrupted: bool,
}

#[derive(Clone)]
struct Entry {
    message: Arc<Message>,
    attempt: u32,
    not_before: Option<Instant>,
}

struct InFlight {
    place: (usize, usize),
    entry: Entry,
    member: u64,
    deadline: Instant,
}

impl State {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn store(&mut self, message: Message) {
        let (topic, message) = (message.topic.to_string(), Arc::new(message));
        let log = self.topics.entry(topic.clone()).or_default();
        log.push(Arc::clone(&message));
        let position = log.len() - 1;
        for group in self.groups.values_mut() {
            if let Some(of) = group.topics.iter().position(|name| *name == topic) {
                group.waiting.insert(
                    (position, of),
                    Entry { message: Arc::clone(&message), attempt: 1, not_before: None },
                );
            }
        }
        self.wake();
    }

    fn ensure(&mut self, name: &str, interests: &[Interest], start: &Start) {
        if !self.groups.contains_key(name) {
            let topics = interests.iter().map(|interest| interest.topic.clone()).collect();
            self.groups.insert(name.to_owned(), Group { topics, ..Group::default() });
            self.start(name, start);
        }
    }

    fn start(&mut self, name: &str, start: &Start) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.waiting.clear();
        group.in_flight.clear();
        for (of, topic) in group.topics.iter().enumerate() {
            for (position, message) in self.topics.get(topic).into_iter().flatten().enumerate() {
                let wanted = match start {
                    Start::Earliest => true,
                    Start::Latest => false,
                    Start::Positions(_) => {
                        start.position_in(topic, 0).is_none_or(|from| position as u64 >= from.0)
                    }
                    Start::Time(from) => message.time >= *from,
                };
                if wanted {
                    group.waiting.insert(
                        (position, of),
                        Entry { message: Arc::clone(message), attempt: 1, not_before: None },
                    );
                }
            }
        }
        self.wake();
    }

    fn remove(&mut self, group: &str, member: u64) {
        if let Some(group) = self.groups.get_mut(group) {
            group.members.remove(&member);
            group.give_back(|in_flight| in_flight.member == member);
        }
        self.wake();
    }
}

impl Group {
    fn give_back(&mut self, which: impl Fn(&InFlight) -> bool) {
        let tokens: Vec<_> =
            self.in_flight.iter().filter(|(_, one)| which(one)).map(|(token, _)| *token).collect();
        for token in tokens {
            if let Some(InFlight { place, mut entry, .. }) = self.in_flight.remove(&token) {
                entry.attempt += 1;
                self.waiting.insert(place, entry);
            }
        }
    }

    /// Places that `member` may have now, at most `most`.
    fn ready(&self, member: u64, now: Instant, most: usize) -> Vec<(usize, usize)> {
        let mut taken: HashSet<(&str, &Bytes)> = HashSet::new();
        for one in self.in_flight.values().filter(|one| one.member != member) {
            taken.extend(one.entry.message.key.as_ref().map(|key| (&*one.entry.message.topic, key)));
        }
        let mut ready = Vec::new();
        for (place, entry) in &self.waiting {
            let key = entry.message.key.as_ref().map(|key| (&*entry.message.topic, key));
            if ready.len() >= most {
                break;
            } else if key.is_some_and(|key| taken.contains(&key)) {
                continue;
            } else if entry.not_before.is_some_and(|at| at > now) {
                taken.extend(key);
            } else {
                ready.push(*place);
            }
        }
        ready
    }

    fn next_change(&self, now: Instant) -> Option<Instant> {
        let deadlines = self.in_flight.values().map(|one| one.deadline);
        deadlines
            .chain(self.waiting.values().filter_map(|entry| entry.not_before))
            .filter(|at| *at > now)
            .min()
    }
}

impl Broker {
    pub(crate) fn new(env: Env) -> Self {
        Broker(Arc::default(), env)
    }

    pub(crate) fn connect(&self) -> Arc<dyn Transport> {
        let mut capabilities = Capabilities::none("reference");
        capabilities.ordered = true;
        capabilities.durable = true;
        capabilities.replayable = true;
        capabilities.delayed_retry = true;
        capabilities.lag = true;
        capabilities.broadcast = true;
        capabilities.backlog = true;
        capabilities.counts_deliveries = true;
        capabilities.max_message_bytes = Some(MAX_BYTES);
        capabilities.settle_within = Some(SETTLE_WITHIN);
        Arc::new(Reference {
            broker: self.clone(),
            capabilities,
            closed: AtomicBool::new(false),
            members: Mutex::default(),
        })
    }

    /// All connections break; deliveries under way come again under a new epoch.
    pub(crate) fn restart(&self, forgetting: bool) {
        let mut guard = self.state();
        let state = &mut *guard;
        for group in state.groups.values_mut() {
            group.give_back(|_| true);
            if forgetting {
                group.waiting.clear();
            }
            for member in group.members.values_mut() {
                state.counter += 1;
                member.epoch = state.counter;
                member.interrupted = true;
            }
        }
        state.wake();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

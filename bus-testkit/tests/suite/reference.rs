//! A tiny transport that keeps every promise: one log per topic, one queue per group.
//!
//! A key that is in flight with one member goes to no other, so that order per key holds among many members.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{
    Delivery, Demand, Epoch, Mode, Position, Published, Settle, SettleError, Settlement, Settler, Source,
    SourceEvent, Start, Subscribed, Subscription, Token, Transport,
};
use jitney_core::{Capabilities, Env, Error, ErrorKind};

pub const MAX_BYTES: usize = 256 << 10;
pub const SETTLE_WITHIN: Duration = Duration::from_secs(30);

type Instant = tokio::time::Instant;

/// The broker, to which any number of transports connect.
#[derive(Clone, Default)]
pub struct Broker(Arc<Mutex<State>>, Env);

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
                group.waiting.insert((position, of), Entry { message: Arc::clone(&message), attempt: 1, not_before: None });
            }
        }
        self.wake();
    }

    fn start(&mut self, name: &str, start: Start) {
        let Some(group) = self.groups.get_mut(name) else { return };
        group.waiting.clear();
        group.in_flight.clear();
        for (of, topic) in group.topics.iter().enumerate() {
            for (position, message) in self.topics.get(topic).into_iter().flatten().enumerate() {
                let wanted = match start {
                    Start::Earliest => true,
                    Start::Latest => false,
                    Start::Position(from) => position as u64 >= from.0,
                    Start::Time(from) => message.time >= from,
                };
                if wanted {
                    group.waiting.insert((position, of), Entry { message: Arc::clone(message), attempt: 1, not_before: None });
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
        let tokens: Vec<_> = self.in_flight.iter().filter(|(_, one)| which(one)).map(|(token, _)| *token).collect();
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
        deadlines.chain(self.waiting.values().filter_map(|entry| entry.not_before)).filter(|at| *at > now).min()
    }
}

impl Broker {
    pub fn new(env: Env) -> Self {
        Broker(Arc::default(), env)
    }

    pub fn connect(&self) -> Arc<dyn Transport> {
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
        Arc::new(Reference { broker: self.clone(), capabilities, closed: AtomicBool::new(false), members: Mutex::default() })
    }

    /// All connections break; deliveries under way come again under a new epoch.
    pub fn restart(&self, forgetting: bool) {
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

struct Reference {
    broker: Broker,
    capabilities: Capabilities,
    closed: AtomicBool,
    members: Mutex<Vec<(String, u64)>>,
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reference")
    }
}

#[async_trait]
impl Transport for Reference {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn describe(&self) -> String {
        "reference://localhost".to_owned()
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        let store = |outbound: Outbound| {
            if self.closed.load(Ordering::SeqCst) {
                return Published::Rejected(Error::new(ErrorKind::Closed, "the transport was closed"));
            }
            if outbound.message.size() > MAX_BYTES {
                return Published::Rejected(Error::new(ErrorKind::Rejected, "the message is too large"));
            }
            self.broker.state().store(outbound.message);
            Published::Acked
        };
        batch.into_iter().map(store).collect()
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error> {
        let mut state = self.broker.state();
        let member = state.next();
        let group = match subscription.mode {
            Mode::Competing => subscription.group,
            Mode::Broadcast => format!("{}/{member}", subscription.group),
        };
        if !state.groups.contains_key(&group) {
            let topics = subscription.interests.into_iter().map(|interest| interest.topic).collect();
            state.groups.insert(group.clone(), Group { topics, ..Group::default() });
            state.start(&group, subscription.start);
        }
        let epoch = state.next();
        let of = state.groups.get_mut(&group).unwrap();
        of.members.insert(member, Member { epoch, ..Member::default() });
        drop(state);
        self.members.lock().unwrap().push((group.clone(), member));
        let half = Half { broker: self.broker.clone(), group, member };
        let settler = Arc::new(ReferenceSettler(half.clone()));
        let source = Box::new(ReferenceSource { half, prefetch: subscription.prefetch, timer: None });
        Ok(Subscribed { source, settler })
    }

    fn admin(&self) -> Option<&dyn Admin> {
        Some(self)
    }

    async fn close(&self, _limit: Duration) -> Result<(), Error> {
        self.closed.store(true, Ordering::SeqCst);
        let mut state = self.broker.state();
        for (group, member) in self.members.lock().unwrap().drain(..) {
            let Some(group) = state.groups.get_mut(&group) else { continue };
            group.give_back(|one| one.member == member);
            if let Some(member) = group.members.get_mut(&member) {
                member.closed = true;
            }
        }
        state.wake();
        Ok(())
    }
}

#[async_trait]
impl Admin for Reference {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), Error> {
        let mut state = self.broker.state();
        topics.iter().for_each(|topic| drop(state.topics.entry(topic.name.clone()).or_default()));
        Ok(())
    }

    async fn lag(&self, group: &str) -> Result<Vec<Lag>, Error> {
        let state = self.broker.state();
        let group = state.groups.get(group).ok_or_else(|| Error::config("no such group"))?;
        let lag = |(of, topic): (usize, &String)| {
            let places = group.waiting.keys().chain(group.in_flight.values().map(|one| &one.place));
            let events = places.filter(|place| place.1 == of).count() as u64;
            Lag { topic: topic.clone(), partition: 0, events }
        };
        Ok(group.topics.iter().enumerate().map(lag).collect())
    }

    async fn seek(&self, group: &str, start: Start) -> Result<(), Error> {
        self.broker.state().start(group, start);
        Ok(())
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        let state = self.broker.state();
        Ok(state.groups.get(group).into_iter().flat_map(|group| &group.dead).take(limit).cloned().collect())
    }
}

#[derive(Clone)]
struct Half {
    broker: Broker,
    group: String,
    member: u64,
}

struct ReferenceSource {
    half: Half,
    prefetch: usize,
    timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Source for ReferenceSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        let Half { broker, group, member } = &self.half;
        let (mut guard, now) = (broker.state(), broker.1.instant());
        let state = &mut *guard;
        state.wakers.push(cx.waker().clone());
        let Some(group) = state.groups.get_mut(group) else { return Poll::Ready(Ok(SourceEvent::Closed)) };
        group.give_back(|one| one.deadline <= now);
        let Some(this) = group.members.get_mut(member) else { return Poll::Ready(Ok(SourceEvent::Closed)) };
        if this.closed {
            return Poll::Ready(Ok(SourceEvent::Closed));
        }
        if std::mem::take(&mut this.interrupted) {
            return Poll::Ready(Err(Error::new(ErrorKind::Transport, "the connection broke")));
        }
        let epoch = this.epoch;
        let held = group.in_flight.values().filter(|one| one.member == *member).count();
        let most = demand.events.min(self.prefetch.saturating_sub(held));
        let ready = if demand.wants_deliveries() { group.ready(*member, now, most) } else { Vec::new() };
        let mut deliveries = Vec::new();
        for place in ready {
            let entry = group.waiting.remove(&place).unwrap();
            state.counter += 1;
            let token = Token { epoch: Epoch(epoch), number: state.counter };
            deliveries.push(Delivery {
                message: Arc::clone(&entry.message),
                partition: 0,
                position: Some(Position(place.0 as u64)),
                attempt: entry.attempt,
                epoch: token.epoch,
                token,
            });
            group.in_flight.insert(token, InFlight { place, entry, member: *member, deadline: now + SETTLE_WITHIN });
        }
        if !deliveries.is_empty() {
            return Poll::Ready(Ok(SourceEvent::Deliveries(deliveries)));
        }
        if let Some(at) = group.next_change(now) {
            let env = broker.1.clone();
            let mut timer: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move { env.sleep(at - now).await });
            if timer.as_mut().poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
            self.timer = Some(timer);
        }
        Poll::Pending
    }
}

impl Drop for ReferenceSource {
    fn drop(&mut self) {
        self.half.broker.state().remove(&self.half.group, self.half.member);
    }
}

struct ReferenceSettler(Half);

#[async_trait]
impl Settler for ReferenceSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let now = self.0.broker.1.instant();
        let mut state = self.0.broker.state();
        let Some(group) = state.groups.get_mut(&self.0.group) else { return Ok(()) };
        for Settlement { token, settle } in settlements {
            let Some(InFlight { place, mut entry, .. }) = group.in_flight.remove(&token) else { continue };
            match settle {
                Settle::Ack => {}
                Settle::Retry { after } => {
                    entry.attempt += 1;
                    entry.not_before = Some(now + after);
                    group.waiting.insert(place, entry);
                }
                Settle::DeadLetter(letter) => group.dead.push(letter.to_message("dead".into())),
            }
        }
        state.wake();
        Ok(())
    }

    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error> {
        let deadline = self.0.broker.1.instant() + SETTLE_WITHIN;
        let mut state = self.0.broker.state();
        let Some(group) = state.groups.get_mut(&self.0.group) else { return Ok(()) };
        for token in tokens {
            if let Some(one) = group.in_flight.get_mut(token) {
                one.deadline = deadline;
            }
        }
        Ok(())
    }

    async fn release(&self, _epoch: Epoch) {}

    async fn leave(&self, _limit: Duration) -> Result<(), Error> {
        self.0.broker.state().remove(&self.0.group, self.0.member);
        Ok(())
    }
}

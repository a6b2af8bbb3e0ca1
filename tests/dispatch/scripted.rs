//! A transport that does what a test tells it to, and keeps everything that it is told.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use jitney::codec::EncodePayload;
use jitney::dead_letter::{DeadLetter, Reason};
use jitney::message::{Message, Outbound};
use jitney::transport::{
    Delivery, Demand, Epoch, Position, Published, Settle, SettleError, Settlement, Settler, Source,
    SourceEvent, Subscribed, Subscription, Token, Transport,
};
use jitney::{Bus, Capabilities, Env, Error, Keyed};
use tokio::sync::Notify;

use super::events::message;

/// What the transport was told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Publish(String),
    Ack(u64),
    /// With outputs of these ids.
    AckWith(u64, Vec<String>),
    Retry(u64, Duration),
    DeadLetter(u64, Reason),
    KeepAlive(Vec<u64>),
    Release(u64),
    Leave(String),
    Close,
}

type Refusal = Box<dyn FnMut(&Settlement) -> Option<Error> + Send>;
type Hold = Box<dyn FnMut(&Settlement) -> bool + Send>;
type Answer = Box<dyn FnMut(&Outbound) -> Published + Send>;

/// The transport; clones are the same one. Everything that it is asked for is granted, unless a script says otherwise.
#[derive(Clone)]
pub(crate) struct Scripted {
    capabilities: Capabilities,
    state: Arc<Mutex<State>>,
    /// Told when what is held ends.
    ended: Arc<Notify>,
}

#[derive(Default)]
struct State {
    coming: VecDeque<Result<SourceEvent, Error>>,
    told: Vec<Told>,
    dead: Vec<DeadLetter>,
    sent: Vec<Message>,
    subscriptions: Vec<Subscription>,
    refuse: Option<Refusal>,
    hold: Option<Hold>,
    answer: Option<Answer>,
    refuse_group: Option<String>,
    broken: bool,
    polls: usize,
    unsettled: usize,
    most_unsettled: usize,
    waker: Option<Waker>,
}

impl Scripted {
    pub(crate) fn new() -> Self {
        Scripted::with(|_| {})
    }

    /// One that can do what `can` sets.
    pub(crate) fn with(can: impl FnOnce(&mut Capabilities)) -> Self {
        let mut capabilities = Capabilities::none("scripted");
        can(&mut capabilities);
        Scripted { capabilities, state: Arc::default(), ended: Arc::default() }
    }

    pub(crate) fn bus(&self) -> Bus {
        Bus::builder(self.clone()).env(Env::seeded(1)).build()
    }

    /// Refuses to settle where `refuse` gives an error.
    pub(crate) fn refuse(&self, refuse: impl FnMut(&Settlement) -> Option<Error> + Send + 'static) {
        self.lock().refuse = Some(Box::new(refuse));
    }

    /// Has what `hold` says yes to wait for something earlier, until its epoch is released or the group is left.
    pub(crate) fn hold(&self, hold: impl FnMut(&Settlement) -> bool + Send + 'static) {
        self.lock().hold = Some(Box::new(hold));
    }

    /// Answers what is published by `answer`.
    pub(crate) fn answer(&self, answer: impl FnMut(&Outbound) -> Published + Send + 'static) {
        self.lock().answer = Some(Box::new(answer));
    }

    /// Refuses to subscribe the group `name`.
    pub(crate) fn refuse_group(&self, name: &str) {
        self.lock().refuse_group = Some(name.to_owned());
    }

    /// Interrupts the source at every look at it.
    pub(crate) fn break_source(&self) {
        self.lock().broken = true;
    }

    /// The next thing that the source has to tell.
    pub(crate) fn push(&self, event: Result<SourceEvent, Error>) {
        let mut state = self.lock();
        state.coming.push_back(event);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    pub(crate) fn deliver(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        self.push(Ok(SourceEvent::Deliveries(deliveries.into_iter().collect())));
    }

    /// Delivers `events` of one epoch, numbered and with their ids (`e-7`) from `first` on.
    pub(crate) fn deliver_events<E: Keyed + EncodePayload>(&self, epoch: u64, first: u64, events: &[E]) {
        let numbered = (first..).zip(events);
        self.deliver(
            numbered
                .map(|(number, event)| delivery(epoch, number, message(&format!("e-{number}"), event)))
                .collect::<Vec<_>>(),
        );
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.lock().told.clone()
    }

    pub(crate) fn was_told(&self, what: &Told) -> bool {
        self.lock().told.contains(what)
    }

    /// The numbers of the deliveries that were settled.
    pub(crate) fn settled(&self) -> Vec<u64> {
        let number = |told: &Told| match told {
            Told::Ack(number)
            | Told::AckWith(number, _)
            | Told::Retry(number, _)
            | Told::DeadLetter(number, _) => Some(*number),
            _ => None,
        };
        self.lock().told.iter().filter_map(number).collect()
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.lock().dead.clone()
    }

    /// What was published and acked.
    pub(crate) fn sent(&self) -> Vec<Message> {
        self.lock().sent.clone()
    }

    /// The wishes of groups, in the order in which they came.
    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.lock().subscriptions.clone()
    }

    /// How often the source was looked at.
    pub(crate) fn polls(&self) -> usize {
        self.lock().polls
    }

    pub(crate) fn most_unsettled(&self) -> usize {
        self.lock().most_unsettled
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn store(&self, outbound: Outbound) -> Published {
        let mut state = self.lock();
        let id = id(&outbound);
        let published = match &mut state.answer {
            Some(answer) => answer(&outbound),
            None => Published::Acked,
        };
        state.told.push(Told::Publish(id));
        if matches!(published, Published::Acked) {
            state.sent.push(outbound.message);
        }
        published
    }
}

fn id(outbound: &Outbound) -> String {
    outbound.attributes.as_ref().map(|about| about.event_id.to_string()).unwrap_or_default()
}

/// A delivery of `message`, under its number.
pub(crate) fn delivery(epoch: u64, number: u64, message: Message) -> Delivery {
    let token = Token { epoch: Epoch(epoch), number };
    Delivery::new(Arc::new(message), token).at(0, Position(number))
}

#[async_trait]
impl Transport for Scripted {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn describe(&self) -> String {
        "scripted://".to_owned()
    }

    async fn publish(&self, batch: Vec<Outbound>) -> Vec<Published> {
        batch.into_iter().map(|outbound| self.store(outbound)).collect()
    }

    async fn subscribe(&self, subscription: Subscription) -> Result<Subscribed, Error> {
        if self.lock().refuse_group.as_ref() == Some(&subscription.group) {
            return Err(Error::config("joining a group: the broker does not want it"));
        }
        self.lock().subscriptions.push(subscription.clone());
        let settler = ScriptedSettler { transport: self.clone(), group: subscription.group };
        Ok(Subscribed { source: Box::new(ScriptedSource(self.clone())), settler: Arc::new(settler) })
    }

    async fn close(&self, _limit: Duration) -> Result<(), Error> {
        self.lock().told.push(Told::Close);
        Ok(())
    }
}

struct ScriptedSource(Scripted);

impl Source for ScriptedSource {
    fn poll_next(&mut self, cx: &mut Context<'_>, demand: Demand) -> Poll<Result<SourceEvent, Error>> {
        let mut state = self.0.lock();
        state.polls += 1;
        // A hot loop would let no time pass, and the test that looks for one would never end.
        if state.broken && state.polls < 10_000 {
            let error = Error::new(jitney::ErrorKind::Transport, "receiving: the connection is down");
            return Poll::Ready(Err(error));
        }
        let is_control =
            |event: &Result<SourceEvent, Error>| !matches!(event, Ok(SourceEvent::Deliveries(_)));
        if let Some(control) = state.coming.iter().position(is_control)
            && (control == 0 || !demand.wants_deliveries())
        {
            return Poll::Ready(state.coming.remove(control).unwrap());
        }
        if let (true, Some(Ok(SourceEvent::Deliveries(all)))) =
            (demand.wants_deliveries(), state.coming.front_mut())
        {
            let mut room = demand.bytes;
            let fits = |delivery: &&Delivery| {
                let fits = room > 0;
                room = room.saturating_sub(delivery.message.size());
                fits
            };
            let taken = all.iter().take(demand.events).take_while(fits).count();
            let now: Vec<_> = all.drain(..taken).collect();
            if all.is_empty() {
                state.coming.pop_front();
            }
            state.unsettled += now.len();
            state.most_unsettled = state.most_unsettled.max(state.unsettled);
            return Poll::Ready(Ok(SourceEvent::Deliveries(now)));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

struct ScriptedSettler {
    transport: Scripted,
    group: String,
}

#[async_trait]
impl Settler for ScriptedSettler {
    async fn settle(&self, settlements: Vec<Settlement>) -> Result<(), SettleError> {
        let ended = self.transport.ended.notified();
        let is_held = {
            let mut state = self.transport.lock();
            state.hold.as_mut().is_some_and(|hold| settlements.iter().any(hold))
        };
        if is_held {
            ended.await;
            return Ok(());
        }
        let mut state = self.transport.lock();
        let mut failed = Vec::new();
        for settlement in settlements {
            let refused = state.refuse.as_mut().and_then(|refuse| refuse(&settlement));
            if let Some(error) = refused {
                failed.push((settlement, error));
                continue;
            }
            state.unsettled -= 1;
            let number = settlement.token.number;
            let told = match settlement.settle {
                Settle::Ack if settlement.outputs.is_empty() => Told::Ack(number),
                Settle::Ack => Told::AckWith(number, settlement.outputs.iter().map(id).collect()),
                Settle::Retry { after } => Told::Retry(number, after),
                Settle::DeadLetter(letter) => {
                    let reason = letter.failure.reason;
                    state.dead.push(*letter);
                    Told::DeadLetter(number, reason)
                }
            };
            state.told.push(told);
        }
        if failed.is_empty() { Ok(()) } else { Err(SettleError { failed }) }
    }

    async fn keep_alive(&self, tokens: &[Token]) -> Result<(), Error> {
        let numbers = tokens.iter().map(|token| token.number).collect();
        self.transport.lock().told.push(Told::KeepAlive(numbers));
        Ok(())
    }

    async fn release(&self, epoch: Epoch) {
        self.transport.lock().told.push(Told::Release(epoch.0));
        self.transport.ended.notify_waiters();
    }

    async fn leave(&self, _limit: Duration) -> Result<(), Error> {
        self.transport.lock().told.push(Told::Leave(self.group.clone()));
        self.transport.ended.notify_waiters();
        Ok(())
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

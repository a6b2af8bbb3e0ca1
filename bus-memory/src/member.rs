//! The members of a group: what each holds, and how it is woken.

use std::collections::VecDeque;
use std::task::{Context, Waker};

use jitney_core::transport::{Demand, Epoch, SourceEvent};

/// One member: one subscription.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: u64,
    /// The connection that it came by.
    pub(crate) connection: u64,
    /// The topics that it asked for.
    pub(crate) topics: Vec<usize>,
    /// Its connection, where the rules know no partitions.
    pub(crate) epoch: Epoch,
    /// The partitions that it has, where the rules know them, as indices of the group's cursors.
    pub(crate) assigned: Vec<usize>,
    /// Which of them comes first next time.
    pub(crate) turn: usize,
    prefetch: usize,
    in_flight: usize,
    news: VecDeque<SourceEvent>,
    waker: Option<Waker>,
    wants_deliveries: bool,
    /// There was something for it that it could not take until it settles something.
    stuck: bool,
}

impl Member {
    pub(crate) fn new(id: u64, connection: u64, topics: Vec<usize>, prefetch: usize, epoch: Epoch) -> Self {
        Member {
            id,
            connection,
            topics,
            epoch,
            assigned: Vec::new(),
            turn: 0,
            prefetch: prefetch.max(1),
            in_flight: 0,
            news: VecDeque::new(),
            waker: None,
            wants_deliveries: false,
            stuck: false,
        }
    }

    /// What it may be given now, of `demand` and at most `at_once`.
    pub(crate) fn budget(&self, demand: Demand, at_once: usize) -> Budget {
        let room = self.prefetch.saturating_sub(self.in_flight);
        Budget { events: demand.events.min(room).min(at_once), bytes: demand.bytes }
    }

    pub(crate) fn holds(&mut self, deliveries: usize) {
        self.in_flight += deliveries;
    }

    /// Some of its deliveries are settled, or no longer its own.
    pub(crate) fn lets_go(&mut self, deliveries: usize) {
        self.in_flight -= deliveries;
    }

    pub(crate) fn tell(&mut self, event: SourceEvent, wakes: &mut Wakes) {
        self.news.push_back(event);
        self.wake(wakes);
    }

    pub(crate) fn next_news(&mut self) -> Option<SourceEvent> {
        self.news.pop_front()
    }

    /// It found nothing: it waits. `stuck` says that there is something that it could not take.
    pub(crate) fn wait(&mut self, cx: &Context<'_>, wants_deliveries: bool, stuck: bool) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => self.waker = Some(cx.waker().clone()),
        }
        (self.wants_deliveries, self.stuck) = (wants_deliveries, stuck);
    }

    pub(crate) fn wake(&mut self, wakes: &mut Wakes) {
        if let Some(waker) = self.waker.take() {
            wakes.add(waker);
        }
    }

    /// Something has come for it.
    pub(crate) fn wake_for_deliveries(&mut self, wakes: &mut Wakes) {
        if self.wants_deliveries && self.in_flight < self.prefetch {
            self.wake(wakes);
        }
    }

    /// It has settled something.
    pub(crate) fn wake_if_stuck(&mut self, wakes: &mut Wakes) {
        if self.stuck && self.wants_deliveries {
            self.wake(wakes);
        }
    }
}

/// The members of one group, in the order in which they joined.
#[derive(Debug, Default)]
pub(crate) struct Members(Vec<Member>);

impl Members {
    pub(crate) fn add(&mut self, member: Member) {
        self.0.push(member);
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Member> {
        let index = self.0.iter().position(|member| member.id == id)?;
        Some(self.0.remove(index))
    }

    /// Puts a member behind all others.
    pub(crate) fn move_to_end(&mut self, id: u64) {
        if let Some(member) = self.remove(id) {
            self.add(member);
        }
    }

    pub(crate) fn get(&mut self, id: u64) -> Option<&mut Member> {
        self.0.iter_mut().find(|member| member.id == id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.0.iter_mut()
    }

    pub(crate) fn wake_for_deliveries(&mut self, wakes: &mut Wakes) {
        self.0.iter_mut().for_each(|member| member.wake_for_deliveries(wakes));
    }

    pub(crate) fn wake_all(&mut self, wakes: &mut Wakes) {
        self.0.iter_mut().for_each(|member| member.wake(wakes));
    }
}

/// What may still be handed out at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) events: usize,
    bytes: usize,
}

impl Budget {
    pub(crate) fn is_spent(self) -> bool {
        self.events == 0 || self.bytes == 0
    }

    pub(crate) fn spend(&mut self, size: usize) {
        self.events -= 1;
        self.bytes = self.bytes.saturating_sub(size);
    }
}

/// Tasks to be woken once the lock is given back.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakes {
    pub(crate) fn add(&mut self, waker: Waker) {
        match self.first {
            None => self.first = Some(waker),
            Some(_) => self.more.push(waker),
        }
    }

    pub(crate) fn wake(self) {
        self.first.into_iter().chain(self.more).for_each(Waker::wake);
    }
}

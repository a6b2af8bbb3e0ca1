//! Everything behind the transport's one lock: topics and groups.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jitney_core::transport::{Mode, Start, Subscription};
use jitney_core::{Capabilities, Env, Error};
use tokio::sync::Notify;

use crate::config::Config;
use crate::connection::Connection;
use crate::error;
use crate::faults::Dice;
use crate::group::{Context, Group};
use crate::member::{Member, Wakes};
use crate::semantics::Semantics;
use crate::topic::{Reader, Topic, Topics};

/// What all handles of one transport share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Told when nothing is owed to any group any more.
    pub(crate) quiet: Notify,
    pub(crate) config: Config,
    pub(crate) capabilities: Capabilities,
    pub(crate) seed: u64,
    pub(crate) env: Env,
    pub(crate) dice: Dice,
}

impl Shared {
    pub(crate) fn new(config: Config, env: Env) -> Self {
        let seed = config.seed.or(env.seed()).unwrap_or_else(|| env.random());
        Shared {
            state: Mutex::default(),
            quiet: Notify::new(),
            capabilities: config.semantics.capabilities(config.settle_within),
            dice: Dice::new(seed, config.faults),
            config,
            seed,
            env,
        }
    }

    /// Does `work` under the lock, and wakes whom it concerns when the lock is given back.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Locked<'_>) -> R) -> R {
        let mut wakes = Wakes::default();
        let (result, becomes_quiet) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let was_quiet = state.is_quiet();
            let result = work(&mut Locked { state: &mut state, shared: self, wakes: &mut wakes });
            (result, state.is_quiet() && !was_quiet)
        };
        wakes.wake();
        if becomes_quiet {
            self.quiet.notify_waiters();
        }
        result
    }
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) topics: Topics,
    groups: Vec<Option<Group>>,
    epochs: u64,
    members: u64,
    connections: u64,
    /// How many faults messages have met that are not stored yet, by identity.
    pub(crate) publish_faults: BTreeMap<u64, u32>,
}

impl State {
    /// Whether nothing is owed to any group.
    pub(crate) fn is_quiet(&self) -> bool {
        self.topics.is_quiet()
    }
}

/// The state while it is locked.
pub(crate) struct Locked<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) shared: &'a Shared,
    wakes: &'a mut Wakes,
}

impl Locked<'_> {
    /// The group at `index`, if it has not ended, with what its work touches.
    pub(crate) fn group(&mut self, index: usize) -> Option<(&mut Group, Context<'_>)> {
        let State { topics, groups, epochs, .. } = &mut *self.state;
        let group = groups.get_mut(index)?.as_mut()?;
        let context = Context {
            topics,
            epochs,
            wakes: self.wakes,
            dice: &self.shared.dice,
            config: &self.shared.config,
            capabilities: &self.shared.capabilities,
            env: &self.shared.env,
            identity: group.identity,
        };
        Some((group, context))
    }

    /// The indices of all groups called `name`: one, or one per member where it is a broadcast group.
    pub(crate) fn groups_called(&self, name: &str) -> Vec<usize> {
        let groups = self.state.groups.iter().enumerate();
        groups
            .filter(|(_, group)| group.as_ref().is_some_and(|group| group.name == name))
            .map(|(index, _)| index)
            .collect()
    }

    /// Makes the topic `name`, which is known not to exist.
    pub(crate) fn create_topic(
        &mut self,
        name: &str,
        partitions: Option<u32>,
        retention: Option<std::time::Duration>,
    ) -> usize {
        let config = &self.shared.config;
        let partitions = if config.semantics.is_log() { partitions.unwrap_or(config.partitions) } else { 1 };
        self.state.topics.create(Topic::new(name, partitions, retention))
    }

    /// Joins a group. Answers its index, and the id of the new member.
    pub(crate) fn subscribe(
        &mut self,
        connection: &Connection,
        subscription: &Subscription,
    ) -> Result<(usize, u64), Error> {
        if connection.is_closed() {
            return Err(error::closed(&format!("subscribing group `{}`", subscription.group)));
        }
        let (group, topics) = self.ensure_group(subscription)?;
        self.state.members += 1;
        let id = self.state.members;
        if let Some((group, mut cx)) = self.group(group) {
            let epoch = cx.new_epoch();
            group.join(Member::new(id, connection.id, topics, subscription.prefetch, epoch), &mut cx);
        }
        Ok((group, id))
    }

    /// Makes a group that is missing. Answers its index, and the topics that are asked for.
    pub(crate) fn ensure_group(&mut self, subscription: &Subscription) -> Result<(usize, Vec<usize>), Error> {
        let Subscription { group: name, mode, start, .. } = subscription;
        let doing = format!("subscribing group `{name}`");
        self.check(subscription, &doing)?;
        let mut topics = Vec::new();
        for interest in &subscription.interests {
            let topic = match self.state.topics.find(&interest.topic) {
                Some(topic) => topic,
                None if self.shared.config.strict_topics => {
                    return Err(error::no_topic(&interest.topic, &doing));
                }
                None => self.create_topic(&interest.topic, None, None),
            };
            if !topics.contains(&topic) {
                topics.push(topic);
            }
        }
        let broadcast = *mode == Mode::Broadcast;
        let group = self.find_or_create_group(name, broadcast);
        for topic in &topics {
            self.read(group, *topic, start);
        }
        Ok((group, topics))
    }

    /// Whether somebody is in a group called `name`.
    pub(crate) fn has_members(&self, name: &str) -> bool {
        let groups = self.state.groups.iter().flatten();
        groups.filter(|group| group.name == name).any(|group| group.members.iter().next().is_some())
    }

    fn check(&self, subscription: &Subscription, doing: &str) -> Result<(), Error> {
        let Subscription { mode, start, exactly_once, .. } = subscription;
        let semantics = self.shared.config.semantics;
        let unsupported = |what: &str, instead: &str| {
            Err(error::unsupported(semantics, &format!("{doing} {what}"), instead))
        };
        match (semantics, start) {
            _ if *exactly_once && !self.shared.capabilities.transactional => {
                unsupported("as one that is exactly once", "there are no transactions: make it idempotent")
            }
            _ if *mode == Mode::Broadcast && !self.shared.capabilities.broadcast => {
                unsupported("as a broadcast group", "give each member a group of its own")
            }
            (Semantics::RabbitMq, Start::Positions(_) | Start::Time(_)) => {
                unsupported("from an earlier place", "start with `Start::Latest`")
            }
            (Semantics::EventBridge, Start::Positions(_)) => {
                unsupported("from a position", "an archive is read by time: start with `Start::Time`")
            }
            _ => Ok(()),
        }
    }

    fn find_or_create_group(&mut self, name: &str, broadcast: bool) -> usize {
        let groups = &mut self.state.groups;
        let same = |group: &Option<Group>| {
            group.as_ref().is_some_and(|group| !group.broadcast && group.name == name)
        };
        if !broadcast && let Some(index) = groups.iter().position(same) {
            return index;
        }
        let group = Group::new(name, broadcast, self.shared.config.semantics, self.shared.seed);
        match groups.iter().position(Option::is_none) {
            Some(free) => {
                groups[free] = Some(group);
                free
            }
            None => {
                groups.push(Some(group));
                groups.len() - 1
            }
        }
    }

    /// Lets a group read a topic, unless it does already.
    fn read(&mut self, group: usize, topic: usize, start: &Start) {
        if self.state.topics.get(topic).readers.iter().any(|reader| reader.group == group) {
            return;
        }
        let Some((reading, mut cx)) = self.group(group) else { return };
        let first = reading.add_topic(topic, start, &mut cx);
        self.state.topics.get_mut(topic).readers.push(Reader { group, first });
    }

    /// Ends a membership, and with it the group where it was one of a broadcast group.
    pub(crate) fn leave(&mut self, index: usize, member: u64) {
        let Some((group, mut cx)) = self.group(index) else { return };
        if group.leave(member, &mut cx) && group.broadcast {
            self.end_group(index);
        }
    }

    /// Ends a group: it reads no more, and nothing waits for it.
    pub(crate) fn end_group(&mut self, index: usize) {
        let Some((group, mut cx)) = self.group(index) else { return };
        group.end(&mut cx);
        self.state.groups[index] = None;
        self.state.topics.forget_reader(index);
    }

    /// A new connection.
    pub(crate) fn connect(&mut self) -> Connection {
        self.state.connections += 1;
        Connection::new(self.state.connections)
    }

    /// Ends a connection: its memberships end, and its publishers that wait are told.
    pub(crate) fn close(&mut self, connection: &Connection) {
        connection.close();
        for index in 0..self.state.groups.len() {
            let Some((group, _)) = self.group(index) else { continue };
            let members = group.members.iter().filter(|member| member.connection == connection.id);
            for member in members.map(|member| member.id).collect::<Vec<_>>() {
                self.leave(index, member);
            }
        }
    }
}

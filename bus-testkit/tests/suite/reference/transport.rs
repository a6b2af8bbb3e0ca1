//! A connection to the broker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::admin::{Admin, Lag, TopicSpec};
use jitney_core::message::{Message, Outbound};
use jitney_core::transport::{Mode, Published, Start, Subscribed, Subscription, Transport};
use jitney_core::{Capabilities, Error, ErrorKind};

use super::member::{Half, ReferenceSettler, ReferenceSource};
use super::{Broker, MAX_BYTES, Member};

pub(super) struct Reference {
    pub(super) broker: Broker,
    pub(super) capabilities: Capabilities,
    pub(super) closed: AtomicBool,
    pub(super) members: Mutex<Vec<(String, u64)>>,
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
        state.ensure(&group, &subscription.interests, &subscription.start);
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
        for topic in topics {
            state.topics.entry(topic.name.clone()).or_default();
        }
        Ok(())
    }

    async fn ensure_groups(&self, groups: &[Subscription]) -> Result<(), Error> {
        let mut state = self.broker.state();
        groups.iter().for_each(|wish| state.ensure(&wish.group, &wish.interests, &wish.start));
        Ok(())
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        let mut state = self.broker.state();
        if state.groups.get(group).is_some_and(|group| !group.members.is_empty()) {
            return Err(Error::config("the group has members"));
        }
        state.groups.remove(group);
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
        self.broker.state().start(group, &start);
        Ok(())
    }

    async fn dead_letters(&self, group: &str, limit: usize) -> Result<Vec<Message>, Error> {
        let state = self.broker.state();
        Ok(state.groups.get(group).into_iter().flat_map(|group| &group.dead).take(limit).cloned().collect())
    }
}

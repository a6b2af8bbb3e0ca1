//! From an application to the groups that it runs; every mistake is found here, before anything starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::checks::{Mistakes, check_group, check_handler, check_limits};
use super::describe::{Description, describe};
use super::hooks::Hook;
use super::part::Placed;
use super::{App, Settings};
use crate::Error;
use crate::dispatch::{Counters, DeadLetterHook, Group, Limits, Route, Router};
use crate::handler::{Accepts, HandlerEntry, Idempotency, States};
use crate::processed::{MemoryProcessedEvents, ProcessedEvents};
use crate::publish::Bus;
use crate::transport::{Mode, Subscription};

/// Everything that is needed to run.
pub(super) struct Plan {
    pub(super) bus: Bus,
    pub(super) named: BTreeMap<String, Bus>,
    pub(super) groups: Vec<PlannedGroup>,
    pub(super) on_start: Vec<Hook>,
    pub(super) on_stop: Vec<Hook>,
    pub(super) settings: Settings,
    pub(super) description: Description,
}

/// A group and what it asks of its bus.
pub(super) struct PlannedGroup {
    pub(super) bus: Option<String>,
    pub(super) group: Arc<Group>,
    pub(super) subscription: Subscription,
}

impl PlannedGroup {
    /// The same, once for each member of this process.
    pub(super) fn members(self, members: u32) -> impl Iterator<Item = PlannedGroup> {
        let members = if self.subscription.mode == Mode::Broadcast { 1 } else { members };
        (0..members).map(move |member| {
            let mut subscription = self.subscription.clone();
            subscription.member = member;
            PlannedGroup { bus: self.bus.clone(), group: Arc::clone(&self.group), subscription }
        })
    }
}

/// The handlers of one group on one bus.
type Members = Vec<Placed>;

/// What all groups share.
struct Shared {
    settings: Settings,
    states: Arc<States>,
    processed: Arc<dyn ProcessedEvents>,
    on_dead_letter: Vec<DeadLetterHook>,
}

/// Plans `app`.
///
/// # Errors
///
/// One error that lists every mistake in the set-up.
pub(super) fn plan(app: App) -> Result<Plan, Error> {
    let App { service, bus, named, mut part, forwards, settings } = app;
    let mut mistakes = Mistakes::default();
    for forward in forwards {
        match named.get(&forward.bus) {
            Some(target) => {
                let entry = forward.into_handler(target);
                part.handlers.push(Placed { bus: None, layers: Vec::new(), entry });
            }
            None => mistakes.unknown_bus("a forward", &forward.bus, &named),
        }
    }
    check_limits(settings.limits, &mut mistakes);
    part.states.resolve();
    let prefix = settings.group_prefix.as_deref().unwrap_or(&service);
    let mut members: BTreeMap<(Option<String>, String), Members> = BTreeMap::new();
    for placed in part.handlers {
        let mut placed = placed.inside(&part.layers);
        placed.entry.recognise_in_transactions();
        if let Some(name) = placed.bus.as_ref().filter(|name| !named.contains_key(*name)) {
            mistakes.unknown_bus(&format!("handler `{}`", placed.entry.spec.name()), name, &named);
            continue;
        }
        let own = placed.entry.spec.group.as_deref().unwrap_or(&placed.entry.spec.name);
        let group = if prefix.is_empty() { own.to_owned() } else { format!("{prefix}.{own}") };
        members.entry((placed.bus.clone(), group)).or_default().push(placed);
    }
    let shared = Shared {
        states: Arc::new(part.states),
        processed: settings.processed_events().unwrap_or_else(|| default_processed(&bus)),
        on_dead_letter: part.on_dead_letter,
        settings,
    };
    let topics = topics_of(&members);
    let mut groups = Vec::new();
    for ((bus_name, name), members) in members {
        let on = bus_name.as_ref().and_then(|name| named.get(name)).unwrap_or(&bus);
        let key = bus_name.clone();
        if let Some((group, subscription)) =
            plan_group(&name, bus_name.as_deref(), on, members, topics.get(&key), &shared, &mut mistakes)
        {
            groups.push(PlannedGroup { bus: bus_name, group, subscription });
        }
    }
    mistakes.into_result(&service)?;
    let description = describe(&service, &bus, &named, &groups);
    let settings = shared.settings;
    let (on_start, on_stop) = (part.on_start, part.on_stop);
    Ok(Plan { bus, named, groups, on_start, on_stop, settings, description })
}

fn default_processed(bus: &Bus) -> Arc<dyn ProcessedEvents> {
    Arc::new(MemoryProcessedEvents::new(bus.env().clone()))
}

/// The topics of all typed handlers, by bus: what an audit handler reads that names none.
fn topics_of(
    members: &BTreeMap<(Option<String>, String), Members>,
) -> BTreeMap<Option<String>, BTreeSet<String>> {
    let mut topics: BTreeMap<Option<String>, BTreeSet<String>> = BTreeMap::new();
    for ((bus, _), members) in members {
        for placed in members {
            if let Accepts::Types(types) = &placed.entry.accepts {
                let names = types.iter().map(|event_type| event_type.topic().to_owned());
                topics.entry(bus.clone()).or_default().extend(names);
            }
        }
    }
    topics
}

fn plan_group(
    name: &str,
    bus_name: Option<&str>,
    bus: &Bus,
    members: Members,
    all_topics: Option<&BTreeSet<String>>,
    shared: &Shared,
    mistakes: &mut Mistakes,
) -> Option<(Arc<Group>, Subscription)> {
    let settings = &shared.settings;
    let specs: Vec<_> = members.iter().map(|placed| &placed.entry).collect();
    for entry in &specs {
        check_handler(entry, bus, settings, &shared.states, mistakes);
    }
    check_group(name, &specs, bus, settings, mistakes);
    let concurrency = members.iter().filter_map(|placed| placed.entry.spec.concurrency).max();
    let limits =
        Limits { concurrency: concurrency.unwrap_or(settings.limits.concurrency), ..settings.limits };
    let broadcast = members.iter().any(|placed| placed.entry.spec.broadcast);
    let exactly_once = members.iter().any(|placed| placed.entry.spec.exactly_once);
    let delayed_retry =
        members.iter().any(|placed| placed.entry.spec.retry.unwrap_or(settings.retry).delayed);
    let lane_per_partition = members.iter().any(|placed| placed.entry.is_batch);
    let mut named_topics: Vec<String> =
        members.iter().flat_map(|placed| placed.entry.spec.topics.clone()).collect();
    if named_topics.is_empty() {
        named_topics = all_topics.into_iter().flatten().cloned().collect();
    }
    let mut router = Router::new(settings.strict);
    for Placed { layers, entry, .. } in members {
        let inbox = entry.transactions().find_map(|asked| settings.inbox_for(asked)).cloned();
        let route = Route::new(entry, name, &layers, settings.retry, settings.timeout, inbox);
        if let Err(conflict) = router.add(Arc::new(route)) {
            mistakes.add(format!("group `{name}`: {}", Error::from(conflict)));
        }
    }
    let interests = router.interests(&named_topics);
    if interests.is_empty() {
        mistakes.add(format!(
            "group `{name}` reads no topic: its handler takes `RawEvent`, and the application has no other handlers; \
             name its topics with `HandlerSpec::topic`",
        ));
        return None;
    }
    let mut subscription = Subscription::new(name, interests.clone());
    subscription.service = bus.service().to_owned();
    subscription.mode = if broadcast { Mode::Broadcast } else { Mode::Competing };
    subscription.start = settings.start.clone();
    subscription.prefetch = limits.events;
    subscription.delayed_retry = delayed_retry;
    subscription.exactly_once = exactly_once;
    let label = bus_name.map_or_else(|| name.to_owned(), |bus| format!("{name} on {bus}"));
    let group = Group {
        name: name.to_owned(),
        bus: bus.clone(),
        router,
        interests,
        limits,
        states: Arc::clone(&shared.states),
        processed: Arc::clone(&shared.processed),
        on_dead_letter: shared.on_dead_letter.clone(),
        counters: Counters::new(&label),
        label,
        lane_per_partition,
        exactly_once,
        keys_in_work: Default::default(),
        running: Default::default(),
    };
    Some((Arc::new(group), subscription))
}

impl HandlerEntry {
    /// In a transaction every event is marked: by its id, where the handler does not say by what.
    fn recognise_in_transactions(&mut self) {
        if matches!(self.spec.idempotency, Idempotency::None) && self.transactions().next().is_some() {
            self.spec.idempotency = Idempotency::EventId;
        }
    }
}

impl Route {
    /// Whether it remembers what it has handled.
    pub(super) fn is_idempotent(&self) -> bool {
        !matches!(self.idempotency, Idempotency::None)
    }
}

//! The rules and queues that groups need: as a plan first, and made by it.
//!
//! Each group has one queue and one for its dead letters, and one rule (several, where one has no room for all of its event
//! types) that matches what the group's handlers take. Whoever lets no program create infrastructure prints the plan, which is
//! JSON with the patterns ready to paste, and connects with `create=false`:
//!
//! ```no_run
//! use jitney_core::{App, Bus};
//! use jitney_eventbridge::{EventBridge, plan};
//!
//! # async fn example(app: App) -> Result<(), jitney_core::Error> {
//! let bridge = EventBridge::from_url("eventbridge://orders?region=eu-west-1&create=false").await?;
//! let mut plan = bridge.plan(&plan::subscriptions(&app.describe()?, None)).await?;
//! let flow = plan::Target::new("flow", "arn:aws:states:…").role("arn:aws:iam::…");
//! plan.add_target("orders.audit", &flow)?;
//! println!("{plan}");
//! # Ok(()) }
//! ```

mod apply;
mod read;
mod wanted;

use std::collections::BTreeMap;
use std::fmt;

use jitney_core::Error;
use jitney_core::app::Description;
use jitney_core::transport::{Interest, Subscription};
use serde::Serialize;
use serde_json::Value;

pub(crate) use apply::{apply, remove};
pub(crate) use read::plan_group;

/// What is to be done with a queue, a rule or a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is missing.
    Create,
    /// It is the group's, and differs from what the group needs.
    Change,
    /// It is as it should be, and left alone.
    Keep,
    /// It is the group's, and no longer needed.
    Remove,
}

/// What several groups need of a bus, compared with what is there. Its `Display` is JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Plan {
    /// The bus.
    pub bus: String,
    /// Its ARN.
    pub arn: String,
    /// Each group's part.
    pub groups: Vec<GroupPlan>,
}

/// What one group needs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GroupPlan {
    /// The name of the group.
    pub group: String,
    /// Where its events come in.
    pub queue: QueuePlan,
    /// Where what it gives up goes, what SQS gives up for it, and what EventBridge could not deliver to its queue.
    pub dead_letters: QueuePlan,
    /// What feeds its queue.
    pub rules: Vec<RulePlan>,
}

/// A queue of SQS.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct QueuePlan {
    /// What is to be done.
    pub action: Action,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The attributes that it needs, by SQS's names; policies as JSON, not as texts.
    pub attributes: BTreeMap<&'static str, Value>,
    /// Its tags: by them it is known as the group's own.
    pub tags: BTreeMap<&'static str, String>,
    #[serde(skip)]
    url: Option<String>,
}

/// A rule of the bus.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RulePlan {
    /// What is to be done.
    pub action: Action,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Which events it matches.
    pub pattern: Value,
    /// Its tags: by them it is known as the group's own.
    pub tags: BTreeMap<&'static str, String>,
    /// Where it sends them. Targets that somebody else has added are left alone, and are not named here.
    pub targets: Vec<TargetPlan>,
    /// The targets that it has.
    #[serde(skip)]
    found: Vec<Target>,
}

/// A target of a rule.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TargetPlan {
    /// What is to be done.
    pub action: Action,
    /// The target.
    #[serde(flatten)]
    pub target: Target,
}

/// Where a rule sends events: a queue, a Step Functions workflow, another bus, an API destination or whatever else EventBridge
/// knows, by its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Target {
    /// Its name within the rule.
    pub id: String,
    /// What it is.
    pub arn: String,
    /// The role by which EventBridge may use it, where it needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The ARN of the queue for events that could not be delivered to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<String>,
}

impl Target {
    /// The target `arn`, called `id` within its rule (letters, digits, `.`, `-` and `_`, at most 64).
    pub fn new(id: impl Into<String>, arn: impl Into<String>) -> Self {
        Target { id: id.into(), arn: arn.into(), role_arn: None, dead_letters: None }
    }

    /// The same, used by the role `arn`: Step Functions, API destinations and other buses want one.
    #[must_use]
    pub fn role(mut self, arn: impl Into<String>) -> Self {
        self.role_arn = Some(arn.into());
        self
    }

    /// The same, what cannot be delivered going to the queue `arn`.
    #[must_use]
    pub fn dead_letters(mut self, arn: impl Into<String>) -> Self {
        self.dead_letters = Some(arn.into());
        self
    }
}

impl Plan {
    /// Has the rules of `group` send their events to `target` too.
    ///
    /// # Errors
    ///
    /// When the plan has no such group, or the group has a target of that name.
    pub fn add_target(&mut self, group: &str, target: &Target) -> Result<(), Error> {
        let doing = format!("adding target `{}` to group `{group}`", target.id);
        let Some(found) = self.groups.iter_mut().find(|found| found.group == group) else {
            return Err(Error::config(format!("{doing}: the plan has no such group")));
        };
        for rule in found.rules.iter_mut().filter(|rule| rule.action != Action::Remove) {
            if rule.targets.iter().any(|known| known.target.id == target.id) {
                return Err(Error::config(format!("{doing}: it has one of that name; choose another `id`")));
            }
            let action = target_action(&rule.found, target);
            rule.targets.push(TargetPlan { action, target: target.clone() });
        }
        Ok(())
    }

    /// Whether everything is as it should be.
    pub fn is_done(&self) -> bool {
        self.groups.iter().all(GroupPlan::is_done)
    }
}

impl GroupPlan {
    /// Whether everything is as it should be.
    pub fn is_done(&self) -> bool {
        let queues = [&self.queue, &self.dead_letters];
        queues.iter().all(|queue| queue.action == Action::Keep) && self.rules.iter().all(RulePlan::is_done)
    }

    /// The queues' URLs: of its own queue, and of that for dead letters, where both are there.
    pub(crate) fn urls(&self) -> Option<(String, String)> {
        Some((self.queue.url.clone()?, self.dead_letters.url.clone()?))
    }
}

impl RulePlan {
    fn is_done(&self) -> bool {
        self.action == Action::Keep && self.targets.iter().all(|target| target.action == Action::Keep)
    }
}

/// What is to be done for `wanted`, where a rule has the targets `found`.
fn target_action(found: &[Target], wanted: &Target) -> Action {
    match found.iter().find(|found| found.id == wanted.id) {
        None => Action::Create,
        Some(found) if found == wanted => Action::Keep,
        Some(_) => Action::Change,
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A plan has nothing in it that JSON has not.
        f.write_str(&serde_json::to_string_pretty(self).unwrap_or_default())
    }
}

/// What the groups of an application ask of the bus called `bus` in it; of the application's own, where that is not said.
pub fn subscriptions(app: &Description, bus: Option<&str>) -> Vec<Subscription> {
    let groups = app.groups.iter().filter(|group| group.bus.as_deref() == bus);
    let subscription = |group: &jitney_core::app::GroupDescription| {
        let mut interests: Vec<Interest> = Vec::new();
        for event in group.handlers.iter().flat_map(|handler| &handler.events) {
            let place = |interest: &Interest| {
                interest.topic == event.topic()
                    && interest.source.as_deref() == event.source()
                    && interest.aggregate.as_deref() == Some(event.aggregate())
            };
            match interests.iter_mut().find(|interest| place(interest)) {
                Some(known) if known.event_types.iter().any(|name| name == event.name()) => {}
                Some(known) => known.event_types.push(event.name().to_owned()),
                None => {
                    let mut interest = Interest::all(event.topic());
                    interest.source = event.source().map(str::to_owned);
                    interest.aggregate = Some(event.aggregate().to_owned());
                    interest.event_types = vec![event.name().to_owned()];
                    interests.push(interest);
                }
            }
        }
        let reads_everything = group.handlers.iter().any(|handler| handler.events.is_empty());
        if reads_everything {
            interests = group.topics.iter().map(Interest::all).collect();
        }
        let mut subscription = Subscription::new(&group.name, interests);
        subscription.service.clone_from(&app.service);
        subscription
    };
    groups.map(subscription).collect()
}

//! Making what a plan says.

use std::collections::HashMap;

use aws_sdk_eventbridge::types::{DeadLetterConfig, RuleState, Tag, Target as EventsTarget};
use aws_sdk_sqs::types::QueueAttributeName;
use jitney_core::transport::Subscription;
use jitney_core::{Error, ErrorKind};
use serde_json::Value;

use super::{Action, GroupPlan, QueuePlan, RulePlan, Target, plan_group};
use crate::bus::Bus;
use crate::error;

/// Does what `group` says; afterwards it says that nothing is left to do.
///
/// # Errors
///
/// When AWS refuses something; what was made until then stays, and a new plan goes on from there.
pub(crate) async fn apply(bus: &Bus, group: &mut GroupPlan) -> Result<(), Error> {
    let maker =
        Maker { bus, doing: format!("making rules and queues of group `{}` on {}", group.group, bus.url) };
    // Each needs what comes before it.
    maker.queue(&mut group.dead_letters).await?;
    maker.queue(&mut group.queue).await?;
    for rule in &mut group.rules {
        maker.rule(rule).await?;
    }
    group.rules.retain(|rule| rule.action != Action::Remove);
    Ok(())
}

/// Removes the rules and the queue of `group`, where they are its own; the queue for its dead letters stays.
///
/// # Errors
///
/// When AWS refuses, or something has the name of what is the group's, and is not.
pub(crate) async fn remove(bus: &Bus, group: &str) -> Result<(), Error> {
    let nothing = Subscription::new(group, Vec::new());
    let plan = plan_group(bus, &nothing, 1).await?;
    let doing = format!("ending group `{group}` of {}", bus.url);
    let maker = Maker { bus, doing };
    for rule in plan.rules.iter().filter(|rule| rule.action == Action::Remove) {
        maker.remove(rule).await?;
    }
    if let Some(url) = &plan.queue.url {
        let removed = bus.clients.queues.delete_queue().queue_url(url).send().await;
        removed.map_err(|error| error::failed(&maker.doing, &error))?;
    }
    Ok(())
}

struct Maker<'a> {
    bus: &'a Bus,
    doing: String,
}

impl Maker<'_> {
    async fn queue(&self, queue: &mut QueuePlan) -> Result<(), Error> {
        let client = &self.bus.clients.queues;
        let attributes: HashMap<_, _> = queue
            .attributes
            .iter()
            .map(|(name, value)| (QueueAttributeName::from(*name), text(value)))
            .collect();
        match (queue.action, &queue.url) {
            (Action::Create, _) => {
                let tags = queue.tags.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
                let request = client.create_queue().queue_name(&queue.name).set_attributes(Some(attributes));
                let made = request.set_tags(Some(tags.collect())).send().await;
                queue.url = made.map_err(|error| error::failed(&self.doing, &error))?.queue_url;
            }
            (Action::Change, Some(url)) => {
                let mut attributes = attributes;
                // How long messages are kept may have been changed on purpose.
                attributes.remove(&QueueAttributeName::MessageRetentionPeriod);
                let request = client.set_queue_attributes().queue_url(url);
                let changed = request.set_attributes(Some(attributes)).send().await;
                changed.map_err(|error| error::failed(&self.doing, &error))?;
            }
            _ => {}
        }
        queue.action = Action::Keep;
        Ok(())
    }

    async fn rule(&self, rule: &mut RulePlan) -> Result<(), Error> {
        let client = &self.bus.clients.events;
        match rule.action {
            Action::Create => {
                let tags =
                    rule.tags.iter().map(|(name, value)| Tag::builder().key(*name).value(value).build());
                let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|error| {
                    Error::new(ErrorKind::Transport, self.doing.clone()).with_source(error)
                })?;
                let request = client.put_rule().name(&rule.name).event_bus_name(&self.bus.name);
                let request = request.event_pattern(rule.pattern.to_string()).state(RuleState::Enabled);
                let made = request.set_tags(Some(tags)).send().await;
                made.map_err(|error| error::failed(&self.doing, &error))?;
            }
            Action::Change => {
                let request = client.put_rule().name(&rule.name).event_bus_name(&self.bus.name);
                let request = request.event_pattern(rule.pattern.to_string()).state(RuleState::Enabled);
                request.send().await.map_err(|error| error::failed(&self.doing, &error))?;
            }
            Action::Keep => {}
            Action::Remove => return self.remove(rule).await,
        }
        rule.action = Action::Keep;
        self.targets(rule).await
    }

    async fn targets(&self, rule: &mut RulePlan) -> Result<(), Error> {
        let open: Vec<_> = rule.targets.iter_mut().filter(|target| target.action != Action::Keep).collect();
        if open.is_empty() {
            return Ok(());
        }
        let failed = |error: &dyn std::fmt::Display| {
            Error::new(
                ErrorKind::Transport,
                format!("{}: target of rule `{}`: {error}", self.doing, rule.name),
            )
            .retryable(false)
        };
        let targets = open.iter().map(|open| target(&open.target)).collect::<Result<Vec<_>, _>>();
        let targets = targets.map_err(|error| failed(&error))?;
        let request = self.bus.clients.events.put_targets().rule(&rule.name).event_bus_name(&self.bus.name);
        let answer = request.set_targets(Some(targets)).send().await;
        let answer = answer.map_err(|error| error::failed(&self.doing, &error))?;
        if let Some(refused) = answer.failed_entries().first() {
            return Err(failed(&format!(
                "{}: {}",
                refused.target_id().unwrap_or_default(),
                refused.error_message().or(refused.error_code()).unwrap_or("refused")
            )));
        }
        open.into_iter().for_each(|target| target.action = Action::Keep);
        Ok(())
    }

    /// Removes a rule that is no longer needed, with everything that it has.
    async fn remove(&self, rule: &RulePlan) -> Result<(), Error> {
        let client = &self.bus.clients.events;
        if !rule.found.is_empty() {
            let request = client.remove_targets().rule(&rule.name).event_bus_name(&self.bus.name);
            let ids = rule.found.iter().map(|target| target.id.clone()).collect();
            let removed = request.set_ids(Some(ids)).send().await;
            removed.map_err(|error| error::failed(&self.doing, &error))?;
        }
        let removed = client.delete_rule().name(&rule.name).event_bus_name(&self.bus.name).send().await;
        removed.map(drop).map_err(|error| error::failed(&self.doing, &error))
    }
}

fn target(target: &Target) -> Result<EventsTarget, aws_sdk_eventbridge::error::BuildError> {
    let letters = target.dead_letters.as_ref().map(|arn| DeadLetterConfig::builder().arn(arn).build());
    EventsTarget::builder()
        .id(&target.id)
        .arn(&target.arn)
        .set_role_arn(target.role_arn.clone())
        .set_dead_letter_config(letters)
        .build()
}

/// An attribute as SQS takes it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

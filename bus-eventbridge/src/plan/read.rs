//! What is there, compared with what a group needs.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::types::QueueAttributeName;
use futures_util::future::try_join;
use jitney_core::Error;
use jitney_core::transport::Subscription;
use serde_json::Value;

use super::wanted::{STATEMENT, Wanted};
use super::{Action, GroupPlan, QueuePlan, RulePlan, Target, TargetPlan, target_action};
use crate::bus::Bus;
use crate::error;
use crate::names::rule_arn;

/// The plan for one group.
///
/// # Errors
///
/// When AWS does not answer, or something has the name of what the group needs and is not the group's.
pub(crate) async fn plan_group(
    bus: &Bus,
    subscription: &Subscription,
    max_receives: u32,
) -> Result<GroupPlan, Error> {
    let doing = format!("planning rules and queues of group `{}` on {}", subscription.group, bus.url);
    let wanted = Wanted::of(bus, subscription, max_receives);
    let reader = Reader { bus, doing, tags: &wanted.tags };
    let (letters, queue) = try_join(
        reader.queue(&wanted.names.dead_letters, &wanted.letters_arn, wanted.letters()),
        reader.queue(&wanted.names.queue, &wanted.queue_arn, wanted.queue()),
    )
    .await?;
    Ok(GroupPlan {
        group: subscription.group.clone(),
        queue,
        dead_letters: letters,
        rules: reader.rules(&wanted).await?,
    })
}

struct Reader<'a> {
    bus: &'a Bus,
    doing: String,
    tags: &'a BTreeMap<&'static str, String>,
}

struct FoundRule {
    pattern: Value,
    is_enabled: bool,
    targets: Vec<Target>,
}

impl Reader<'_> {
    async fn queue(
        &self,
        name: &str,
        arn: &str,
        mut attributes: BTreeMap<&'static str, Value>,
    ) -> Result<QueuePlan, Error> {
        let client = &self.bus.clients.queues;
        let found = client.get_queue_url().queue_name(name).send().await;
        let url = match found {
            Ok(found) => found.queue_url,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_queue_does_not_exist()) => {
                None
            }
            Err(error) => return Err(error::failed(&self.doing, &error)),
        };
        let action = match &url {
            None => Action::Create,
            Some(url) => {
                let tags = client.list_queue_tags().queue_url(url).send().await;
                let tags = tags.map_err(|error| error::failed(&self.doing, &error))?;
                self.check_owner(&format!("queue `{name}`"), &tags.tags.unwrap_or_default())?;
                let asked = client.get_queue_attributes().queue_url(url);
                let asked = asked
                    .attribute_names(QueueAttributeName::Policy)
                    .attribute_names(QueueAttributeName::RedrivePolicy);
                let found = asked.send().await.map_err(|error| error::failed(&self.doing, &error))?;
                compare(&mut attributes, &found.attributes.unwrap_or_default())
            }
        };
        let tags = self.tags.clone();
        Ok(QueuePlan { action, name: name.to_owned(), arn: arn.to_owned(), attributes, tags, url })
    }

    async fn rules(&self, wanted: &Wanted) -> Result<Vec<RulePlan>, Error> {
        let target = wanted.target();
        let mut rules = Vec::new();
        for (name, arn, pattern) in &wanted.rules {
            let found = self.rule(name).await?;
            let action = match &found {
                None => Action::Create,
                Some(found) if found.pattern == *pattern && found.is_enabled => Action::Keep,
                Some(_) => Action::Change,
            };
            let found = found.map(|found| found.targets).unwrap_or_default();
            let targets = vec![TargetPlan { action: target_action(&found, &target), target: target.clone() }];
            rules.push(RulePlan {
                action,
                name: name.clone(),
                arn: arn.clone(),
                pattern: pattern.clone(),
                tags: self.tags.clone(),
                targets,
                found,
            });
        }
        // Fewer may be needed than once were.
        loop {
            let name = wanted.names.rule(rules.len());
            let Some(found) = self.rule(&name).await? else { return Ok(rules) };
            rules.push(RulePlan {
                action: Action::Remove,
                arn: rule_arn(&self.bus.arn, &self.bus.name, &name),
                name,
                pattern: found.pattern,
                tags: self.tags.clone(),
                targets: Vec::new(),
                found: found.targets,
            });
        }
    }

    async fn rule(&self, name: &str) -> Result<Option<FoundRule>, Error> {
        let client = &self.bus.clients.events;
        let found = match client.describe_rule().name(name).event_bus_name(&self.bus.name).send().await {
            Ok(found) => found,
            Err(error)
                if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error::failed(&self.doing, &error)),
        };
        let arn = found.arn().unwrap_or_default();
        let tags = client.list_tags_for_resource().resource_arn(arn).send().await;
        let tags = tags.map_err(|error| error::failed(&self.doing, &error))?;
        let tags = tags.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        self.check_owner(&format!("rule `{name}`"), &tags)?;
        let targets = client.list_targets_by_rule().rule(name).event_bus_name(&self.bus.name).send().await;
        let targets = targets.map_err(|error| error::failed(&self.doing, &error))?;
        let target = |target: &aws_sdk_eventbridge::types::Target| Target {
            id: target.id().to_owned(),
            arn: target.arn().to_owned(),
            role_arn: target.role_arn().map(str::to_owned),
            dead_letters: target.dead_letter_config().and_then(|config| config.arn()).map(str::to_owned),
        };
        let pattern = found.event_pattern().and_then(|pattern| serde_json::from_str(pattern).ok());
        Ok(Some(FoundRule {
            pattern: pattern.unwrap_or_default(),
            is_enabled: found.state().is_some_and(|state| state.as_str() == "ENABLED"),
            targets: targets.targets().iter().map(target).collect(),
        }))
    }

    /// Makes sure that what is there is the group's own.
    fn check_owner(&self, what: &str, found: &HashMap<String, String>) -> Result<(), Error> {
        for (name, value) in self.tags {
            if found.get(*name) != Some(value) {
                let has = found.get(*name).map_or("has none".to_owned(), |other| format!("has `{other}`"));
                return Err(Error::config(format!(
                    "{}: {what} exists and is not the group's: it should have the tag `{name}` = `{value}`, and {has}; rename \
                     the group, or tag it if it may be changed",
                    self.doing
                )));
            }
        }
        Ok(())
    }
}

/// Whether `found` is as is `wanted`, which is brought together with what others have put there.
fn compare(
    wanted: &mut BTreeMap<&'static str, Value>,
    found: &HashMap<QueueAttributeName, String>,
) -> Action {
    let read = |name: &str| {
        let text = found.iter().find(|(found, _)| found.as_str() == name).map(|(_, text)| text);
        text.and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default()
    };
    let mut action = Action::Keep;
    if let Some(policy) = wanted.get_mut("Policy") {
        let found = read("Policy");
        let statements = found["Statement"].as_array().cloned().unwrap_or_default();
        let others = statements.into_iter().filter(|statement| statement["Sid"] != STATEMENT);
        if let Some(ours) = policy["Statement"].as_array_mut() {
            *ours = others.chain(std::mem::take(ours)).collect();
        }
        if *policy != found {
            action = Action::Change;
        }
    }
    if let Some(redrive) = wanted.get("RedrivePolicy") {
        let found = read("RedrivePolicy");
        // SQS gives the number back as it got it, or as text.
        let same = |name: &str| {
            found[name].to_string().trim_matches('"') == redrive[name].to_string().trim_matches('"')
        };
        if !["deadLetterTargetArn", "maxReceiveCount"].iter().all(|name| same(name)) {
            action = Action::Change;
        }
    }
    action
}

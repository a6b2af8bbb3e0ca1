//! What a group needs, whatever is there.

use std::collections::BTreeMap;

use jitney_core::transport::Subscription;
use serde_json::{Value, json};

use super::Target;
use crate::bus::Bus;
use crate::names::{BUS_TAG, GROUP_TAG, Names, arn_beside, rule_arn};
use crate::pattern::patterns;

/// What the statements are called by which queues let our rules in.
pub(super) const STATEMENT: &str = "jitney";
/// The name of the group's queue among its rule's targets.
pub(super) const TARGET: &str = "jitney";
/// How long messages are kept, in seconds: as long as SQS can.
const RETENTION: &str = "1209600";

/// Everything that a group needs.
pub(super) struct Wanted {
    pub(super) names: Names,
    pub(super) queue_arn: String,
    pub(super) letters_arn: String,
    /// Names, ARNs and patterns of its rules.
    pub(super) rules: Vec<(String, String, Value)>,
    pub(super) tags: BTreeMap<&'static str, String>,
    redrive: Value,
}

impl Wanted {
    pub(super) fn of(bus: &Bus, subscription: &Subscription, max_receives: u32) -> Self {
        let names = Names::of(&subscription.group);
        let letters_arn = arn_beside(&bus.arn, "sqs", &names.dead_letters);
        let rules = patterns(&subscription.interests).into_iter().enumerate().map(|(number, pattern)| {
            let name = names.rule(number);
            let arn = rule_arn(&bus.arn, &bus.name, &name);
            (name, arn, pattern)
        });
        Wanted {
            queue_arn: arn_beside(&bus.arn, "sqs", &names.queue),
            rules: rules.collect(),
            tags: BTreeMap::from([(GROUP_TAG, subscription.group.clone()), (BUS_TAG, bus.name.clone())]),
            redrive: json!({ "deadLetterTargetArn": letters_arn, "maxReceiveCount": max_receives }),
            letters_arn,
            names,
        }
    }

    /// The attributes of the group's queue.
    pub(super) fn queue(&self) -> BTreeMap<&'static str, Value> {
        let mut attributes = self.letters();
        attributes.insert("Policy", self.policy(&self.queue_arn));
        attributes.insert("RedrivePolicy", self.redrive.clone());
        attributes
    }

    /// The attributes of the queue for dead letters.
    pub(super) fn letters(&self) -> BTreeMap<&'static str, Value> {
        BTreeMap::from([
            ("MessageRetentionPeriod", json!(RETENTION)),
            ("Policy", self.policy(&self.letters_arn)),
        ])
    }

    /// The target of the group's rules.
    pub(super) fn target(&self) -> Target {
        Target::new(TARGET, &*self.queue_arn).dead_letters(&*self.letters_arn)
    }

    /// Lets EventBridge put messages into the queue `arn` for the group's rules.
    fn policy(&self, arn: &str) -> Value {
        let rules: Vec<_> = self.rules.iter().map(|(_, arn, _)| arn).collect();
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Sid": STATEMENT,
                "Effect": "Allow",
                "Principal": { "Service": "events.amazonaws.com" },
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": { "ArnEquals": { "aws:SourceArn": rules } },
            }],
        })
    }
}

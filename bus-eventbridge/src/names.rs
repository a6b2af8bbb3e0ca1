//! What the queues and rules of a group are called.

use jitney_core::Id;

/// The longest name of a queue.
const MAX_QUEUE: usize = 80;
/// The longest name of a rule.
const MAX_RULE: usize = 64;
/// What the name of the queue for dead letters ends with.
const DEAD_LETTERS: &str = "-dead-letters";
/// Room for the number of a further rule.
const MAX_NUMBER: usize = 4;

/// The tag that says which group a queue or rule belongs to.
pub(crate) const GROUP_TAG: &str = "jitney:group";
/// The tag that says which bus a queue is fed from.
pub(crate) const BUS_TAG: &str = "jitney:bus";

/// The names of everything that a group has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) queue: String,
    pub(crate) dead_letters: String,
    rule: String,
}

impl Names {
    /// The names of `group`: its own, where it may be one; otherwise with `-` for what may not be there, and cut. Two groups
    /// can so come to one name; the tags tell them apart.
    pub(crate) fn of(group: &str) -> Self {
        let queue = fitting(group, "-_", MAX_QUEUE - DEAD_LETTERS.len());
        let rule = fitting(group, ".-_", MAX_RULE - MAX_NUMBER);
        Names { dead_letters: format!("{queue}{DEAD_LETTERS}"), queue, rule }
    }

    /// The name of the group's rule `number`, from 0.
    pub(crate) fn rule(&self, number: usize) -> String {
        match number {
            0 => self.rule.clone(),
            _ => format!("{}-{}", self.rule, number + 1),
        }
    }
}

fn fitting(name: &str, others: &str, most: usize) -> String {
    let letter = |letter: char| match letter {
        _ if letter.is_ascii_alphanumeric() || others.contains(letter) => letter,
        _ => '-',
    };
    let fitting: String = name.chars().map(letter).collect();
    if fitting.len() <= most && !fitting.is_empty() {
        return fitting;
    }
    let hash = Id::from(name).derive("name", 0).to_string();
    let (kept, hash) = (&fitting[..fitting.len().min(most - 9)], &hash[..8]);
    format!("{kept}-{hash}")
}

/// A part of the `arn` of an event bus, in the place of another resource of the same account and region.
pub(crate) fn arn_beside(bus_arn: &str, service: &str, resource: &str) -> String {
    let parts: Vec<_> = bus_arn.splitn(6, ':').collect();
    let [_, partition, _, region, account, ..] = parts[..] else { return resource.to_owned() };
    format!("arn:{partition}:{service}:{region}:{account}:{resource}")
}

/// The `arn` of a rule of the bus.
pub(crate) fn rule_arn(bus_arn: &str, bus: &str, rule: &str) -> String {
    match bus {
        "default" => arn_beside(bus_arn, "events", &format!("rule/{rule}")),
        _ => arn_beside(bus_arn, "events", &format!("rule/{bus}/{rule}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_group_as_far_as_aws_takes_them() {
        let names = Names::of("orders.billing");
        assert_eq!(names.queue, "orders-billing");
        assert_eq!(names.dead_letters, "orders-billing-dead-letters");
        assert_eq!([names.rule(0), names.rule(1)], ["orders.billing", "orders.billing-2"]);
        for odd in ["", "größe/ünter", &"x".repeat(300)] {
            let names = Names::of(odd);
            assert!((1..=80).contains(&names.dead_letters.len()), "{names:?}");
            assert!((1..=64).contains(&names.rule(998).len()), "{names:?}");
            let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            assert!(plain(&names.queue) && plain(&names.rule(0)), "{names:?}");
        }
        assert_ne!(Names::of(&"x".repeat(300)), Names::of(&"x".repeat(301)));
    }

    #[test]
    fn arns_lie_in_the_account_of_the_bus() {
        let bus = "arn:aws:events:eu-west-1:111122223333:event-bus/orders";
        assert_eq!(arn_beside(bus, "sqs", "billing"), "arn:aws:sqs:eu-west-1:111122223333:billing");
        assert_eq!(rule_arn(bus, "orders", "r"), "arn:aws:events:eu-west-1:111122223333:rule/orders/r");
        assert_eq!(rule_arn(bus, "default", "r"), "arn:aws:events:eu-west-1:111122223333:rule/r");
    }
}

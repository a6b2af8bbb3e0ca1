//! From what a group wants to the event patterns of its rules.
//!
//! Events of a topic `{aggregateType}-events` are known by the end of their source and carry no topic; events of other topics
//! say theirs in `detail.metadata.jitney.topic`. One rule matches any of a group's interests, by `$or`; a rule has room for
//! 2,048 characters, so that a group with many event types may have several.

use jitney_core::transport::Interest;
use serde_json::{Value, json};

/// The longest pattern of a rule, in characters.
const MAX_PATTERN: usize = 2_048;

/// One of several conditions, any of which makes an event the group's.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    source: Vec<Source>,
    event_types: Vec<String>,
    topic: Topic,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Is(String),
    EndsWith(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Topic {
    /// Whatever it is: foreign events have none.
    Any,
    /// The one that follows from the aggregate type, which is not said.
    Unsaid,
    /// One of these.
    In(Vec<String>),
}

/// The patterns that match what `interests` want: one for each rule that is needed.
pub(crate) fn patterns(interests: &[Interest]) -> Vec<Value> {
    let mut conditions: Vec<Condition> = Vec::new();
    for condition in interests.iter().flat_map(conditions_of) {
        match conditions.iter().position(|known| known.can_take(&condition) || *known == condition) {
            Some(place) => conditions[place].take(condition),
            None => conditions.push(condition),
        }
    }
    let mut patterns: Vec<Vec<Value>> = Vec::new();
    for condition in conditions.into_iter().flat_map(Condition::fitting) {
        let condition = condition.to_json();
        match patterns.last_mut() {
            Some(last) if length(&pattern(last, Some(&condition))) <= MAX_PATTERN => last.push(condition),
            _ => patterns.push(vec![condition]),
        }
    }
    patterns.iter().map(|conditions| pattern(conditions, None)).collect()
}

fn pattern(conditions: &[Value], more: Option<&Value>) -> Value {
    let all: Vec<_> = conditions.iter().chain(more).collect();
    match all[..] {
        [only] => only.clone(),
        _ => json!({ "$or": all }),
    }
}

fn length(pattern: &Value) -> usize {
    pattern.to_string().chars().count()
}

fn conditions_of(interest: &Interest) -> Vec<Condition> {
    let Interest { topic, source, aggregate, event_types, .. } = interest;
    let condition = |source, topic| Condition { source, event_types: event_types.clone(), topic };
    if let Some(source) = source {
        return vec![condition(vec![Source::Is(source.clone())], Topic::Any)];
    }
    let said = condition(Vec::new(), Topic::In(vec![topic.clone()]));
    let of_topic = topic.strip_suffix("-events").filter(|name| !name.is_empty());
    match (of_topic, aggregate) {
        (Some(name), Some(aggregate)) if name == aggregate => {
            vec![condition(vec![Source::EndsWith(format!(".{name}"))], Topic::Unsaid)]
        }
        // Whoever reads a topic without handlers for its types gets what foreign systems send there, too.
        (Some(name), None) => {
            let source = vec![Source::EndsWith(format!(".{name}")), Source::Is(name.to_owned())];
            vec![condition(source, Topic::Unsaid), said]
        }
        _ => vec![said],
    }
}

impl Condition {
    /// Whether `other` differs in nothing but its topics.
    fn can_take(&self, other: &Condition) -> bool {
        let topics = matches!((&self.topic, &other.topic), (Topic::In(_), Topic::In(_)));
        topics && self.source == other.source && self.event_types == other.event_types
    }

    fn take(&mut self, other: Condition) {
        if let (Topic::In(known), Topic::In(more)) = (&mut self.topic, other.topic) {
            known.extend(more);
            known.sort_unstable();
            known.dedup();
        }
    }

    /// This, cut into parts that fit into a rule each.
    fn fitting(self) -> Vec<Condition> {
        if length(&self.to_json()) <= MAX_PATTERN {
            return vec![self];
        }
        let topics = match &self.topic {
            Topic::In(topics) => topics.len(),
            Topic::Any | Topic::Unsaid => 0,
        };
        let (mut first, mut second) = (self.clone(), self);
        if topics.max(first.event_types.len()) < 2 {
            // A single name as long as that: AWS will say so.
            return vec![first];
        }
        match (&mut first.topic, &mut second.topic) {
            (Topic::In(kept), Topic::In(rest)) if topics >= second.event_types.len() => {
                *rest = kept.split_off(topics / 2);
            }
            _ => second.event_types = first.event_types.split_off(first.event_types.len() / 2),
        }
        [first.fitting(), second.fitting()].concat()
    }

    fn to_json(&self) -> Value {
        let mut pattern = serde_json::Map::new();
        if !self.source.is_empty() {
            let source = |source: &Source| match source {
                Source::Is(name) => json!(name),
                Source::EndsWith(end) => json!({ "suffix": end }),
            };
            pattern.insert("source".to_owned(), self.source.iter().map(source).collect());
        }
        if !self.event_types.is_empty() {
            pattern.insert("detail-type".to_owned(), json!(self.event_types));
        }
        let topic = match &self.topic {
            Topic::Any => None,
            Topic::Unsaid => Some(json!([{ "exists": false }])),
            Topic::In(topics) => Some(json!(topics)),
        };
        if let Some(topic) = topic {
            pattern.insert("detail".to_owned(), json!({ "metadata": { "jitney": { "topic": topic } } }));
        }
        Value::Object(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interest(topic: &str, aggregate: Option<&str>, types: &[&str]) -> Interest {
        let mut interest = Interest::all(topic);
        interest.aggregate = aggregate.map(str::to_owned);
        interest.event_types = types.iter().map(|name| (*name).to_owned()).collect();
        interest
    }

    #[test]
    fn a_topic_of_an_aggregate_is_known_by_the_source() {
        let found = patterns(&[interest("Order-events", Some("Order"), &["OrderCreated", "OrderPaid"])]);
        assert_eq!(
            found,
            [json!({
                "source": [{ "suffix": ".Order" }],
                "detail-type": ["OrderCreated", "OrderPaid"],
                "detail": { "metadata": { "jitney": { "topic": [{ "exists": false }] } } },
            })]
        );
    }

    #[test]
    fn other_topics_are_said_by_the_events_and_share_a_condition() {
        let found = patterns(&[interest("b", None, &[]), interest("a", None, &[]), interest("b", None, &[])]);
        assert_eq!(found, [json!({ "detail": { "metadata": { "jitney": { "topic": ["a", "b"] } } } })]);
    }

    #[test]
    fn foreign_events_are_known_by_their_source_alone() {
        let mut s3 = interest("aws.s3-events", Some("aws.s3"), &["Object Created"]);
        s3.source = Some("aws.s3".to_owned());
        let found = patterns(&[s3, interest("Order-events", Some("Order"), &[])]);
        let conditions = found[0]["$or"].as_array().unwrap();
        assert_eq!(conditions[0], json!({ "source": ["aws.s3"], "detail-type": ["Object Created"] }));
        assert_eq!(conditions.len(), 2);
    }

    #[test]
    fn what_does_not_fit_into_one_rule_goes_into_several_and_loses_nothing() {
        let types: Vec<String> = (0..300).map(|number| format!("OrderHappened{number}")).collect();
        let mut orders = interest("Order-events", Some("Order"), &[]);
        orders.event_types = types.clone();
        let topics = (0..100).map(|number| interest(&format!("a-topic-of-its-own-{number}"), None, &[]));
        let found = patterns(&topics.chain([orders]).collect::<Vec<_>>());
        assert!(found.len() > 3);
        let text: String = found.iter().map(Value::to_string).collect();
        assert!(found.iter().all(|pattern| pattern.to_string().len() <= MAX_PATTERN));
        for name in types.iter().map(String::as_str).chain(["a-topic-of-its-own-99"]) {
            assert_eq!(text.matches(&format!("\"{name}\"")).count(), 1, "{name}");
        }
    }
}

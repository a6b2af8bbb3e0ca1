//! What exchanges, queues and routing keys are called.

use jitney_core::dead_letter;
use jitney_core::transport::Interest;
use jitney_core::{Error, ErrorKind};
use lapin::types::ShortString;

/// The longest name that AMQP knows, in bytes.
const MOST: usize = 255;

/// `name` as AMQP has it.
///
/// # Errors
///
/// When it is too long for AMQP.
pub(crate) fn short(doing: &str, name: &str) -> Result<ShortString, Error> {
    ShortString::try_new(name).map_err(|_| {
        let shown = &name[..name.floor_char_boundary(40)];
        let what = format!(
            "{doing}: the name `{shown}…` has {} bytes, and AMQP allows {MOST}; use a shorter one",
            name.len()
        );
        Error::new(ErrorKind::Config, what)
    })
}

/// The name of a topic's exchange.
///
/// # Errors
///
/// When there can be no such exchange.
pub(crate) fn exchange(doing: &str, topic: &str) -> Result<ShortString, Error> {
    if topic.is_empty() || topic.starts_with("amq.") {
        let what = format!(
            "{doing}: `{topic}` cannot be a topic: RabbitMQ keeps the empty name and those that begin with `amq.` to itself; use \
             another"
        );
        return Err(Error::config(what));
    }
    short(doing, topic)
}

/// The queue of the dead letters of `group`.
pub(crate) fn dead_letters(group: &str) -> String {
    dead_letter::topic(group).to_string()
}

/// The queue of one of the partitions of `group`.
pub(crate) fn partition(group: &str, partition: u32) -> String {
    format!("{group}.{partition}")
}

/// The routing key of an event. A message that is passed on unread has no aggregate type, and perhaps no event type:
/// these words are empty then.
pub(crate) fn routing_key(aggregate: &str, event_type: &str) -> String {
    let mut key = String::with_capacity(aggregate.len() + 1 + event_type.len());
    key.push_str(aggregate);
    key.push('.');
    key.push_str(event_type);
    key
}

/// The keys by which a group binds its queue for `interest`.
pub(crate) fn binding_keys(interest: &Interest) -> Vec<String> {
    let Interest { aggregate, event_types, .. } = interest;
    let mut keys = Vec::new();
    match aggregate {
        None if event_types.is_empty() => keys.push("#".to_owned()),
        None => keys.extend(event_types.iter().map(|event_type| routing_key("#", event_type))),
        // Those that are passed on unread, too.
        Some(aggregate) if event_types.is_empty() => {
            keys.extend([routing_key(aggregate, "#"), routing_key("", "#")]);
        }
        Some(aggregate) => {
            for event_type in event_types {
                keys.extend([routing_key(aggregate, event_type), routing_key("", event_type)]);
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(aggregate: Option<&str>, event_types: &[&str]) -> Vec<String> {
        let mut interest = Interest::all("Order-events");
        interest.aggregate = aggregate.map(str::to_owned);
        interest.event_types = event_types.iter().map(|name| (*name).to_owned()).collect();
        binding_keys(&interest)
    }

    #[test]
    fn a_group_binds_what_it_handles() {
        assert_eq!(keys(None, &[]), ["#"]);
        assert_eq!(keys(None, &["A", "b.c"]), ["#.A", "#.b.c"]);
        assert_eq!(keys(Some("Order"), &["A"]), ["Order.A", ".A"]);
        assert_eq!(keys(Some("Order"), &[]), ["Order.#", ".#"]);
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for topic in ["", "amq.topic", &"x".repeat(256)] {
            let error = exchange("publishing", topic).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().starts_with("publishing: "), "{error}");
        }
        assert_eq!(exchange("publishing", &"x".repeat(255)).unwrap().as_str().len(), 255);
    }
}

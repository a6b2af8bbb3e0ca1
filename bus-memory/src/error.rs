//! What this transport says when it cannot do what was asked.

use jitney_core::message::Message;
use jitney_core::{Error, ErrorKind};

use crate::Semantics;

/// The transport was closed.
pub(crate) fn closed(doing: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{doing}: the memory transport is closed; open a new one"))
}

/// The rules that are stood in for know no such thing.
pub(crate) fn unsupported(semantics: Semantics, doing: &str, instead: &str) -> Error {
    let name = semantics.as_str();
    Error::new(
        ErrorKind::Unsupported,
        format!("{doing}: not possible with the semantics of {name}; {instead}"),
    )
}

/// A topic that must exist does not.
pub(crate) fn no_topic(topic: &str, doing: &str) -> Error {
    Error::config(format!(
        "{doing}: there is no topic `{topic}`, and `strict_topics` is on; make it with `Admin::ensure_topics`"
    ))
}

/// Nobody ever subscribed under this name.
pub(crate) fn no_group(group: &str, doing: &str) -> Error {
    Error::config(format!("{doing}: there is no group `{group}`; a group begins with its first subscription"))
}

/// A group that is to be ended is at work.
pub(crate) fn has_members(group: &str) -> Error {
    Error::config(format!("deleting group `{group}`: it has members; stop them first"))
}

/// A settlement had to wait, and one of the same call failed, for which it may have waited.
pub(crate) fn another_failed() -> Error {
    let context = "settling a delivery: another one of the same call could not be settled; settle both again";
    Error::new(ErrorKind::Settle, context)
}

/// A settlement comes with outputs that nobody said would come.
pub(crate) fn outputs_not_expected() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "settling a delivery with outputs: the subscription is not exactly once; set `Subscription::exactly_once`, or \
         publish the outputs first",
    )
}

/// A message is larger than the broker that is stood in for takes.
pub(crate) fn too_large(message: &Message, size: usize, most: usize) -> Error {
    let topic = &message.topic;
    Error::new(
        ErrorKind::Rejected,
        format!(
            "publishing to topic `{topic}`: the message has {size} bytes with key and headers, and {most} are \
             allowed; publish a reference to large data instead"
        ),
    )
}

/// The fault of that name struck.
pub(crate) fn rejected_by_fault(message: &Message) -> Error {
    let topic = &message.topic;
    let context = format!("publishing to topic `{topic}`: refused by the fault `reject`; publish it again");
    Error::new(ErrorKind::Rejected, context).retryable(true)
}

/// The fault of that name struck.
pub(crate) fn unknown_by_fault(topic: &str) -> Error {
    let context =
        format!("publishing to topic `{topic}`: not answered, by the fault `unknown`; publish it again");
    Error::new(ErrorKind::Unknown, context)
}

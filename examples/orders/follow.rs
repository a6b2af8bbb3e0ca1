//! The events of one order as a tree: what followed from what.

use std::fmt::Write;

use jitney::{Head, Id};

/// Writes `events` as a tree by causation, the chain that they belong to first.
pub fn tree(order_id: &str, events: &[Head]) -> String {
    let Some(first) = events.iter().min_by_key(|head| head.time) else {
        return format!("no event of order {order_id} was seen\n");
    };
    let mut text = format!("order {order_id}, correlation {}\n", first.correlation_id());
    let known = |id: &Id| events.iter().any(|head| head.event_id == *id);
    let roots =
        events.iter().filter(|head| head.metadata.causation_id.as_ref().is_none_or(|cause| !known(cause)));
    for root in roots {
        branch(&mut text, root, events, 1);
    }
    text
}

fn branch(text: &mut String, head: &Head, events: &[Head], depth: usize) {
    // Writing into a string cannot fail.
    let _ = writeln!(
        text,
        "{:indent$}{} {}  {}",
        "",
        head.event_type,
        head.version,
        head.event_id,
        indent = 2 * depth
    );
    let effects =
        events.iter().filter(|effect| effect.metadata.causation_id.as_ref() == Some(&head.event_id));
    for effect in effects {
        branch(text, effect, events, depth + 1);
    }
}

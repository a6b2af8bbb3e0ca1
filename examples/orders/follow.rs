//! The events of one order as a tree: what followed from what.

use std::fmt::Write;

use jitney::{Head, Id};

/// Writes `events` as trees by causation, each under the one correlation id of its chain.
pub fn tree(order_id: &str, mut events: Vec<Head>) -> String {
    if events.is_empty() {
        return format!("no event of order `{order_id}` was seen\n");
    }
    events.sort_by(|a, b| (a.time, &a.event_type, &a.event_id).cmp(&(b.time, &b.event_type, &b.event_id)));
    let mut text = String::new();
    for root in events.iter().filter(|head| !events.iter().any(|cause| is_cause(cause, head))) {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "order {order_id}, correlation {}", root.correlation_id());
        branch(&mut text, root, root, &events, 1);
    }
    text
}

fn is_cause(cause: &Head, effect: &Head) -> bool {
    effect.metadata.causation_id.as_ref() == Some(&cause.event_id)
}

fn branch(text: &mut String, root: &Head, head: &Head, events: &[Head], depth: usize) {
    let (indent, name) = (2 * depth, format!("{} {}", head.event_type, head.version));
    let (width, later) = (36_usize.saturating_sub(indent), head.time.duration_since(root.time).as_millis());
    let id: &Id = &head.event_id;
    let _ = writeln!(text, "{:indent$}{name:width$} {id} {later:>+6} ms", "");
    for effect in events.iter().filter(|effect| is_cause(head, effect)) {
        branch(text, root, effect, events, depth + 1);
    }
}

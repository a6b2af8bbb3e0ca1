//! How event types and versions are named: `OrderPaid`, `Order/OrderPaid`, `OrderPaid@1.0`, `Order/OrderPaid@1.0`.

use jitney_core::event::Version;

/// Whether `text` names the event type, in whatever version.
pub(super) fn names_event(text: &str, aggregate: &str, event: &str) -> bool {
    let (of, _) = split(text, event);
    text == event || of.is_some_and(|of| of.is_empty() || of == aggregate)
}

/// Whether `text` names the event type by itself, all of its versions; or this version of it.
pub(super) fn names_version(text: &str, aggregate: &str, event: &str, version: Version) -> bool {
    let (_, at) = split(text, event);
    names_event(text, aggregate, event) && at.is_none_or(|at| at == version.to_string())
}

/// Whether `text` names this version of the event type, by its number.
pub(super) fn names_exactly(text: &str, aggregate: &str, event: &str, version: Version) -> bool {
    names_version(text, aggregate, event, version) && split(text, event).1.is_some()
}

/// The aggregate before `event` in `text`, empty where none is named, and the version behind it. An event may have any sign in
/// its name.
fn split<'t>(text: &'t str, event: &str) -> (Option<&'t str>, Option<&'t str>) {
    let behind = |rest: &'t str| if rest.is_empty() { Some(None) } else { rest.strip_prefix('@').map(Some) };
    if let Some(version) = text.strip_prefix(event).and_then(behind) {
        return (Some(""), version);
    }
    let Some((aggregate, rest)) = text.split_once('/') else { return (None, None) };
    match rest.strip_prefix(event).and_then(behind) {
        Some(version) => (Some(aggregate), version),
        None => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_named_with_and_without_its_aggregate_and_version() {
        let version = Version::new(1, 0);
        let named = |text| {
            let event = names_event(text, "Order", "Paid");
            let at = names_version(text, "Order", "Paid", version);
            (event, at, names_exactly(text, "Order", "Paid", version))
        };
        assert_eq!(named("Paid"), (true, true, false));
        assert_eq!(named("Order/Paid"), (true, true, false));
        assert_eq!(named("Paid@1.0"), (true, true, true));
        assert_eq!(named("Order/Paid@1.0"), (true, true, true));
        assert_eq!(named("Paid@2.0"), (true, false, false));
        for other in ["Invoice/Paid", "PaidV1", "Order/Paid1.0", "Order", "Paid/Order", ""] {
            assert_eq!(named(other), (false, false, false), "{other}");
        }
        assert!(names_event("a/b@c", "Order", "a/b@c") && names_event("Order/a/b@c", "Order", "a/b@c"));
    }
}

//! Each rule by Confluent's name.

use jitney_derive::DomainEvent;
use jitney_schema::{ProblemKind, Rule, events};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::folder::{contract, kinds, locked, of, release};

/// Another event.
#[derive(Serialize, Deserialize, DomainEvent, JsonSchema)]
#[event(aggregate = "Order", crate = "jitney_core")]
pub(crate) struct Shipped {
    id: String,
}

release!(first, [version = "1.0"], { cents: u32 });
release!(wider, [version = "1.1"], { cents: u64 });
release!(narrower, [version = "1.1"], { cents: u8 });
release!(fewer, [version = "1.1"], {});
release!(much_narrower, [version = "1.2"], { cents: u16 });

/// Whether `rule` lets 1.1 be like this behind 1.0; `name` is the release's.
#[track_caller]
fn lets(rule: Rule, name: &str, events: jitney_schema::Events) -> bool {
    let folder = locked(&format!("rule_{rule}_{name}"), events![first::Paid]);
    let found = of(&contract(&folder, events).rule(rule).verify().unwrap_err());
    match kinds(&found).as_slice() {
        [(ProblemKind::New, None)] => true,
        [(ProblemKind::Incompatible, Some("$.cents"))] => {
            assert_eq!(found[0].rule(), Some(rule));
            false
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn backward_lets_new_readers_take_more() {
    for rule in [Rule::Backward, Rule::BackwardTransitive] {
        assert!(lets(rule, "wider", events![wider::Paid]));
        assert!(!lets(rule, "narrower", events![narrower::Paid]));
    }
}

#[test]
fn forward_lets_new_writers_write_less() {
    for rule in [Rule::Forward, Rule::ForwardTransitive] {
        assert!(!lets(rule, "wider", events![wider::Paid]));
        assert!(lets(rule, "narrower", events![narrower::Paid]));
    }
}

#[test]
fn full_lets_neither() {
    for rule in [Rule::Full, Rule::FullTransitive] {
        assert!(!lets(rule, "wider", events![wider::Paid]));
        assert!(!lets(rule, "narrower", events![narrower::Paid]));
    }
}

#[test]
fn none_lets_everything_and_a_field_that_goes_is_let_by_none_alone() {
    assert!(lets(Rule::None, "wider", events![wider::Paid]));
    assert!(lets(Rule::None, "fewer", events![fewer::Paid]));
    for rule in [Rule::Backward, Rule::Forward, Rule::Full] {
        assert!(!lets(rule, "fewer", events![fewer::Paid]), "{rule}");
    }
}

/// 1.2 reads what 1.1 wrote, and not what 1.0 wrote.
#[test]
fn the_last_version_alone_or_each_before() {
    let folder = locked("rules_last", events![first::Paid]);
    let accepting = contract(&folder, events![narrower::Paid]).rule(Rule::None);
    accepting.accept(jitney_schema::Accept::New).verify().unwrap();
    let incompatible = |rule| {
        let found = of(&contract(&folder, events![much_narrower::Paid]).rule(rule).verify().unwrap_err());
        found.iter().any(|problem| problem.kind() == ProblemKind::Incompatible)
    };
    assert!(!incompatible(Rule::Backward));
    assert!(incompatible(Rule::BackwardTransitive));
}

#[test]
fn an_event_may_have_a_rule_of_its_own() {
    let folder = locked("rules_own", events![first::Paid]);
    let found =
        of(&contract(&folder, events![wider::Paid]).rule_for("Paid", Rule::Backward).verify().unwrap_err());
    assert_eq!(kinds(&found), [(ProblemKind::New, None)]);
}

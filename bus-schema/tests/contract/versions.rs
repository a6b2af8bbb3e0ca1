//! Changes with and without a new version, upcasters, events that go.

use jitney_schema::{Events, ProblemKind, Rule, events};

use super::folder::{contract, kinds, locked, problems, release};

release!(first, [version = "2.0"], { id: String, cents: u64 });
release!(reworded, [version = "2.0"], {
    /// In the customer's words.
    id: String,
    cents: u64,
});
release!(removed, [version = "2.0"], { id: String });
release!(renamed, [version = "2.0"], { id: String, #[serde(rename = "amount")] cents: u64 });
release!(retyped, [version = "2.0"], { id: String, cents: String });
release!(added, [version = "2.0"], { id: String, cents: u64, note: Option<String> });
release!(required, [version = "2.0"], { id: String, cents: u64, note: String });
release!(minor, [version = "2.1"], { id: String, cents: u64, note: Option<String> });
release!(minor_required, [version = "2.1"], { id: String, cents: u64, note: String });
release!(third_minor, [version = "2.2"], { id: String, cents: u64, note: Option<u32> });
release!(next, [version = "3.0"], { id: String, euros: f64 });
mod upcast {
    use super::minor;

    #[derive(serde::Serialize, serde::Deserialize, jitney_derive::DomainEvent, schemars::JsonSchema)]
    #[event(aggregate = "Order", crate = "jitney_core", version = "3.0", upcast_from = minor::Paid)]
    pub(super) struct Paid {
        id: String,
        euros: f64,
    }
}
release!(another_name, [version = "2.0", type = "OrderPaid"], { id: String, cents: u64 });
release!(under_its_name, [version = "2.0", type = "Paid"], { id: String, cents: u64 });

impl From<minor::Paid> for upcast::Paid {
    fn from(_: minor::Paid) -> Self {
        serde_json::from_str(r#"{ "id": "1", "euros": 1.5 }"#).unwrap()
    }
}

#[test]
fn the_first_run_writes_and_the_next_compares() {
    let folder = locked("first", events![first::Paid]);
    let text = std::fs::read_to_string(folder.join("Order/Paid/2.0.json")).unwrap();
    assert!(text.contains(r#""event": "Paid""#) && text.contains(r#""cents": {"#), "{text}");
    let verified = contract(&folder, events![reworded::Paid]).verify().unwrap();
    assert_eq!((verified.versions, verified.changes.len()), (1, 0));
}

#[test]
fn a_change_without_a_new_version_names_field_rule_and_fix() {
    let folder = locked("same_version", events![first::Paid]);
    for (events, path, says) in [
        (events![removed::Paid], "$.cents", "2.0 as it is now does not know it"),
        (events![retyped::Paid], "$.cents", "is an integer in"),
        (events![required::Paid], "$.note", "is required by 2.0 as it is now"),
    ] {
        let problem = problems(&folder, events).remove(0);
        let text = problem.to_string();
        assert_eq!((problem.kind(), problem.path()), (ProblemKind::Incompatible, Some(path)), "{text}");
        assert_eq!(problem.rule(), Some(Rule::FullTransitive));
        assert!(text.contains(says), "{text}");
        assert!(text.contains("version = \"3.0\", upcast_from = PaidV2"), "{text}");
    }
    let found = problems(&folder, events![renamed::Paid]);
    let paths: Vec<_> = found.iter().filter_map(|problem| problem.path()).collect();
    assert!(paths.contains(&"$.cents") && paths.contains(&"$.amount"), "{paths:?}");
    let found = problems(&folder, events![added::Paid]);
    assert_eq!(kinds(&found), [(ProblemKind::Changed, None)]);
    assert!(found[0].fix().contains("version = \"2.1\""), "{}", found[0]);
}

#[test]
fn a_minor_version_may_only_add() {
    let folder = locked("minor", events![first::Paid]);
    assert_eq!(kinds(&problems(&folder, events![minor::Paid])), [(ProblemKind::New, None)]);
    let found = problems(&folder, events![minor_required::Paid]);
    // The example of 2.0, which has no note, is not read either.
    assert_eq!(kinds(&found), [(ProblemKind::Incompatible, Some("$.note")), (ProblemKind::Unreadable, None)]);
}

#[test]
fn a_new_major_version_needs_an_upcaster() {
    let folder = locked("major", events![minor::Paid]);
    let found = problems(&folder, events![next::Paid]);
    assert_eq!(kinds(&found), [(ProblemKind::New, None), (ProblemKind::Unreadable, None)]);
    assert!(found[1].fix().contains("write the upcaster"), "{}", found[1]);
    let found = problems(&folder, events![upcast::Paid]);
    assert_eq!(kinds(&found), [(ProblemKind::New, None)]);
}

#[test]
fn a_version_that_goes_back_is_told() {
    let folder = locked("back", events![minor::Paid]);
    let found = problems(&folder, events![first::Paid]);
    assert_eq!(kinds(&found), [(ProblemKind::New, None), (ProblemKind::Gone, None)]);
    assert!(found[1].what().contains("went back"), "{}", found[1]);
}

#[test]
fn an_event_that_goes_or_is_renamed_is_told() {
    let folder = locked("gone", events![first::Paid]);
    let found = problems(&folder, Events::new());
    assert_eq!(kinds(&found), [(ProblemKind::Gone, None)]);
    let found = problems(&folder, events![another_name::Paid]);
    assert_eq!(kinds(&found), [(ProblemKind::New, None), (ProblemKind::Gone, None)]);
    assert!(found[1].to_string().contains("`OrderPaid` has the same schema"), "{}", found[1]);
    assert!(found[1].fix().contains("type = \"Paid\""), "{}", found[1]);
    contract(&folder, events![under_its_name::Paid]).verify().unwrap();
}

#[test]
fn two_types_cannot_be_one_version() {
    let folder = super::folder::fresh("twice");
    let found = problems(&folder, events![first::Paid].and(events![removed::Paid]));
    assert!(found.iter().any(|problem| problem.kind() == ProblemKind::Twice), "{found:?}");
}

#[test]
fn all_problems_are_told_at_once() {
    let folder = locked("at_once", events![first::Paid, super::rules::Shipped]);
    let error = contract(&folder, events![retyped::Paid]).verify().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("Paid 2.0, `$.cents`") && text.contains("Shipped 1.0: it is locked"), "{text}");
}

#[test]
fn transitive_rules_look_at_every_version_before() {
    let folder = locked("transitive", events![first::Paid, minor::Paid]);
    let found = problems(&folder, events![third_minor::Paid]);
    assert!(kinds(&found).contains(&(ProblemKind::Incompatible, Some("$.note"))), "{found:?}");
}

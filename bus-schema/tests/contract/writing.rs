//! What a type writes beside what it reads.

use jitney_schema::{Accept, ProblemKind, Rule, events};

use super::folder::{contract, fresh, kinds, locked, of, problems, release};

release!(first, [version = "1.0"], { id: String, #[serde(default)] note: Option<String>, #[serde(default)] lines: Vec<super::Line> });
release!(silent, [version = "1.0"], {
    id: String,
    #[serde(default, skip_serializing)] note: Option<String>,
    #[serde(default)] lines: Vec<super::Line>,
});
release!(renamed, [version = "1.0"], {
    id: String,
    #[serde(default, rename(serialize = "remark"))] note: Option<String>,
    #[serde(default)] lines: Vec<super::Line>,
});
release!(required_renamed, [version = "1.0"], {
    #[serde(rename(serialize = "number"))] id: String,
    #[serde(default)] note: Option<String>,
    #[serde(default)] lines: Vec<super::Line>,
});
release!(inside, [version = "1.0"], {
    id: String,
    #[serde(default)] note: Option<String>,
    #[serde(default)] lines: Vec<super::SilentLine>,
});
release!(silent_minor, [version = "1.1"], {
    id: String,
    #[serde(default, skip_serializing)] note: Option<String>,
    #[serde(default)] lines: Vec<super::Line>,
    #[serde(default)] tags: Vec<String>,
});
release!(left_out_when_none, [version = "1.0"], {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")] note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")] lines: Vec<super::Line>,
});

#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Line {
    #[serde(default)]
    price: Option<u32>,
}

#[allow(dead_code)]
#[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct SilentLine {
    #[serde(default, skip_serializing)]
    price: Option<u32>,
}

#[test]
fn a_field_that_is_no_longer_written_is_one_that_readers_miss() {
    let folder = locked("unwritten", events![first::Paid]);
    for (events, path) in [
        (events![silent::Paid], "$.note"),
        (events![renamed::Paid], "$.note"),
        (events![required_renamed::Paid], "$.id"),
        (events![inside::Paid], "$.lines[*].price"),
        (events![silent_minor::Paid], "$.note"),
    ] {
        let found = problems(&folder, events);
        assert_eq!(kinds(&found), [(ProblemKind::Incompatible, Some(path))], "{found:?}");
        assert!(found[0].to_string().contains("no longer written"), "{}", found[0]);
    }
    contract(&folder, events![left_out_when_none::Paid]).verify().unwrap();
    contract(&folder, events![silent::Paid]).rule(Rule::None).verify().unwrap();
}

#[test]
fn what_was_never_written_is_locked_so_and_what_is_written_is_read_from_the_start() {
    let folder = locked("never_written", events![silent::Paid]);
    let text = std::fs::read_to_string(folder.join("Order/Paid/1.0.json")).unwrap();
    assert!(text.contains("\"unwritten\": [\n    \"$.note\"\n  ]"), "{text}");
    contract(&folder, events![silent::Paid]).verify().unwrap();
    let accepted = contract(&folder, events![silent_minor::Paid]).accept(Accept::New).verify().unwrap();
    assert_eq!(accepted.versions, 2);
    let error = contract(&fresh("writes_another"), events![required_renamed::Paid]).verify().unwrap_err();
    assert_eq!(kinds(&of(&error)), [(ProblemKind::Incompatible, Some("$.id"))]);
}

#[test]
fn a_change_of_what_is_written_is_accepted_once() {
    let folder = locked("accept_unwritten", events![first::Paid]);
    let accept = Accept::Events(["Order/Paid".to_owned()].into());
    contract(&folder, events![silent::Paid]).accept(accept).verify().unwrap();
    contract(&folder, events![silent::Paid]).verify().unwrap();
    contract(&folder, events![first::Paid]).verify().unwrap();
}

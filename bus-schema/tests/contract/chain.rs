//! Versions that follow each other, and files that are gone.

use std::fs;

use jitney_schema::{Accept, Events, ProblemKind, events};

use super::folder::{contract, kinds, locked, problems, release};

release!(first, [version = "1.0"], { cents: u64 });
release!(minor, [version = "1.1"], { cents: u64, note: Option<String> });
release!(next, [version = "2.0"], { euros: f64 });
mod upcast {
    use super::minor;

    #[derive(serde::Serialize, serde::Deserialize, jitney_derive::DomainEvent, schemars::JsonSchema)]
    #[event(aggregate = "Order", crate = "jitney_core", version = "2.0", upcast_from = minor::Paid)]
    pub(super) struct Paid {
        euros: f64,
    }

    impl From<minor::Paid> for Paid {
        fn from(old: minor::Paid) -> Self {
            serde_json::from_value(
                serde_json::json!({ "euros": serde_json::to_value(old).unwrap()["cents"] }),
            )
            .unwrap()
        }
    }
}

fn accept(name: &str) -> Accept {
    Accept::Events([name.to_owned()].into())
}

/// Three versions, locked one after the other.
fn three(name: &str) -> std::path::PathBuf {
    let folder = locked(name, events![first::Paid]);
    contract(&folder, events![minor::Paid]).accept(Accept::New).verify().unwrap();
    contract(&folder, events![upcast::Paid]).accept(Accept::New).verify().unwrap();
    folder
}

fn follows(folder: &std::path::Path, version: &str) -> Option<String> {
    let text = fs::read_to_string(folder.join(format!("Order/Paid/{version}.json"))).unwrap();
    let file: serde_json::Value = serde_json::from_str(&text).unwrap();
    file.get("follows").map(|follows| follows.as_str().unwrap().to_owned())
}

#[test]
fn types_that_an_event_is_upcast_from_are_listed_with_it() {
    let folder = super::folder::fresh("upcast_too");
    let verified = contract(&folder, events![upcast::Paid]).verify().unwrap();
    assert_eq!(verified.versions, 2);
    assert!(folder.join("Order/Paid/1.1.json").exists());
}

#[test]
fn a_file_of_an_old_version_that_is_gone_is_missed() {
    let folder = three("missed");
    assert_eq!((follows(&folder, "1.1"), follows(&folder, "2.0")), (Some("1.0".into()), Some("1.1".into())));
    fs::remove_file(folder.join("Order/Paid/1.0.json")).unwrap();
    let found = problems(&folder, events![upcast::Paid]);
    assert_eq!(kinds(&found), [(ProblemKind::Gone, None)]);
    let text = found[0].to_string();
    assert!(
        text.contains("Paid 1.0") && text.contains("1.0.json") && text.contains("version control"),
        "{text}"
    );
    let still = contract(&folder, events![upcast::Paid]).accept(accept("Paid")).verify();
    assert!(still.is_err(), "it is named by its version");
    contract(&folder, events![upcast::Paid]).accept(accept("Paid@1.0")).verify().unwrap();
    contract(&folder, events![upcast::Paid]).verify().unwrap();
    assert_eq!((follows(&folder, "1.1"), follows(&folder, "2.0")), (None, Some("1.1".into())));
}

#[test]
fn accepting_one_version_removes_no_other() {
    let folder = three("no_other");
    // Without the upcaster, 1.0 and 1.1 are read by nothing.
    let lost = || events![next::Paid];
    let error = contract(&folder, lost()).accept(accept("Paid")).verify().unwrap_err();
    assert_eq!(error.problems().len(), 2, "{error}");
    assert!(error.to_string().contains("JITNEY_ACCEPT=Paid@1.0"), "{error}");
    assert!(contract(&folder, lost()).accept(accept("Invoice/Paid@1.0")).verify().is_err());
    let both = Accept::Events(["Paid@1.0", "Order/Paid@1.1"].map(str::to_owned).into());
    let verified = contract(&folder, lost()).accept(both).verify().unwrap();
    assert_eq!((verified.versions, follows(&folder, "2.0")), (1, None));
    contract(&folder, lost()).verify().unwrap();
}

#[test]
fn an_event_that_goes_takes_its_chain_with_it() {
    let folder = three("chain_gone");
    contract(&folder, Events::new()).accept(accept("Order/Paid")).verify().unwrap();
    assert!(!folder.join("Order").exists());
}

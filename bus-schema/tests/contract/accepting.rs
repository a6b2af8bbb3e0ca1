//! Accepting changes, with the difference shown.

use jitney_schema::{Accept, Events, ProblemKind, events};

use super::folder::{contract, fresh, kinds, locked, of, release};

release!(first, [version = "1.0"], { cents: u64 });
release!(minor, [version = "1.1"], { cents: u64, note: Option<String> });
release!(broken, [version = "1.0"], { cents: String });

fn only(name: &str) -> Accept {
    Accept::Events([name.to_owned()].into())
}

#[test]
fn what_is_new_is_accepted_by_that_word() {
    let folder = locked("accept_new", events![first::Paid]);
    let verified = contract(&folder, events![minor::Paid]).accept(Accept::New).verify().unwrap();
    assert_eq!((verified.versions, verified.changes.len()), (2, 1));
    assert!(verified.changes[0].difference.contains("+  \"version\": \"1.1\""), "{}", verified.changes[0]);
    contract(&folder, events![minor::Paid]).verify().unwrap();
}

#[test]
fn a_change_that_breaks_is_accepted_by_name_alone() {
    let folder = locked("accept_broken", events![first::Paid]);
    for accept in [Accept::Nothing, Accept::New, only("Shipped")] {
        let error = contract(&folder, events![broken::Paid]).accept(accept).verify().unwrap_err();
        assert_eq!(kinds(&of(&error))[0], (ProblemKind::Incompatible, Some("$.cents")));
    }
    let verified = contract(&folder, events![broken::Paid]).accept(only("Paid")).verify().unwrap();
    let shown = verified.changes[0].to_string();
    assert!(shown.contains("accepted: Paid 1.0, `$.cents`"), "{shown}");
    assert!(
        shown.contains("-            \"type\": \"integer\"")
            && shown.contains("+            \"type\": \"string\""),
        "{shown}"
    );
    contract(&folder, events![broken::Paid]).verify().unwrap();
}

#[test]
fn nothing_is_written_while_anything_is_left() {
    let folder = locked("accept_half", events![first::Paid]);
    let both = events![broken::Paid, super::rules::Shipped];
    contract(&folder, both).accept(Accept::New).verify().unwrap_err();
    assert!(!folder.join("Order/Shipped").exists());
}

#[test]
fn what_is_gone_is_removed_where_that_is_accepted() {
    let folder = locked("accept_gone", events![first::Paid]);
    let verified = contract(&folder, Events::new()).accept(only("Paid")).verify().unwrap();
    assert_eq!((verified.versions, verified.changes.len()), (0, 1));
    assert!(!folder.join("Order").exists());
}

#[test]
fn a_build_server_does_not_write_the_folder() {
    let folder = fresh("accept_ci");
    let error = contract(&folder, events![first::Paid]).locked(true).verify().unwrap_err();
    assert!(error.to_string().contains("commit the folder"), "{error}");
    assert!(!folder.exists());
}

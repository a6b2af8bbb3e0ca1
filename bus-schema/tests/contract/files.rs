//! Files of the folder that are damaged, edited, or in another's place.

use std::fs;
use std::path::Path;

use jitney_schema::{ErrorKind, ProblemKind, events};

use super::folder::{contract, locked, problems, release};

release!(first, [version = "1.0"], { cents: u64 });

#[track_caller]
fn refused(folder: &Path, says: &str) {
    let found = problems(folder, events![first::Paid]);
    assert_eq!(found.len(), 1, "{found:?}");
    let text = found[0].to_string();
    assert_eq!(found[0].kind(), ProblemKind::File);
    assert!(text.contains(says) && text.contains("1.0.json") && text.contains("version control"), "{text}");
}

#[test]
fn a_file_that_was_edited_by_hand_is_refused() {
    let folder = locked("edited", events![first::Paid]);
    let file = folder.join("Order/Paid/1.0.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"integer\"", "\"string\"")).unwrap();
    refused(&folder, "edited by hand");
    // Lines and spaces are not content.
    fs::write(&file, text.replace('\n', "\r\n  ")).unwrap();
    contract(&folder, events![first::Paid]).verify().unwrap();
}

#[test]
fn a_file_that_cannot_be_read_is_refused() {
    let folder = locked("damaged", events![first::Paid]);
    let file = folder.join("Order/Paid/1.0.json");
    fs::write(&file, "<<<<<<< HEAD").unwrap();
    refused(&folder, "it is no JSON");
    fs::write(&file, [0xff, 0xfe]).unwrap();
    refused(&folder, "it is no text");
    fs::write(&file, "{}").unwrap();
    refused(&folder, "it has no text `aggregate`");
}

#[test]
fn a_file_in_the_place_of_another_is_refused() {
    let folder = locked("moved", events![first::Paid]);
    let event = folder.join("Order/Paid");
    fs::copy(event.join("1.0.json"), event.join("1.1.json")).unwrap();
    let found = problems(&folder, events![first::Paid]);
    assert!(found[0].to_string().contains("in the place of another"), "{}", found[0]);
}

#[test]
fn a_folder_that_cannot_be_read_is_an_error_of_its_own() {
    let folder = locked("no_folder", events![first::Paid]);
    let file = folder.join("Order/Paid/1.0.json");
    let error = contract(&file, events![first::Paid]).verify().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Folder);
}

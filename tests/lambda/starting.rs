//! Cold starts that fail.

use super::function::{Function, served};
use super::runtime_api::Heard;

/// What Lambda is told of a function that does not start, and what it printed.
fn refused(app: &str) -> (Vec<Heard>, String) {
    let mut function = Function::start(app);
    let (status, printed) = function.ended();
    assert_eq!(status.code(), Some(1), "{printed}");
    (function.api.heard(), printed)
}

fn message(heard: &Heard) -> &str {
    match heard {
        Heard::NotStarted(error) => error["errorMessage"].as_str().unwrap(),
        other => panic!("{other:?} is no error of a start"),
    }
}

#[test]
fn a_mistake_in_the_set_up_is_an_error_of_the_start() {
    if served() {
        return;
    }
    let (heard, printed) = refused("without state");
    assert_eq!(heard.len(), 1, "{heard:?}");
    assert!(message(&heard[0]).contains("State<u32>"), "{heard:?}");
    assert!(printed.contains("State<u32>"), "{printed}");
}

#[test]
fn a_hook_that_fails_is_an_error_of_the_start() {
    if served() {
        return;
    }
    let (heard, _) = refused("without luck");
    let said = |line: &str| Heard::Said(line.to_owned());
    assert_eq!(heard[..2], [said("start"), said("stop")]);
    assert_eq!(message(&heard[2]), "no gateway answers");
}

#[test]
fn a_process_that_is_no_function_is_told_so() {
    if served() {
        return;
    }
    for (name, value) in [
        ("AWS_LAMBDA_RUNTIME_API", ""),
        ("AWS_LAMBDA_RUNTIME_API", "no address"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much"),
    ] {
        let mut function = Function::start_with("billing", |command| {
            command.env(name, value);
        });
        let (status, printed) = function.ended();
        assert_eq!(status.code(), Some(1), "{printed}");
        assert!(printed.contains(name) && printed.contains("App::run_until"), "{printed}");
    }
}

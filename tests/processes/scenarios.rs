//! Given, when, then: what fails, and what it says.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use jitney_testkit::given_process;

use crate::order_flow::{placed, reserved};
use crate::saga::*;
use crate::tally::{Bell, Rang, Tally, What, counted};

/// What the test in `failing` says when it fails.
fn complaint(failing: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(failing)).expect_err("it must fail");
    let panic = panic.downcast::<String>().map(|text| *text);
    panic.unwrap_or_else(|other| other.downcast_ref::<&str>().expect("it says why").to_string())
}

#[test]
fn another_event_is_shown_beside_the_expected_one() {
    let expected = ReserveStock { order: "o-2".to_owned() };
    let complaint = complaint(|| drop(given_process::<OrderFlow>([]).when(placed()).then_sent([expected])));
    let lines = [
        "other events are sent (- expected, + sent)",
        "- ReserveStock of o-2 {",
        "-   \"order\": \"o-2\"",
        "+ ReserveStock of o-1 {",
        "+   \"order\": \"o-1\"",
        "  }",
    ];
    assert_eq!(complaint.lines().collect::<Vec<_>>(), lines, "{complaint}");
}

#[test]
fn a_deadline_for_another_time_is_shown_beside_the_expected_one() {
    let hour = Duration::from_secs(3600);
    let complaint = complaint(|| {
        drop(given_process::<OrderFlow>([]).when(placed()).then_deadline(Deadline::Stock, hour))
    });
    let lines = [
        "the deadline is not set like this (- expected, + set)",
        "- \"Stock\" at 2026-01-01T01:00:00Z",
        "+ \"Stock\" at 2026-01-01T00:10:00Z",
    ];
    assert_eq!(complaint.lines().collect::<Vec<_>>(), lines, "{complaint}");
}

#[test]
fn what_did_not_happen_is_said() {
    let flow = || given_process::<OrderFlow>([placed()]).when(reserved());
    assert_eq!(complaint(|| drop(flow().then_completed())), "the process has not ended");
    assert!(
        complaint(|| drop(flow().then_no_deadline())).starts_with("deadlines are set:\n\"Payment\" at 2026")
    );
    assert!(
        complaint(|| drop(flow().then_ignored()))
            .starts_with("it is handled; these events are sent:\nTakePayment")
    );
    let other: Followed = StockReserved { order: "o-2".to_owned() }.into();
    let two = complaint(|| drop(given_process::<OrderFlow>([placed()]).when(other)));
    assert_eq!(
        two,
        "`StockReserved 1.0` is of process `o-2`, and the others are of `o-1`; a scenario is of one"
    );
    let unstarted = complaint(|| drop(given_process::<OrderFlow>([reserved()])));
    assert!(unstarted.starts_with("`StockReserved` is ignored"), "{unstarted}");
}

#[test]
fn a_key_that_no_store_keeps_fails_as_it_does_in_a_runner() {
    let input = counted(&"k".repeat(513), What::One);
    given_process::<Tally>([])
        .when(input)
        .then_failed(|error| assert!(error.contains("longer than 512 bytes"), "{error}"));
    given_process::<Tally>([])
        .when(counted("", What::One))
        .then_failed(|error| assert!(error.contains("its key \"\" is empty"), "{error}"));
}

#[test]
fn a_deadline_never_fires_before_its_time() {
    // A store keeps milliseconds: a part of one is a whole one.
    let part = Duration::from_micros(1_500);
    let set = || {
        given_process::<Tally>([]).when(counted("t", What::WaitMicros(1_500))).then_deadline(Bell::Once, part)
    };
    set().after(Duration::from_millis(1)).then_nothing_sent();
    set().after(Duration::from_millis(2)).then_sent([Rang { tally: "t".to_owned(), count: 1 }]);
}

//! Given, when, then: what fails, and what it says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use jitney_testkit::given;

use super::account::{Account, AccountEvent, Command, Refusal, open, opened};

/// What the test in `failing` says when it fails.
fn complaint(failing: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(failing)).expect_err("it must fail");
    panic.downcast::<String>().map(|text| *text).expect("it says why")
}

#[test]
fn what_follows_is_as_expected() {
    given::<Account>([opened(), AccountEvent::Deposited { cents: 7 }])
        .when(Command::Withdraw { cents: 5 })
        .then([AccountEvent::Withdrawn { cents: 5 }])
        .then_state(|account| assert_eq!(account.cents, 2))
        .when(Command::Withdraw { cents: 3 })
        .then_refused(Refusal::Overdrawn { by: 1 });
    given::<Account>([opened()]).when(Command::Deposit { cents: 0 }).then_nothing();
    given::<Account>([]).when(Command::Deposit { cents: 1 }).then_refused_as(|refusal| {
        assert!(matches!(refusal, Refusal::NotOpen));
    });
}

#[test]
fn another_event_is_shown_beside_the_expected_one() {
    let complaint = complaint(|| {
        let parts = Command::DepositInParts { cents: 8, parts: 2 };
        let expected = [AccountEvent::Deposited { cents: 5 }, AccountEvent::Deposited { cents: 4 }];
        drop(given::<Account>([opened()]).when(parts).then(expected));
    });
    let expected = [
        "other events follow (- expected, + decided)",
        "  Deposited 1.0 {",
        "-   \"cents\": 5",
        "+   \"cents\": 4",
        "  }",
        "  Deposited 1.0 {",
        "    \"cents\": 4",
        "  }",
    ];
    assert_eq!(complaint.lines().collect::<Vec<_>>(), expected, "{complaint}");
}

#[test]
fn a_refusal_that_was_not_expected_is_named() {
    let refused = complaint(|| drop(given::<Account>([opened()]).when(open()).then([opened()])));
    assert_eq!(refused, "it is refused: the account is open already\nAlreadyOpen");
    let not_refused = complaint(|| given::<Account>([]).when(open()).then_refused(Refusal::AlreadyOpen));
    assert!(
        not_refused.starts_with("it is not refused; these events follow:\nOpened 1.0 {"),
        "{not_refused}"
    );
    let otherwise = complaint(|| given::<Account>([opened()]).when(open()).then_refused(Refusal::NotOpen));
    assert_eq!(otherwise, "refused with AlreadyOpen, not with NotOpen");
}

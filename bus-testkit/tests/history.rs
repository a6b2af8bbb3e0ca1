//! Each property of a history: what violates it, and what excuses it.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jitney_core::Env;
use jitney_testkit::history::{
    Arrival, EventRef, Expectations, History, Property, PublishOutcome, Record, Recorder, SettledAs,
    Violations, What,
};

const GROUP: &str = "billing";

/// A recorder with two members, in which `count` events of one key were acked.
struct Run(Recorder);

impl Run {
    fn new(count: u64) -> Self {
        let run = Run(Recorder::new("one", Env::system()));
        run.0.joined(GROUP, "a", &["orders"]);
        run.0.joined(GROUP, "b", &["orders"]);
        (1..=count).for_each(|sequence| run.published(sequence, PublishOutcome::Acked));
        run
    }

    fn published(&self, sequence: u64, outcome: PublishOutcome) {
        self.0.publishing(&event(sequence));
        self.0.published(&event(sequence), outcome);
    }

    fn delivered(&self, member: &str, sequence: u64, token: u64) {
        self.in_epoch(member, 1, sequence, token);
    }

    fn in_epoch(&self, member: &str, epoch: u64, sequence: u64, token: u64) {
        let position = Some(sequence);
        let arrival = Arrival { event: event(sequence), attempt: 1, partition: 0, position, epoch, token };
        self.0.delivered(GROUP, member, arrival);
    }

    fn settled(&self, member: &str, token: u64, settle: SettledAs, ok: bool) {
        self.0.settled(GROUP, member, (1, token), settle, ok);
    }

    fn acked(&self, member: &str, token: u64) {
        self.settled(member, token, SettledAs::Ack, true);
    }

    /// Delivered and acked.
    fn done(&self, member: &str, sequence: u64, token: u64) {
        self.delivered(member, sequence, token);
        self.acked(member, token);
    }

    fn passes(&self) {
        self.passes_with(&Expectations::default());
    }

    fn passes_with(&self, expectations: &Expectations) {
        self.0.history().check(expectations).unwrap_or_else(|violations| panic!("{violations}"));
    }

    fn violates(&self, property: Property) -> Box<Violations> {
        self.violates_with(property, &Expectations::default())
    }

    fn violates_with(&self, property: Property, expectations: &Expectations) -> Box<Violations> {
        let violations = self.0.history().check(expectations).unwrap_err();
        assert_eq!(violations.counts.keys().collect::<Vec<_>>(), [&property], "{violations}");
        violations
    }
}

fn event(sequence: u64) -> EventRef {
    EventRef::new("orders", "42", sequence)
}

#[test]
fn what_is_delivered_once_in_order_and_acked_passes() {
    let run = Run::new(2);
    run.done("a", 1, 1);
    run.done("a", 2, 2);
    run.passes();
}

#[test]
fn an_acked_event_that_does_not_come_is_lost() {
    let run = Run::new(2);
    run.done("a", 1, 1);
    let violations = run.violates(Property::NoAckedPublishLost);
    assert_eq!(violations.violations[0].event, event(2));
    assert_eq!(violations.summary.lost, 1);
}

#[test]
fn an_acked_event_that_is_never_settled_is_lost_unless_the_run_is_not_drained() {
    let run = Run::new(1);
    run.delivered("a", 1, 1);
    run.violates(Property::NoAckedPublishLost);
    run.passes_with(&Expectations::default().drained(false));
    run.settled("a", 1, SettledAs::DeadLetter, true);
    run.passes();
}

#[test]
fn a_group_owes_nothing_of_other_topics_or_of_what_was_not_acked() {
    let run = Run::new(0);
    run.published(1, PublishOutcome::Unknown);
    run.published(2, PublishOutcome::Rejected);
    run.0.published(&EventRef::new("invoices", "1", 1), PublishOutcome::Acked);
    run.passes();
}

#[test]
fn what_nobody_published_or_was_rejected_or_is_of_another_topic_is_invented() {
    let run = Run::new(0);
    run.done("a", 1, 1);
    run.violates(Property::NothingInvented);

    let run = Run::new(0);
    run.published(1, PublishOutcome::Rejected);
    run.done("a", 1, 1);
    run.violates(Property::NothingInvented);

    let run = Run::new(0);
    let other = EventRef::new("invoices", "1", 1);
    run.0.published(&other, PublishOutcome::Acked);
    run.0.delivered(
        GROUP,
        "a",
        Arrival { event: other, attempt: 1, partition: 0, position: None, epoch: 1, token: 1 },
    );
    run.violates(Property::NothingInvented);
}

#[test]
fn what_was_never_answered_may_come() {
    let run = Run::new(0);
    run.0.publishing(&event(1));
    run.done("a", 1, 1);
    run.passes();
}

#[test]
fn a_first_delivery_after_a_later_event_is_out_of_order() {
    let run = Run::new(2);
    run.done("a", 2, 1);
    run.done("b", 1, 1);
    let violations = run.violates(Property::OrderPerKey);
    assert_eq!(violations.summary.out_of_order, 1);
    run.passes_with(&Expectations::default().ordered(false));
}

#[test]
fn a_later_publish_of_an_unknown_event_is_not_out_of_order() {
    let run = Run::new(0);
    run.published(1, PublishOutcome::Unknown);
    run.published(2, PublishOutcome::Acked);
    run.published(1, PublishOutcome::Acked);
    run.done("a", 2, 1);
    run.done("a", 1, 2);
    run.passes();
}

#[test]
fn a_new_epoch_replays_in_order() {
    let replay = |first, second| {
        let run = Run::new(2);
        run.delivered("a", 1, 1);
        run.delivered("a", 2, 2);
        run.0.left(GROUP, "a");
        for (sequence, token) in [(first, 3), (second, 4)] {
            run.in_epoch("b", 2, sequence, token);
            run.0.settled(GROUP, "b", (2, token), SettledAs::Ack, true);
        }
        run
    };
    replay(1, 2).passes();
    replay(2, 1).violates(Property::OrderPerKey);
}

#[test]
fn a_second_delivery_needs_a_cause() {
    let twice = |cause: &dyn Fn(&Run)| {
        let run = Run::new(1);
        run.delivered("a", 1, 1);
        cause(&run);
        run.done("b", 1, 2);
        run
    };
    twice(&|_| {}).violates(Property::NoUnexplainedDuplicate);
    twice(&|run| run.settled("a", 1, SettledAs::Retry, true)).passes();
    twice(&|run| run.settled("a", 1, SettledAs::Ack, false)).passes();
    twice(&|run| run.0.left(GROUP, "a")).passes();
    twice(&|run| run.0.revoked(GROUP, "a", 1)).passes();
    twice(&|run| run.0.lost(GROUP, "a", 1)).passes();
    twice(&|run| run.0.rewound(GROUP)).passes();
    twice(&|run| run.0.fault("the broker was killed")).passes();
    twice(&|run| run.published(1, PublishOutcome::Unknown)).passes();
    twice(&|run| run.0.left(GROUP, "b")).violates(Property::NoUnexplainedDuplicate);
    twice(&|_| {}).passes_with(&Expectations::default().free_duplicates(true));
}

#[test]
fn what_happens_after_the_second_delivery_is_no_cause() {
    let run = Run::new(1);
    run.delivered("a", 1, 1);
    run.done("b", 1, 2);
    run.0.left(GROUP, "a");
    run.violates(Property::NoUnexplainedDuplicate);
}

#[test]
fn what_was_acked_does_not_come_again() {
    let again = |cause: &dyn Fn(&Run)| {
        let run = Run::new(1);
        run.done("a", 1, 1);
        cause(&run);
        run.done("b", 1, 2);
        run
    };
    let violations = again(&|_| {}).violates(Property::SettledMeansSettled);
    let story = violations.to_string();
    assert!(
        story.contains("settled means settled") && story.contains("delivered orders/42#1 to b"),
        "{story}"
    );
    again(&|run| run.0.left(GROUP, "a")).violates(Property::SettledMeansSettled);
    again(&|run| run.0.rewound(GROUP)).passes();
    let fault = again(&|run| run.0.fault("the broker was killed"));
    fault.violates(Property::SettledMeansSettled);
    fault.passes_with(&Expectations::default().faults_undo_settlements(true));
}

#[test]
fn what_is_published_through_a_fault_may_come_twice_where_that_is_allowed() {
    let may_repeat = Expectations::default().faults_repeat_publishes(true);
    let run = |fault_at: usize| {
        let run = Run::new(0);
        let fault = |place| (place == fault_at).then(|| run.0.fault("the broker was killed"));
        fault(0);
        run.0.publishing(&event(1));
        fault(1);
        run.0.published(&event(1), PublishOutcome::Acked);
        fault(2);
        run.done("a", 1, 1);
        run.done("a", 1, 2);
        run
    };
    run(1).passes_with(&may_repeat);
    run(1).violates(Property::SettledMeansSettled);
    for outside in [0, 2] {
        let checked = run(outside).0.history().check(&may_repeat);
        assert!(checked.unwrap_err().names(Property::SettledMeansSettled));
    }
}

#[test]
fn an_ack_that_a_fault_left_without_an_answer_may_have_been_given() {
    let run = |settle, fault_before: bool, fault_after: bool| {
        let run = Run::new(1);
        run.delivered("a", 1, 1);
        let fault = |is_there: bool| is_there.then(|| run.0.fault("the process was killed"));
        fault(fault_before);
        run.0.settling(GROUP, "a", (1, 1), settle);
        fault(fault_after);
        run
    };
    run(SettledAs::Ack, false, true).passes();
    run(SettledAs::DeadLetter, false, true).passes();
    run(SettledAs::Ack, true, false).violates(Property::NoAckedPublishLost);
    run(SettledAs::Retry, false, true).violates(Property::NoAckedPublishLost);
    let refused = run(SettledAs::Ack, false, true);
    refused.settled("a", 1, SettledAs::Ack, false);
    refused.violates(Property::NoAckedPublishLost);
}

#[test]
fn an_ack_after_the_member_left_counts_for_nothing() {
    let run = Run::new(1);
    run.delivered("a", 1, 1);
    run.0.left(GROUP, "a");
    run.acked("a", 1);
    run.done("b", 1, 2);
    run.passes();
}

#[test]
fn what_lies_behind_a_gap_may_come_again_where_a_position_is_committed() {
    let gap = |first_is_settled: bool| {
        let run = Run::new(2);
        run.delivered("a", 1, 1);
        run.done("a", 2, 2);
        if first_is_settled {
            run.acked("a", 1);
        }
        run.0.left(GROUP, "a");
        if !first_is_settled {
            run.done("b", 1, 3);
        }
        run.done("b", 2, 4);
        run
    };
    let log = Expectations::default().settles_up_to_a_gap(true);
    gap(false).passes_with(&log);
    gap(false).violates(Property::SettledMeansSettled);
    gap(true).violates_with(Property::SettledMeansSettled, &log);
}

#[test]
fn records_of_several_processes_are_merged_and_their_clocks_may_differ() {
    let record =
        |recorder: &str, number, millis, what| Record { recorder: recorder.to_owned(), number, millis, what };
    let delivered = |member: &str, sequence, token| What::Delivered {
        group: GROUP.to_owned(),
        member: member.to_owned(),
        arrival: Arrival {
            event: event(sequence),
            attempt: 1,
            partition: 0,
            position: None,
            epoch: 1,
            token,
        },
    };
    let run = Run::new(2);
    let mut merged = run.0.history();
    let start = merged.records()[0].millis;
    // By the clocks, the second event came 5 ms before the first.
    merged.extend([
        record("two", 0, start + 1_000, delivered("a", 2, 1)),
        record("three", 0, start + 1_005, delivered("b", 1, 1)),
    ]);
    let json = serde_json::to_string(&merged).unwrap();
    let merged: History = serde_json::from_str(&json).unwrap();
    let strict = Expectations::default().drained(false);
    let violations = merged.check(&strict).unwrap_err();
    assert!(violations.names(Property::OrderPerKey));
    let summary = merged.check(&strict.clock_slack(Duration::from_millis(10))).unwrap();
    assert_eq!((summary.delivered, summary.longest_gap), (2, Duration::from_millis(5)));
    assert_eq!(
        summary.to_string(),
        "published 2, acked 2, delivered 2, duplicates 0, out of order 0, lost 0, longest gap 5 ms"
    );
}

#[test]
fn only_the_first_violations_are_told_and_the_others_counted() {
    let violations = Run::new(100).violates(Property::NoAckedPublishLost);
    assert_eq!((violations.violations.len(), violations.counts[&Property::NoAckedPublishLost]), (20, 100));
    assert!(violations.to_string().ends_with("and 80 more\n"));
}

#[tokio::test]
async fn what_was_recorded_to_a_file_outlives_its_process_up_to_the_line_that_it_was_killed_in() {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("outlives.jsonl");
    let _ = std::fs::remove_file(&path);
    let recorder = Recorder::to_file("killed", Env::system(), &path).unwrap();
    recorder.joined(GROUP, "a", &["orders"]);
    recorder.published(&event(1), PublishOutcome::Acked);
    assert_eq!(History::read(&path).unwrap(), recorder.history());

    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(History::read(&path).unwrap().records(), &recorder.history().records()[..1]);
    std::fs::write(&path, "no record\n").unwrap();
    assert!(History::read(&path).is_err());
}

//! Mistakes in a set-up are found before anything starts, all at once, and say what to do.

use std::time::Duration;

use jitney::dispatch::Limits;
use jitney::handler::{BatchPolicy, HandlerSpec};
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::transport::{PartitionPosition, Position, Start};
use jitney::{Capabilities, ErrorKind};

use super::events::{Placed, Shipped};
use super::scripted::Scripted;
use super::witness::{attempts, take};

/// What an application says that does not start; nothing must have been asked of the transport.
async fn refusal(can: impl FnOnce(&mut Capabilities), build: impl FnOnce(App) -> App) -> String {
    let transport = Scripted::with(can);
    let error = build(App::new("shop", transport.bus())).spawn().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(transport.told().is_empty() && transport.polls() == 0);
    error.to_string()
}

async fn refusal_of(can: impl FnOnce(&mut Capabilities), spec: HandlerSpec) -> String {
    refusal(can, |app| app.handlers(HandlerSet::new().handler(spec, |_: Placed| async {}))).await
}

#[track_caller]
fn says(error: &str, parts: &[&str]) {
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[jitney::test]
async fn a_handler_that_needs_order_is_refused_on_a_bus_without() {
    let error = refusal_of(|_| {}, take().ordered()).await;
    says(&error, &["application `shop` cannot start", "`take`", "order", "scripted", "drop `ordered`"]);
}

#[jitney::test]
async fn order_and_delayed_retries_are_refused_together() {
    let error = refusal_of(
        |can| (can.ordered, can.delayed_retry) = (true, true),
        take().ordered().retry(attempts(3).delayed()),
    );
    says(&error.await, &["`take`", "`ordered`", "delayed", "drop one of the two"]);
}

#[jitney::test]
async fn delayed_retries_are_refused_where_the_broker_has_none() {
    let error = refusal_of(|_| {}, take().retry(attempts(3).delayed())).await;
    says(&error, &["`take`", "scripted", "drop `delayed`"]);
    let handlers = || HandlerSet::new().handler(take(), |_: Placed| async {});
    let error = refusal(|_| {}, |app| app.retry(attempts(3).delayed()).handlers(handlers())).await;
    says(&error, &["`take`", "scripted", "drop `delayed`"]);
}

#[jitney::test]
async fn delayed_retries_beside_an_ordered_handler_of_the_group_are_refused() {
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("late").group("g").retry(attempts(3).delayed()), |_: Placed| async {})
        .handler(HandlerSpec::new("strict").group("g").ordered(), |_: Shipped| async {});
    let error =
        refusal(|can| (can.ordered, can.delayed_retry) = (true, true), |app| app.handlers(handlers)).await;
    says(&error, &["`shop.g`", "`late`", "another handler of the group is `ordered`", "another group"]);
}

#[jitney::test]
async fn broadcast_is_refused_where_the_backend_has_none() {
    let error = refusal_of(|_| {}, take().broadcast()).await;
    says(&error, &["`take`", "`broadcast`", "scripted"]);
}

#[jitney::test]
async fn a_group_is_broadcast_as_a_whole() {
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("every").group("g").broadcast(), |_: Placed| async {})
        .handler(HandlerSpec::new("one").group("g"), |_: Shipped| async {});
    let error = refusal(|can| can.broadcast = true, |app| app.handlers(handlers)).await;
    says(&error, &["`shop.g`", "broadcast group", "`one`", "another group"]);
}

#[jitney::test]
async fn nothing_can_be_done_with_none_of_it() {
    says(
        &refusal_of(|_| {}, take().retry(RetryPolicy::attempts(0))).await,
        &["`take`", "0 attempts", "at least 1"],
    );
    says(&refusal_of(|_| {}, take().concurrency(0)).await, &["`take`", "concurrency of 0", "at least 1"]);
    let batches = |_: Batch<Placed>| async {};
    let none = HandlerSet::new().handler(take().batch(BatchPolicy { size: 0 }), batches);
    says(&refusal(|_| {}, |app| app.handlers(none)).await, &["`take`", "batches of 0", "at least 1"]);
    let nothing = Limits { concurrency: 0, events: 0, bytes: 0 };
    let handlers = HandlerSet::new().handler(take(), |_: Placed| async {});
    let error = refusal(|_| {}, |app| app.limits(nothing).handlers(handlers)).await;
    says(&error, &["limits", "0 concurrency", "0 events", "0 bytes", "at least 1"]);
}

#[jitney::test]
async fn a_batch_size_is_refused_for_a_handler_of_single_events() {
    let error = refusal_of(|_| {}, take().batch(BatchPolicy { size: 10 })).await;
    says(&error, &["`take`", "batch size", "take `Batch<T>`", "drop `batch`"]);
}

#[jitney::test]
async fn a_topic_is_refused_for_a_handler_whose_event_has_one() {
    let error = refusal_of(|_| {}, take().topic("orders")).await;
    says(&error, &["`take`", "topic `orders`", "drop `topic`", "take `RawEvent`"]);
}

#[jitney::test]
async fn a_state_that_the_application_does_not_have_is_named() {
    let handlers = HandlerSet::new().handler(take(), |_: Placed, _: State<u32>, _: State<String>| async {});
    let error = refusal(|_| {}, |app| app.state(7_u32).handlers(handlers)).await;
    says(&error, &["`take`", "`State<alloc::string::String>`", ".state("]);
    assert!(!error.contains("u32"), "{error}");
}

#[jitney::test]
async fn an_idempotent_handler_needs_a_memory_that_lasts_as_long_as_its_bus() {
    let error = refusal_of(|can| can.durable = true, take().idempotent()).await;
    says(
        &error,
        &["`take`", "`idempotent`", "scripted", ".inbox(", ".processed_events(", "MemoryProcessedEvents"],
    );
    let by_key = take().idempotent_by(|order: &Placed| order.number);
    says(&refusal_of(|can| can.durable = true, by_key).await, &["`take`", "`idempotent`"]);
}

#[jitney::test]
async fn the_program_of_the_readme_starts_on_a_bus_that_outlives_it() {
    let transport = Scripted::with(|can| can.durable = true);
    let app = crate::quickstart::app(transport.bus()).spawn().await.unwrap();
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn exactly_once_is_refused_on_a_bus_without_transactions() {
    let error = refusal_of(|_| {}, take().exactly_once()).await;
    says(&error, &["`take`", "`exactly_once`", "scripted", "no transactions", "drop `exactly_once`"]);
}

#[jitney::test]
async fn exactly_once_is_refused_beside_marks_of_idempotent_handlers() {
    let transactional = |can: &mut Capabilities| can.transactional = true;
    let error = refusal_of(transactional, take().exactly_once().idempotent()).await;
    says(&error, &["`take`", "`exactly_once` and `idempotent`", "choose one of the two"]);
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("once").group("g").exactly_once(), |_: Placed| async {})
        .handler(HandlerSpec::new("marks").group("g").idempotent(), |_: Shipped| async {});
    let error = refusal(transactional, |app| app.handlers(handlers)).await;
    says(&error, &["`shop.g`", "exactly once", "`marks`", "give them another group"]);
    assert!(!error.contains("`once`"), "{error}");
}

#[jitney::test]
async fn exactly_once_is_refused_for_broadcasts() {
    let can = |can: &mut Capabilities| (can.transactional, can.broadcast) = (true, true);
    let error = refusal_of(can, take().exactly_once().broadcast()).await;
    says(&error, &["`take`", "`exactly_once` and `broadcast`", "choose one of the two"]);
}

#[jitney::test]
async fn a_place_to_start_at_is_refused_where_the_backend_cannot_go_back() {
    let there = PartitionPosition { topic: "Order-events".to_owned(), partition: 0, position: Position(7) };
    for start in [Start::Positions(vec![there]), Start::Time(jiff::Timestamp::UNIX_EPOCH)] {
        let handlers = HandlerSet::new().handler(take(), |_: Placed| async {});
        let error = refusal(|_| {}, |app| app.start_at(start).handlers(handlers)).await;
        says(&error, &["`take`", "scripted", "cannot go back", "drop `start_at`"]);
    }
}

#[jitney::test]
async fn lanes_belong_to_the_group() {
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("one").group("g").concurrency(2), |_: Placed| async {})
        .handler(HandlerSpec::new("two").group("g").concurrency(3), |_: Shipped| async {});
    let error = refusal(|_| {}, |app| app.handlers(handlers)).await;
    says(&error, &["`shop.g`", "`one`, `two`", "different concurrencies", "give it once"]);
}

#[jitney::test]
async fn two_handlers_of_one_group_for_one_event_are_refused() {
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("one").group("g"), |_: Placed| async {})
        .handler(HandlerSpec::new("two").group("g"), |_: Envelope<Placed>| async {});
    let error = refusal(|_| {}, |app| app.handlers(handlers)).await;
    says(&error, &["`shop.g`", "`Placed 1.0`", "`one`", "`two`", "another group"]);
}

#[jitney::test]
async fn a_handler_of_every_event_needs_a_group_and_a_topic() {
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("audit").group("g"), |_: RawEvent| async {})
        .handler(HandlerSpec::new("other").group("g"), |_: Placed| async {});
    says(
        &refusal(|_| {}, |app| app.handlers(handlers)).await,
        &["`shop.g`", "`audit`", "`RawEvent`", "a group to itself"],
    );
    let alone = HandlerSet::new().handler(HandlerSpec::new("audit"), |_: RawEvent| async {});
    says(
        &refusal(|_| {}, |app| app.handlers(alone)).await,
        &["`shop.audit`", "no topic", "`RawEvent`", "`HandlerSpec::topic`"],
    );
}

#[jitney::test]
async fn a_bus_that_does_not_exist_is_named_with_those_that_do() {
    let handlers = HandlerSet::new().handler(take(), |_: Placed| async {});
    let error = refusal(|_| {}, |app| app.handlers_on("partners", handlers)).await;
    says(&error, &["`take`", "`partners`", "there is none", ".bus(\"partners\""]);
    let error =
        refusal(|_| {}, |app| app.bus("archive", Scripted::new().bus()).forward::<Shipped>("partners"));
    says(&error.await, &["a forward", "`partners`", "there are `archive`"]);
}

#[jitney::test]
async fn all_mistakes_are_listed_at_once_a_line_each() {
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("one").ordered().concurrency(0), |_: Placed| async {})
        .handler(
            HandlerSpec::new("two").timeout(Duration::from_secs(1)),
            |_: Shipped, _: State<u32>| async {},
        );
    let error = refusal(|_| {}, |app| app.handlers(handlers).forward::<Shipped>("partners")).await;
    assert_eq!(error.lines().filter(|line| line.starts_with("  - ")).count(), 4, "{error}");
    says(&error, &["`partners`", "`one` needs", "`one` is given", "`two` asks"]);
}

#[jitney::test]
async fn describing_and_dispatching_find_the_same_mistakes() {
    let app = || {
        let handlers = HandlerSet::new().handler(take().ordered(), |_: Placed| async {});
        App::new("shop", Scripted::new().bus()).handlers(handlers)
    };
    let told = app().spawn().await.unwrap_err().to_string();
    assert_eq!(app().describe().unwrap_err().to_string(), told);
    assert_eq!(app().serve_batches().await.unwrap_err().to_string(), told);
}

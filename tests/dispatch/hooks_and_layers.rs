//! Hooks around the life of an application, layers around handlers, and the state that handlers ask for.

use std::time::Duration;

use async_trait::async_trait;
use jitney::handler::{Context, FromRef, HandlerSpec, Reply};
use jitney::middleware::{Middleware, Next};
use jitney::prelude::*;
use jitney::{Env, Error, ErrorKind};
use jitney_testkit::TestApp;

use super::events::{Placed, Shipped, placed, shipped};
use super::scripted::{Scripted, Told};
use super::witness::{Gate, Log, attempts, shop, take, work};

type Story = Log<String>;

/// Writes into the story when it is passed, on the way in and out.
struct Tells(&'static str, Story);

#[async_trait]
impl Middleware for Tells {
    async fn handle<'a>(&'a self, cx: Context<'a>, next: Next<'a>) -> Reply {
        self.1.add(format!("{} in", self.0));
        let reply = next.run(cx).await;
        self.1.add(format!("{} out", self.0));
        reply
    }
}

fn telling(
    story: &Story,
    what: &str,
) -> impl FnOnce(Bus) -> std::future::Ready<Result<(), Error>> + Send + 'static {
    let (story, what) = (story.clone(), what.to_owned());
    move |_| {
        story.add(what);
        std::future::ready(Ok(()))
    }
}

#[jitney::test]
async fn hooks_run_in_their_order_before_the_first_event_and_after_the_last_one() {
    let (story, gate) = (Story::new(), Gate::closed());
    let handler = |_: Placed, State(story): State<Story>, State(gate): State<Gate>| async move {
        story.add("begins".to_owned());
        gate.pass().await;
        story.add("ends".to_owned());
    };
    let part = AppPart::new().on_start(telling(&story, "start 2")).on_stop(telling(&story, "stop 2"));
    let transport = Scripted::new();
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    let app = shop(take(), handler)(transport.bus())
        .state(story.clone())
        .state(gate.clone())
        .on_start(telling(&story, "start 1"))
        .on_stop(telling(&story, "stop 1"))
        .merge(part);
    let app = app.spawn().await.unwrap();
    work(10).await;
    gate.let_through(1);
    app.shutdown().await.unwrap();
    assert_eq!(story.all(), ["start 1", "start 2", "begins", "ends", "stop 1", "stop 2"]);
}

#[jitney::test]
async fn hooks_can_publish_until_the_end() {
    let transport = Scripted::new();
    let hook = |bus: Bus| async move { bus.publish(&shipped("a", 0)).await.map(drop) };
    let app = shop(take(), |_: Placed| async {})(transport.bus()).on_start(hook).on_stop(hook);
    app.spawn().await.unwrap().shutdown().await.unwrap();
    assert!(matches!(
        transport.told()[..],
        [Told::Publish(_), Told::Leave(_), Told::Publish(_), Told::Close]
    ));
}

#[jitney::test]
async fn an_error_of_a_start_hook_keeps_the_application_from_starting() {
    let (story, transport) = (Story::new(), Scripted::new());
    let fails = |_: Bus| async { Err(Error::new(ErrorKind::Transport, "opening the database: no answer")) };
    let app = shop(take(), |_: Placed| async {})(transport.bus())
        .on_start(fails)
        .on_start(telling(&story, "not reached"));
    transport.deliver_events(1, 0, &[placed("a", 0)]);
    let error = app.run_until(work(3_600_000)).await.unwrap_err();
    assert_eq!(error.to_string(), "opening the database: no answer");
    assert!(story.all().is_empty() && transport.told().is_empty() && transport.polls() == 0);
}

#[jitney::test]
async fn an_error_of_a_stop_hook_is_told_and_the_buses_are_closed_nevertheless() {
    let (story, transport) = (Story::new(), Scripted::new());
    let fails = |_: Bus| async { Err(Error::new(ErrorKind::Transport, "flushing: no answer")) };
    let app = shop(take(), |_: Placed| async {})(transport.bus())
        .on_stop(fails)
        .on_stop(telling(&story, "reached"));
    let error = app.spawn().await.unwrap().shutdown().await.unwrap_err();
    assert_eq!(error.to_string(), "flushing: no answer");
    assert_eq!(story.all(), ["reached"]);
    assert!(transport.was_told(&Told::Close));
}

#[jitney::test]
async fn layers_stand_around_each_attempt_the_applications_first_then_the_parts_then_the_handlers() {
    let story = Story::new();
    let tells = |name: &'static str| Tells(name, story.clone());
    let handler = |_: Placed, State(story): State<Story>| async move {
        story.add("handler".to_owned());
        if story.len() < 10 { Err("not yet") } else { Ok(()) }
    };
    let inner = take().layer(tells("handler 1")).layer(tells("handler 2")).retry(attempts(2));
    let part = AppPart::new().layer(tells("part")).handlers(HandlerSet::new().handler(inner, handler));
    let layers = (tells("app 1"), tells("app 2"));
    let app = TestApp::run(move |bus| App::new("shop", bus).layer(layers.0).layer(layers.1).merge(part))
        .state(story.clone())
        .await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    let names = ["app 1", "app 2", "part", "handler 1", "handler 2"];
    let way_in = names.iter().map(|name| format!("{name} in"));
    let way_out = names.iter().rev().map(|name| format!("{name} out"));
    let attempt: Vec<_> = way_in.chain(["handler".to_owned()]).chain(way_out).collect();
    assert_eq!(story.all(), [attempt.clone(), attempt].concat());
}

#[jitney::test]
async fn the_layers_of_a_part_are_not_around_the_handlers_of_others() {
    let story = Story::new();
    let tells = Tells("part", story.clone());
    let part = AppPart::new()
        .layer(tells)
        .handlers(HandlerSet::new().handler(HandlerSpec::new("inside"), |_: Shipped| async {}));
    let app = TestApp::run(move |bus| shop(take(), |_: Placed| async {})(bus).merge(part)).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    assert!(story.all().is_empty());
    app.publish(&shipped("a", 0)).await;
    app.settled().await;
    assert_eq!(story.all(), ["part in", "part out"]);
}

/// Answers in place of the handler.
struct Answers;

#[async_trait]
impl Middleware for Answers {
    async fn handle<'a>(&'a self, cx: Context<'a>, _: Next<'a>) -> Reply {
        Reply::All(Outcome::dead_letter(format!("{} may not, at attempt {}", cx.handler(), cx.attempt())))
    }
}

#[jitney::test]
async fn a_layer_may_answer_in_place_of_the_handler() {
    let story = Story::new();
    let handler = |_: Placed, State(story): State<Story>| async move { story.add("handler".to_owned()) };
    let app = TestApp::run(shop(take().layer(Answers), handler)).state(story.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    assert!(story.all().is_empty());
    app.assert_dead_letter(|letter| {
        letter.header_str("jitney-dead-error") == Some("take may not, at attempt 1")
    });
}

#[jitney::test]
async fn a_signal_ends_a_start_that_takes_for_ever() {
    let transport = Scripted::new();
    let hangs = |_: Bus| std::future::pending();
    let app = shop(take(), |_: Placed| async {})(transport.bus()).on_start(hangs);
    let ended = Env::system().timeout(Duration::from_secs(60), app.run_until(work(10))).await;
    ended.unwrap().unwrap();
    assert_eq!(transport.polls(), 0);
}

/// What production has.
#[derive(Debug, Clone)]
struct Config {
    currency: &'static str,
}

/// A part of it.
#[derive(Debug, Clone)]
struct Currency(&'static str);

impl FromRef<Config> for Currency {
    fn from_ref(config: &Config) -> Self {
        Currency(config.currency)
    }
}

fn selling(bus: Bus) -> App {
    let handler = |_: Placed, State(currency): State<Currency>, State(story): State<Story>| async move {
        story.add(currency.0.to_owned());
    };
    shop(take(), handler)(bus).state(Config { currency: "EUR" }).state_from_ref::<Config, Currency>()
}

async fn currency_of(run: jitney_testkit::TestRun) -> String {
    let story = Story::new();
    let app = run.state(story.clone()).await;
    app.publish(&placed("a", 0)).await;
    app.settled().await;
    story.all().remove(0)
}

#[jitney::test]
async fn a_state_can_be_taken_out_of_a_larger_one_and_tests_can_replace_either() {
    assert_eq!(currency_of(TestApp::run(selling)).await, "EUR");
    assert_eq!(currency_of(TestApp::run(selling).state(Config { currency: "USD" })).await, "USD");
    assert_eq!(currency_of(TestApp::run(selling).state(Currency("GBP"))).await, "GBP");
}

#[jitney::test]
async fn a_part_brings_its_state() {
    let part = AppPart::new().state(Currency("CHF"));
    assert_eq!(currency_of(TestApp::run(selling).with(|app| app.merge(part))).await, "CHF");
}

//! Who gets an event: one member of a group, or every member.

use jitney::handler::HandlerSpec;
use jitney::memory::Memory;
use jitney::prelude::*;
use jitney::{Env, app::RunningApp};

use super::events::{Placed, placed};
use super::scripted::Scripted;
use super::witness::{Log, attempts, shop, take};

/// Which member handled which event.
type Handled = Log<(&'static str, u32)>;

/// Two members of one application on one memory bus.
async fn members(spec: impl Fn() -> HandlerSpec) -> (Memory, [RunningApp; 2], Handled) {
    let (env, log) = (Env::seeded(1), Handled::new());
    let memory = Memory::builder().env(env.clone()).build();
    let mut running = Vec::new();
    for name in ["one", "two"] {
        let handler =
            move |order: Placed, State(log): State<Handled>| async move { log.add((name, order.number)) };
        let bus = Bus::builder(memory.clone()).env(env.clone()).build();
        let app = shop(spec(), handler)(bus).state(log.clone()).keep_buses_open();
        running.push(app.spawn().await.unwrap());
    }
    for number in 0..40 {
        running[0].bus().publish(&placed(&format!("k{number}"), number)).await.unwrap();
    }
    memory.idle().await;
    (memory, running.try_into().unwrap(), log)
}

fn of(log: &Handled, name: &str) -> Vec<u32> {
    let mut numbers: Vec<_> =
        log.all().into_iter().filter(|(of, _)| *of == name).map(|(_, number)| number).collect();
    numbers.sort_unstable();
    numbers
}

#[jitney::test]
async fn members_of_a_group_share_its_events() {
    let (_memory, running, log) = members(take).await;
    let (one, two) = (of(&log, "one"), of(&log, "two"));
    assert_eq!(one.len() + two.len(), 40, "each event once");
    assert!(!one.is_empty() && !two.is_empty(), "both work");
    for app in running {
        app.shutdown().await.unwrap();
    }
}

#[jitney::test]
async fn a_subscription_says_what_its_group_needs() {
    let can = |can: &mut jitney::Capabilities| (can.delayed_retry, can.transactional) = (true, true);
    let transport = Scripted::with(can);
    let spec = |name: &str| HandlerSpec::new(name).group(name);
    let handlers = HandlerSet::new()
        .handler(spec("delayed").retry(attempts(2).delayed()), |_: Placed| async {})
        .handler(spec("once").exactly_once(), |_: Placed| async {})
        .handler(spec("plain"), |_: Placed| async {});
    let app = App::new("shop", transport.bus()).handlers(handlers).spawn().await.unwrap();
    let mut told: Vec<_> = transport
        .subscriptions()
        .into_iter()
        .map(|told| (told.group, told.service, told.delayed_retry, told.exactly_once))
        .collect();
    told.sort();
    let wanted = [("delayed", true, false), ("once", false, true), ("plain", false, false)];
    let wanted =
        wanted.map(|(name, delayed, once)| (format!("shop.{name}"), "shop".to_owned(), delayed, once));
    assert_eq!(told, wanted);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn every_member_of_a_broadcast_group_gets_every_event() {
    let (_memory, running, log) = members(|| take().broadcast()).await;
    let all: Vec<_> = (0..40).collect();
    assert_eq!((of(&log, "one"), of(&log, "two")), (all.clone(), all));
    for app in running {
        app.shutdown().await.unwrap();
    }
}

#[jitney::test]
async fn groups_get_every_event_each() {
    let (env, log) = (Env::seeded(1), Handled::new());
    let memory = Memory::builder().env(env.clone()).build();
    let named = |name: &'static str| {
        move |order: Placed, State(log): State<Handled>| async move { log.add((name, order.number)) }
    };
    let handlers = HandlerSet::new()
        .handler(HandlerSpec::new("first"), named("one"))
        .handler(HandlerSpec::new("second"), named("two"));
    let bus = Bus::builder(memory.clone()).env(env).build();
    let app = App::new("shop", bus).state(log.clone()).handlers(handlers).spawn().await.unwrap();
    app.bus().publish(&placed("a", 7)).await.unwrap();
    memory.idle().await;
    assert_eq!((of(&log, "one"), of(&log, "two")), (vec![7], vec![7]));
    assert_eq!(app.stats().keys().collect::<Vec<_>>(), ["shop.first", "shop.second"]);
    app.shutdown().await.unwrap();
}

#[jitney::test]
async fn names_of_groups_begin_with_the_service_or_with_what_is_chosen() {
    let names =
        |app: App| app.describe().unwrap().groups.into_iter().map(|group| group.name).collect::<Vec<_>>();
    let app = || shop(take().group("billing"), |_: Placed| async {})(Bus::new(Memory::new()));
    assert_eq!(names(app()), ["shop.billing"]);
    assert_eq!(names(app().group_prefix("team-a")), ["team-a.billing"]);
    assert_eq!(names(app().group_prefix("")), ["billing"]);
}

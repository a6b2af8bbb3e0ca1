//! What the services do to one order and another.

use jitney::Env;
use jitney::memory::{Faults, Semantics};

use crate::bench::{Bench, Run, catalogue, forgetful, line, read};
use crate::orders::audit::Audit;
use crate::orders::events::{OrderCreated, OrderProgress, OrderRefused, PaymentDeclined, StockReleased};
use crate::orders::follow::tree;
use crate::orders::run::Ending;

#[jitney::test]
async fn the_same_orders_again_are_refused() {
    let run = Bench::of(&read("orders.jsonl").repeat(2)).run().await;
    assert_eq!((run.report.orders, run.report.refused), (830, 830));
    assert_eq!(run.report.net, "1265793.04");
    let refused = run.app.published::<OrderRefused>();
    assert_eq!(refused.len(), 830);
    assert!(refused.iter().all(|refusal| refusal.reason == "Order already exists"));
}

#[jitney::test]
async fn of_two_commands_for_an_order_the_first_line_wins() {
    let input = line("A", 1, "1.00") + &line("A", 2, "1.00");
    for seed in 0..50 {
        let semantics = Semantics::EventBridge;
        let run = Bench { semantics, seed, faults: Faults::some(), ..Bench::of(&input) }.run().await;
        assert_eq!((run.report.orders, run.report.refused), (1, 1), "seed {seed}");
        assert_eq!(run.report.net, "1.00", "seed {seed}");
    }
}

#[jitney::test]
async fn ten_thousand_is_paid_and_a_cent_more_is_not() {
    let run = Bench::of(&(line("A", 1, "10000.00") + &line("B", 1, "10000.01"))).run().await;
    assert_eq!((run.report.confirmed, run.report.cancelled), (1, 1));
    let declined = run.app.published::<PaymentDeclined>();
    assert_eq!(declined.len(), 1);
    assert_eq!(
        (&*declined[0].order_id, &*declined[0].reason),
        ("B", "10000.01 is above the limit of 10000.00")
    );
    run.app.assert_published::<OrderProgress>(
        |progress| matches!(&**progress, OrderProgress::Cancelled { order_id, reason } if order_id == "B" && reason == &declined[0].reason),
    );
}

#[jitney::test]
async fn a_cancelled_order_follows_from_the_release_of_its_goods() {
    for seed in 0..20 {
        let semantics = Semantics::EventBridge;
        let faults = Faults::some();
        // Without `shippedAt`, which says the same as null.
        let input = line("A", 1000, "10.01").replace(r#""shippedAt":null,"#, "");
        let run = Bench { semantics, seed, faults, ..Bench::of(&input) }.run().await;
        let (released, cancelled) =
            (run.app.published::<StockReleased>(), run.app.published::<OrderProgress>());
        assert_eq!((released.len(), cancelled.len()), (1, 1), "seed {seed}");
        assert_eq!(
            cancelled[0].metadata().causation_id.as_ref(),
            Some(released[0].event_id()),
            "seed {seed}"
        );
    }
}

#[jitney::test]
async fn what_was_set_aside_for_a_cancelled_order_is_put_back_once() {
    let faults = Faults { duplicate: 0.2, ..Faults::none() };
    let run = Bench { build: forgetful, faults, ..Bench::northwind() }.run().await;
    let released: Vec<_> = run.app.published::<StockReleased>();
    assert_eq!(released.len(), 10);
    let mut kept = std::collections::BTreeMap::<String, u64>::new();
    for order in run.app.published::<OrderCreated>() {
        if !released.iter().any(|released| released.order_id == order.order_id) {
            for item in &order.items {
                *kept.entry(item.product_id.clone()).or_default() += u64::from(item.quantity);
            }
        }
    }
    let catalogue = catalogue();
    for (product, shelf) in &run.views.stock.shelves().products {
        let came = catalogue.in_stock()[product] + shelf.replenished;
        let gone = kept.get(product).copied().unwrap_or_default();
        assert_eq!(shelf.on_hand + gone, came, "product {product}");
    }
}

#[jitney::test]
async fn the_slow_notifications_keep_nobody_waiting() {
    let bench = Bench::northwind();
    let (summary, gateway) = (bench.views.summary.clone(), bench.views.gateway.clone());
    let watched = Env::system().spawn(async move {
        let mut tally = summary.tally();
        tally.wait_for(|tally| tally.finished == 830).await.unwrap();
        gateway.sent()
    });
    let Run { views, ending, .. } = bench.run().await;
    let sent_by_then = watched.await.unwrap();
    assert_eq!(ending, Ending::Complete);
    assert_eq!(views.gateway.sent(), 820 + 10 + 799);
    assert!(sent_by_then < views.gateway.sent(), "the orders waited for all {sent_by_then} notifications");
}

#[jitney::test]
async fn an_order_that_is_to_be_shipped_is_not_at_its_end_before() {
    let input = line("A", 1, "1.00").replace("null", r#""1996-07-16""#);
    for seed in 0..10 {
        let faults = Faults { delay: 1.0, ..Faults::none() };
        let bench = Bench { seed, faults, ..Bench::of(&input) };
        let summary = bench.views.summary.clone();
        let watched = Env::system().spawn(async move {
            summary.tally().wait_for(|tally| tally.finished == 1).await.unwrap();
            summary.table().rows["A"].shipped
        });
        assert_eq!(bench.run().await.ending, Ending::Complete, "seed {seed}");
        assert!(watched.await.unwrap(), "seed {seed}");
    }
}

#[jitney::test]
async fn an_order_is_one_tree_under_one_correlation_id() {
    let mut bench = Bench::northwind();
    bench.views.audit = Audit::new(Some("10865".to_owned()));
    bench.faults = Faults::some();
    let run = bench.run().await;
    let events = run.views.audit.followed();
    assert!(events.iter().all(|head| head.correlation_id() == events[0].correlation_id()));
    let text = tree("10865", events.clone());
    let names: Vec<_> = text.lines().skip(1).map(|line| line.split(" 1.0").next().unwrap()).collect();
    assert!(
        text.starts_with(&format!("order 10865, correlation {}\n", events[0].correlation_id())),
        "{text}"
    );
    assert_eq!(
        names.iter().map(|name| name.split(" 2.0").next().unwrap()).collect::<Vec<_>>(),
        [
            "  PlaceOrder",
            "    OrderCreated",
            "      StockReserved",
            "        PaymentDeclined",
            "          StockReleased",
            "            OrderCancelled",
        ],
        "{text}",
    );
}

#[jitney::test]
async fn a_refused_command_is_a_tree_of_its_own() {
    let mut bench = Bench::of(&line("A", 1, "1.00").repeat(2));
    bench.views.audit = Audit::new(Some("A".to_owned()));
    let run = bench.run().await;
    let text = tree("A", run.views.audit.followed());
    assert_eq!(text.lines().filter(|line| line.starts_with("order A, correlation ")).count(), 2, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("    OrderRefused")).count(), 1, "{text}");
}

#[jitney::test]
async fn only_the_order_that_is_followed_is_kept() {
    let run = Bench::of(&line("A", 1, "1.00")).run().await;
    assert!(run.views.audit.followed().is_empty());
    assert_eq!(tree("A", Vec::new()), "no event of order `A` was seen\n");
}

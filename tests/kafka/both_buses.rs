//! The same handlers on memory and on Kafka, unchanged; and one application on both.

use jitney::handler::HandlerSet;
use jitney::prelude::*;
use jitney::transport::Start;
use jitney::{error_chain, memory::Memory};

use super::broker::{Broker, fresh};
use super::service::{Log, bus, until};

/// Topics outlive a run, and so each event says which run it is of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsBasket", id = basket)]
struct CheckedOut {
    basket: String,
    run: String,
    number: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsInvoice", id = basket)]
struct Invoiced {
    basket: String,
    run: String,
    number: u32,
}

const TOPICS: [&str; 2] = ["JitneyTestsBasket-events", "JitneyTestsInvoice-events"];

fn checked_out(run: &str, basket: u32, number: u32) -> CheckedOut {
    CheckedOut { basket: format!("basket-{basket}"), run: run.to_owned(), number }
}

/// What the handlers of an application have seen.
#[derive(Debug, Clone)]
struct Seen {
    run: String,
    orders: Log<CheckedOut>,
    invoices: Log<Envelope<Invoiced>>,
    tries: Log<()>,
}

impl Seen {
    fn of(run: &str) -> Self {
        Seen { run: run.to_owned(), orders: Log::new(), invoices: Log::new(), tries: Log::new() }
    }
}

#[handler(group = "invoicing", ordered, retry(attempts = 3, from = "1ms", to = "5ms"))]
async fn invoice(order: CheckedOut, State(seen): State<Seen>) -> Result<Option<Invoiced>, &'static str> {
    match order.number {
        _ if order.run != seen.run => Ok(None),
        // Two tries are not enough.
        7 if seen.tries.add(()) < 2 => Err("the printer is busy"),
        13 => Err("nobody can print that"),
        number => {
            seen.orders.add(order.clone());
            Ok(Some(Invoiced { basket: order.basket, run: order.run, number }))
        }
    }
}

#[handler(group = "mailing")]
async fn mail(invoiced: Envelope<Invoiced>, State(seen): State<Seen>) {
    if invoiced.run == seen.run {
        seen.invoices.add(invoiced);
    }
}

/// What holds on every bus: order by key, retries in place, outputs with their cause, dead letters.
async fn invoices_are_mailed(bus: Bus) {
    let run = fresh("run");
    let (seen, letters) = (Seen::of(&run), Log::new());
    let graves = letters.clone();
    let app = App::new("shop", bus)
        .group_prefix(&run)
        .start_at(Start::Latest)
        .state(seen.clone())
        .handlers(handlers![invoice, mail])
        .on_dead_letter(move |letter| {
            graves.add(letter.failure.clone());
        })
        .spawn()
        .await
        .unwrap();
    let orders: Vec<_> = (0..60).map(|number| checked_out(&run, number % 4, number)).collect();
    let ids = app.bus().publish_all(&orders).await.unwrap();
    until("all invoices are mailed", || seen.invoices.len() == 59).await;
    until("one order is given up", || letters.len() == 1).await;
    for basket in 0..4 {
        let basket = format!("basket-{basket}");
        let numbers: Vec<_> = seen.orders.all().into_iter().filter(|order| order.basket == basket).collect();
        assert!(numbers.is_sorted_by_key(|order| order.number), "{basket}: {numbers:?}");
    }
    for invoiced in seen.invoices.all() {
        let cause = &ids[invoiced.number as usize];
        assert_eq!(invoiced.head().metadata.causation_id.as_ref(), Some(cause));
        assert_eq!(invoiced.head().correlation_id(), cause);
    }
    assert_eq!(seen.tries.len(), 3);
    let [failure] = &letters.all()[..] else { panic!("one is given up") };
    assert_eq!((failure.attempts, &*failure.group), (3, &*format!("{run}.invoicing")));
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn on_memory() {
    invoices_are_mailed(Bus::new(Memory::builder().build())).await;
}

#[tokio::test]
async fn on_kafka() {
    let broker = Broker::connect();
    for topic in TOPICS {
        broker.ensure(topic, 4, &[]).await;
    }
    invoices_are_mailed(bus().await).await;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsNews", id = run)]
struct Announced {
    run: String,
    number: u32,
}

#[tokio::test]
async fn an_application_on_both_passes_events_on_as_they_are() {
    let (broker, run, log) = (Broker::connect(), fresh("run"), Log::new());
    broker.ensure("JitneyTestsNews-events", 4, &[]).await;
    let (memory, seen, mine) = (Bus::new(Memory::builder().build()), log.clone(), run.clone());
    let hear = move |announced: Envelope<Announced>| {
        if announced.run == mine {
            seen.add((announced.head().event_id.clone(), announced.number));
        }
        std::future::ready(())
    };
    let app = App::new("jitney-tests", bus().await)
        .group_prefix(&run)
        .start_at(Start::Latest)
        .bus("inside", memory.clone())
        .forward::<Announced>("inside")
        .handlers_on("inside", HandlerSet::new().handler(jitney::handler::HandlerSpec::new("hear"), hear));
    let app = app.spawn().await.unwrap();
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push((app.bus().publish(&Announced { run: run.clone(), number }).await.unwrap(), number));
    }
    until("all are heard on the other bus", || log.len() == 20).await;
    assert_eq!(log.all(), ids, "in their order, under their ids");
    // What is published inside stays inside.
    memory.publish(&Announced { run: run.clone(), number: 99 }).await.unwrap();
    until("it is heard", || log.len() == 21).await;
    assert_eq!(broker.read_with("JitneyTestsNews-events", &run).len(), 20);
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_application_on_both_says_which_bus_is_missing_a_topic() {
    let memory = Bus::new(Memory::builder().build());
    let nowhere = fresh("nowhere");
    let spec = jitney::handler::HandlerSpec::new("take").topic(&nowhere);
    let app = App::new("jitney-tests", memory)
        .bus("outside", bus().await)
        .handlers_on("outside", HandlerSet::new().handler(spec, |_: RawEvent| async {}));
    let text = error_chain(&app.spawn().await.unwrap_err());
    assert!(text.contains(&nowhere) && text.contains("kafka://"), "{text}");
}

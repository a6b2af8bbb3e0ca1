//! What a schema registry costs for each event once its schemas are known: encoding and decoding by the registry's codec, beside
//! the codec of CloudEvents, which writes the same headers and the same JSON without an id before it.
//!
//! ```text
//! cargo bench --bench registry --features registry
//! cargo bench --bench registry --features registry -- 21     # rounds, 11 unless told otherwise
//! ```
//!
//! The two run in turn on one thread, and the ratio is taken within each pair. The registry is one in memory that counts what it is
//! asked: nothing, once the codec is there.

#![allow(clippy::disallowed_methods, reason = "a bench measures: it reads the clock")]
#![allow(unreachable_pub, reason = "the files are modules of several binaries")]
#![cfg_attr(test, allow(unused_imports, reason = "there is no test harness here; the peers have it"))]

#[path = "process/quartiles.rs"]
mod quartiles;
#[path = "process/table.rs"]
mod table;

use std::env;
use std::error::Error as StdError;
use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jitney::codec::{CloudEvents, Codec, Destination};
use jitney::event::{EventType, Version};
use jitney::message::{Message, Topic};
use jitney::prelude::*;
use jitney::registry::{
    Compatibility, Error, Format, RegisteredSchema, RegistryCodec, Schema, SchemaRegistry, SchemaVersion,
    Verdict,
};
use jitney::{Head, Id};
use quartiles::Quartiles;
use table::{Row, Table};
use tokio::runtime::Builder;

/// Events of one run.
const EVENTS: u32 = 200_000;

/// How many other event types the codec knows beside the one that is written.
const OTHERS: [usize; 2] = [0, 1_000];

type Failure = Box<dyn StdError + Send + Sync>;

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent, schemars::JsonSchema)]
#[event(aggregate = "Order", id = order_id)]
struct OrderPaid {
    order_id: String,
    cents: u64,
    note: String,
}

/// A registry that takes everything, and counts.
#[derive(Debug, Clone, Default)]
struct Counting {
    asked: Arc<AtomicU32>,
    schemas: Arc<Mutex<Vec<Schema>>>,
}

impl Counting {
    fn count(&self) {
        self.asked.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl SchemaRegistry for Counting {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    async fn register(&self, _: &str, schema: &Schema) -> Result<u32, Error> {
        self.count();
        let mut schemas = self.schemas.lock().expect("nothing panics beside it");
        schemas.push(schema.clone());
        Ok(u32::try_from(schemas.len()).expect("there are few"))
    }

    async fn find(&self, _: &str, _: &Schema) -> Result<Option<u32>, Error> {
        self.count();
        Ok(None)
    }

    async fn by_id(&self, id: u32) -> Result<Schema, Error> {
        self.count();
        Ok(self.schemas.lock().expect("nothing panics beside it")[id as usize - 1].clone())
    }

    async fn version(&self, _: &str, _: SchemaVersion) -> Result<Option<RegisteredSchema>, Error> {
        self.count();
        Ok(None)
    }

    async fn check(&self, _: &str, _: &Schema) -> Result<Verdict, Error> {
        self.count();
        Ok(Verdict::Compatible)
    }

    async fn set_rule(&self, _: &str, _: Compatibility) -> Result<(), Error> {
        self.count();
        Ok(())
    }
}

/// A codec that knows `others` event types more than the one that is measured.
async fn codec(registry: Counting, others: usize) -> Result<RegistryCodec, Failure> {
    let mut builder = RegistryCodec::builder(registry).json::<OrderPaid>();
    for number in 0..others {
        let name: &'static str = Box::leak(format!("Other{number}").into_boxed_str());
        let other = EventType::new(name, "Other", Version::new(1, 0), "Other-events");
        let schema = Schema::new(Format::Json, format!(r#"{{"title":"{name}"}}"#));
        builder = builder.schema(Box::leak(Box::new(other)), schema);
    }
    Ok(builder.connect().await?)
}

/// Encodes and decodes as a bus does, the payload included.
fn run(codec: &dyn Codec, event: &OrderPaid) -> Result<Duration, Failure> {
    let about = &OrderPaid::TYPES[0];
    let id = Id::from("018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f");
    let order = event.order_id.clone();
    let head =
        Head::new(id, about.name(), about.aggregate(), order, jiff::Timestamp::UNIX_EPOCH, about.version());
    let started = Instant::now();
    for _ in 0..EVENTS {
        let encoded = codec.encode(Destination::new(about.topic(), "bench"), &head, event)?;
        let message = Message {
            topic: Topic::Static(about.topic()),
            key: None,
            headers: encoded.headers,
            time: head.time,
            body: encoded.body,
        };
        if codec.prepare(&message).is_some() {
            return Err("the codec does not know its own schema".into());
        }
        let decoded = codec.decode(&message, Some(about))?;
        let event: OrderPaid = RawEvent::new(decoded, Arc::new(message)).decode()?;
        black_box(event);
    }
    Ok(started.elapsed())
}

async fn pairs(others: usize, rounds: usize) -> Result<Row, Failure> {
    let registry = Counting::default();
    let (ours, floor) = (codec(registry.clone(), others).await?, CloudEvents::kafka());
    let event = OrderPaid { order_id: "order-42".to_owned(), cents: 1_234, note: "x".repeat(300) };
    let before = registry.asked.load(Ordering::SeqCst);
    let (mut our, mut bare, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let nanos = |took: Duration| took.as_secs_f64() * 1e9 / f64::from(EVENTS);
    for round in 0..rounds {
        eprintln!("{others} other event types, pair {} of {rounds}", round + 1);
        bare.push(nanos(run(&floor, &event)?));
        our.push(nanos(run(&ours, &event)?));
        ratios.push(our[round] / bare[round]);
    }
    let ratio = Quartiles::of(&ratios);
    Ok(vec![
        (others + 1).to_string(),
        format!("{:.0}", Quartiles::of(&bare).median),
        format!("{:.0}", Quartiles::of(&our).median),
        format!("{:.3}", ratio.median),
        format!("{:.3} to {:.3}", ratio.low, ratio.high),
        (registry.asked.load(Ordering::SeqCst) - before).to_string(),
    ])
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() {
        return Ok(()); // `cargo test --benches`: `cargo bench` says `--bench`
    }
    let rounds = match arguments.iter().find(|argument| *argument != "--bench") {
        None => 11,
        Some(rounds) => rounds.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(|| {
            format!("`{rounds}` is no number of rounds; give one from 1, as in `cargo bench --bench registry -- 21`")
        })?,
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for others in OTHERS {
        rows.push(runtime.block_on(pairs(others, rounds))?);
    }
    let head =
        ["event types", "cloudevents, ns", "registry, ns", "registry / cloudevents", "quartiles", "requests"];
    print!("{}", Table { head: &head, rows: &rows });
    Ok(())
}

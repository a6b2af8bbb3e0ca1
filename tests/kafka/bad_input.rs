//! Whatever others write to a topic is handled or dead-lettered whole, and what follows it in its partition is handled.

use bytes::Bytes;
use jitney::app::RunningApp;
use jitney::handler::HandlerSpec;
use jitney::kafka::rdkafka::error::RDKafkaErrorCode as Code;
use jitney::prelude::*;

use super::broker::{Broker, Record, fresh};
use super::by_hand::{self, Odd};
use super::service::{Log, again, app, attempts, stats, until};

/// The envelope that `id` travels in, as a service in another language writes it.
fn envelope(id: &str, payload: &str) -> String {
    format!(
        r#"{{"eventId":"{id}","eventType":"Noted","aggregateId":"a","aggregateType":"Note","timestamp":"2026-01-02T03:04:05.678Z","version":1,"payload":{payload},"metadata":{{"correlationId":"c"}}}}"#
    )
}

fn good(id: &str) -> Record {
    Record::new("a", envelope(id, "{}")).header("event-type", "Noted")
}

/// A service that handles every event of a topic with one partition, and notes ids.
struct Auditor {
    broker: Broker,
    topic: String,
    group: String,
    handled: Log<String>,
    app: RunningApp,
}

impl Auditor {
    async fn start(settings: &[(&str, &str)]) -> Self {
        Self::of(HandlerSpec::retry, settings).await
    }

    async fn of(
        spec: impl FnOnce(HandlerSpec, jitney::middleware::RetryPolicy) -> HandlerSpec,
        settings: &[(&str, &str)],
    ) -> Self {
        let (broker, topic, handled) = (Broker::connect(), fresh("bad-input"), Log::new());
        broker.make(&topic, 1, settings).await;
        let log = handled.clone();
        let take = move |event: RawEvent| {
            let log = log.clone();
            async move {
                log.add(event.head().event_id.to_string());
                match event.payload_json() {
                    b"\"refuse\"" => Err(HandlerError::permanent("refused")),
                    _ => Ok(()),
                }
            }
        };
        let (group, app) = app(|it| spec(it.topic(&topic), attempts(2)), take).await;
        let app = app.spawn().await.unwrap();
        Auditor { broker, topic, group, handled, app }
    }

    fn letters(&self) -> Vec<Record> {
        self.broker.read(&format!("{}.dead-letters", self.group))
    }

    /// Writes each record and a good event behind it, and waits until all the good ones are handled and everything is
    /// settled.
    async fn goes_on_behind(&self, records: &[Record]) {
        let mut ids = Vec::new();
        for record in records {
            let id = fresh("good");
            self.broker.write(&self.topic, record).await;
            self.broker.write(&self.topic, &good(&id)).await;
            ids.push(id);
        }
        until("the good events are handled", || {
            let handled = self.handled.all();
            ids.iter().all(|id| handled.contains(id))
        })
        .await;
        let end = self.broker.read(&self.topic).len() as i64;
        until("all of it is committed", || self.broker.committed(&self.group, &self.topic, 0) == Some(end))
            .await;
    }

    /// The same for records that nobody can read: each is a dead letter, as it was.
    async fn buries(self, records: &[Record]) {
        self.goes_on_behind(records).await;
        let letters = self.letters();
        assert_eq!(letters.len(), records.len());
        for (letter, (place, record)) in letters.into_iter().zip(records.iter().enumerate()) {
            assert_eq!(letter.text("jitney-dead-reason"), Some("undecodable"));
            assert_eq!(letter.text("jitney-dead-topic"), Some(&*self.topic));
            assert_eq!(letter.text("jitney-dead-position"), Some(&*(2 * place).to_string()));
            assert!(letter.before_it_died() == *record, "record {place} is not whole");
        }
        self.app.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_value_that_is_no_envelope_is_dead_lettered_whole() {
    let values = [
        &b""[..],
        b"\xff\xfe{\"eventId\":1}",
        b"null",
        b"[]",
        b"{",
        br#"{"id":1,"type":"OrderCreated"}"#,
        br#"{"eventId":"e","eventType":"Noted","aggregateId":"a","aggregateType":"Note","timestamp":"yesterday","version":1,"payload":{}}"#,
        br#"{"eventId":"e","eventType":"Noted","aggregateId":"a","aggregateType":"Note","timestamp":"2026-01-02T03:04:05.678Z","version":-1,"payload":{}}"#,
    ];
    let records: Vec<_> = values.into_iter().map(|value| Record::new("a", value)).collect();
    Auditor::start(&[]).await.buries(&records).await;
}

#[tokio::test]
async fn a_tombstone_is_dead_lettered_as_a_tombstone() {
    let tombstone = Record { value: None, ..Record::new("a", "") };
    let with_header = tombstone.clone().header("event-type", "Noted");
    Auditor::start(&[]).await.buries(&[tombstone, with_header]).await;
}

#[tokio::test]
async fn a_megabyte_of_garbage_is_dead_lettered_whole() {
    let garbage: Vec<u8> = (0..1_000_000).map(|_| fastrand::u8(..)).collect();
    Auditor::start(&[]).await.buries(&[Record::new("a", garbage)]).await;
}

#[tokio::test]
async fn a_large_event_is_handled_and_one_that_is_refused_is_dead_lettered_whole() {
    let auditor = Auditor::start(&[]).await;
    let text = format!("\"{}\"", "x".repeat(900_000));
    let large = Record::new("a", envelope("large", &text)).header("event-type", "Noted");
    let filled = format!("{}{}", envelope("refused", "\"refuse\""), " ".repeat(900_000));
    let refused = Record::new("a", filled).header("event-type", "Noted");
    auditor.goes_on_behind(&[large, refused.clone()]).await;
    assert!(auditor.handled.all().contains(&"large".to_owned()));
    let [letter] = &auditor.letters()[..] else { panic!("one is refused") };
    assert_eq!(letter.text("jitney-dead-reason"), Some("permanent"));
    assert!(letter.clone().before_it_died() == refused);
    auditor.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_record_as_large_as_the_topic_allows_is_dead_lettered_though_a_letter_is_larger() {
    let auditor = Auditor::start(&[("max.message.bytes", "2000000")]).await;
    let broker = &auditor.broker;
    // What a batch takes beside the value: found by trying, so that the largest record is really the largest.
    let mut size = 2_000_000;
    let largest = loop {
        let record = Record::new("a", vec![b'x'; size]);
        match broker.try_write(&auditor.topic, &record).await {
            Ok(_) => break record,
            Err(code) => assert_eq!(code, Code::MessageSizeTooLarge),
        }
        size -= 1;
    };
    broker.write(&auditor.topic, &good("behind")).await;
    until("the event behind it is handled", || auditor.handled.all() == ["behind"]).await;
    until("one that cannot be read is put aside", || !auditor.letters().is_empty()).await;
    let [letter] = &auditor.letters()[..] else { panic!("there is one") };
    assert!(letter.clone().before_it_died() == largest);
    auditor.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn headers_of_others_do_no_harm_and_are_kept() {
    let null = |record: Record, name: &str| {
        let mut record = record;
        record.headers.push((name.to_owned(), None));
        record
    };
    let auditor = Auditor::start(&[]).await;
    let strange = Record::new("a", envelope("strange", "{}"))
        .header("", "no name")
        .header("event-type", b"\xff\xfe".as_slice())
        .header("twice", "1")
        .header("twice", "2")
        .header("large", vec![b'h'; 100_000])
        .header("jitney-dead-reason", "of another group");
    let nothing = null(Record::new("a", envelope("null", "{}")), "event-type");
    auditor.goes_on_behind(&[strange.clone(), nothing]).await;
    let handled = auditor.handled.all();
    assert!(["strange", "null"].iter().all(|id| handled.contains(&(*id).to_owned())), "{handled:?}");
    assert_eq!(auditor.letters(), []);
    auditor.app.shutdown().await.unwrap();
    let mut unreadable = Record { value: Some("{".into()), ..strange };
    unreadable.headers.pop();
    Auditor::start(&[]).await.buries(&[unreadable]).await;
}

#[tokio::test]
async fn a_header_whose_name_is_no_text_costs_no_more_than_itself() {
    let auditor = Auditor::start(&[]).await;
    let headers = [(&b"before"[..], &b"1"[..]), (b"\xff\xfe", b"2"), (b"behind", b"3")];
    let body = envelope("odd", "{}");
    by_hand::write(&auditor.topic, &Odd { value: body.as_bytes(), headers: &headers, time: 1_234_567 });
    by_hand::write(&auditor.topic, &Odd { value: b"{", headers: &headers, time: 1_234_567 });
    auditor.broker.write(&auditor.topic, &good("behind")).await;
    until("the others are handled", || auditor.handled.all() == ["odd", "behind"]).await;
    until("the other one is put aside", || !auditor.letters().is_empty()).await;
    let letter = auditor.letters().remove(0).before_it_died();
    let expected = Record::new("a", "{").header("before", "1").header("\u{fffd}", "").header("behind", "3");
    assert_eq!(letter, expected, "the client cannot read that header");
    auditor.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_record_without_a_time_is_handled() {
    let auditor = Auditor::start(&[]).await;
    let body = envelope("odd", "{}");
    by_hand::write(&auditor.topic, &Odd { value: body.as_bytes(), headers: &[], time: -1 });
    by_hand::write(&auditor.topic, &Odd { value: b"{", headers: &[], time: -1 });
    auditor.broker.write(&auditor.topic, &good("behind")).await;
    until("the others are handled", || auditor.handled.all() == ["odd", "behind"]).await;
    until("the other one is put aside", || !auditor.letters().is_empty()).await;
    let letter = auditor.letters().remove(0).before_it_died();
    assert_eq!(letter, Record { time: 0, ..Record::new("a", "{") });
    auditor.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn any_key_or_none_is_taken_and_kept() {
    let keys =
        [None, Some(Bytes::new()), Some(Bytes::from_static(b"\x00\xff\xfe")), Some(vec![7; 60_000].into())];
    let events = keys.iter().enumerate().map(|(index, key)| {
        let record = Record::new("", envelope(&format!("key-{index}"), "{}")).header("event-type", "Noted");
        Record { key: key.clone(), ..record }
    });
    let auditor = Auditor::start(&[]).await;
    auditor.goes_on_behind(&events.collect::<Vec<_>>()).await;
    let handled = auditor.handled.all();
    assert!((0..keys.len()).all(|index| handled.contains(&format!("key-{index}"))), "{handled:?}");
    auditor.app.shutdown().await.unwrap();
    let unreadable: Vec<_> = keys.into_iter().map(|key| Record { key, ..Record::new("", "{") }).collect();
    Auditor::start(&[]).await.buries(&unreadable).await;
}

#[tokio::test]
async fn times_that_the_broker_sets_are_kept() {
    let auditor = Auditor::start(&[("message.timestamp.type", "LogAppendTime")]).await;
    auditor.goes_on_behind(&[Record::new("a", "{")]).await;
    let stored = auditor.broker.read(&auditor.topic).remove(0);
    let letter = auditor.letters().remove(0);
    assert_ne!(stored.time, 1_234_567, "the broker has set it");
    assert_eq!(letter.before_it_died(), stored);
    auditor.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_dead_letter_that_cannot_be_written_holds_its_delivery_until_it_can() {
    let auditor = Auditor::start(&[]).await;
    let letters = format!("{}.dead-letters", auditor.group);
    auditor.broker.alter(&letters, "max.message.bytes", "100").await;
    auditor.broker.write(&auditor.topic, &good("before")).await;
    let unreadable = Record::new("b", "{".repeat(1_000));
    auditor.broker.write(&auditor.topic, &unreadable).await;
    auditor.broker.write(&auditor.topic, &good("behind")).await;
    // Another key goes on; the offset does not.
    until("the events around it are handled", || auditor.handled.all() == ["before", "behind"]).await;
    let committed = || auditor.broker.committed(&auditor.group, &auditor.topic, 0);
    until("what comes before it is committed", || committed() == Some(1)).await;
    assert_eq!(auditor.letters(), []);
    assert_eq!(stats(&auditor.app).dead_lettered, 0);
    auditor.broker.alter(&letters, "max.message.bytes", "1100000").await;
    until("all of it is committed", || committed() == Some(3)).await;
    assert_eq!(auditor.letters().remove(0).before_it_died(), unreadable);
    auditor.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_service_that_stops_before_its_dead_letter_is_written_writes_it_when_it_is_back() {
    let auditor = Auditor::start(&[]).await;
    let letters = format!("{}.dead-letters", auditor.group);
    auditor.broker.alter(&letters, "max.message.bytes", "100").await;
    auditor.broker.write_all(&auditor.topic, &[Record::new("b", "{".repeat(1_000)), good("behind")]).await;
    until("the event behind it is handled", || auditor.handled.len() == 1).await;
    let Auditor { broker, topic, group, app, .. } = auditor;
    // It cannot settle everything, and says so.
    let stopped = app.shutdown().await;
    assert_eq!(broker.committed(&group, &topic, 0).unwrap_or(0), 0, "{stopped:?}");
    broker.alter(&letters, "max.message.bytes", "1100000").await;
    let again = again(&group, |it| it.topic(&topic), |_: RawEvent| async {}).await;
    let again = again.spawn().await.unwrap();
    until("all of it is committed", || broker.committed(&group, &topic, 0) == Some(2)).await;
    assert_eq!(broker.read(&letters).len(), 1);
    again.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_compressed_better_than_a_letter_is_dead_lettered_all_the_same() {
    let auditor = Auditor::start(&[("max.message.bytes", "100000")]).await;
    let large = Record::new("a", vec![b'x'; 5_000_000]);
    auditor.broker.write_compressed(&auditor.topic, &large).await;
    auditor.broker.write(&auditor.topic, &good("behind")).await;
    until("the event behind it is handled", || auditor.handled.all() == ["behind"]).await;
    until("all of it is committed", || {
        auditor.broker.committed(&auditor.group, &auditor.topic, 0) == Some(2)
    })
    .await;
    assert!(auditor.letters().remove(0).before_it_died() == large);
    auditor.app.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_compressed_better_than_a_transaction_is_dead_lettered_all_the_same() {
    let auditor =
        Auditor::of(|spec, policy| spec.retry(policy).exactly_once(), &[("max.message.bytes", "100000")])
            .await;
    let large = Record::new("a", vec![b'x'; 5_000_000]);
    auditor.broker.write_compressed(&auditor.topic, &large).await;
    auditor.broker.write(&auditor.topic, &good("behind")).await;
    until("everything is settled", || auditor.broker.is_done(&auditor.group, &auditor.topic)).await;
    assert_eq!(auditor.handled.all(), ["behind"]);
    // Partitions hear one after the other that a transaction is committed.
    until("its letter can be seen", || !auditor.letters().is_empty()).await;
    assert!(auditor.letters().remove(0).before_it_died() == large);
    auditor.app.shutdown().await.unwrap();
}

/// One event type in a topic of its own for each test: each counts everything in it.
macro_rules! noted {
    ($name:ident, $topic:literal) => {
        #[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
        #[event(aggregate = "JitneyTestsNote", id = id, type = "Noted", topic = $topic)]
        struct $name {
            id: String,
        }

        impl $name {
            const TOPIC: &str = $topic;

            fn take(log: Log<String>) -> impl Fn(Self) -> std::future::Ready<()> {
                move |noted| {
                    log.add(noted.id);
                    std::future::ready(())
                }
            }
        }
    };
}

noted!(Noted, "jitney-tests-noted");
noted!(StrictlyNoted, "jitney-tests-strictly-noted");

/// Writes events of types and versions that a typed handler does not know; answers what was done, the events, and the letters.
async fn with_unknown<F, Args>(
    topic: &str,
    strict: bool,
    take: impl FnOnce(Log<String>) -> F,
) -> (jitney::dispatch::GroupStats, Vec<Record>, Vec<Record>)
where
    F: jitney::handler::HandlerFn<Args>,
    Args: Send + 'static,
{
    let (broker, handled) = (Broker::connect(), Log::new());
    broker.ensure(topic, 1, &[]).await;
    let run = fresh("run");
    let (group, app) = app(|it| it, take(handled.clone())).await;
    let app = app.start_at(jitney::transport::Start::Latest);
    let app = if strict { app.strict() } else { app };
    let app = app.spawn().await.unwrap();
    let event = |kind: &str, version: u32| {
        let payload = format!(r#"{{"id":"{run}"}}"#);
        let body = envelope("e", &payload).replace("Noted", kind);
        let body = body.replace(r#""version":1"#, &format!(r#""version":{version}"#));
        Record::new("a", body).header("event-type", kind.to_owned())
    };
    let unknown = vec![event("Forgotten", 1), event("Noted", 9)];
    broker.write_all(topic, &unknown).await;
    broker.write(topic, &event("Noted", 1)).await;
    until("the event behind is handled", || handled.all().contains(&run)).await;
    let (skipped, letters) = if strict { (0, 2) } else { (1, 1) };
    until("the others are settled", || {
        stats(&app).skipped >= skipped && stats(&app).dead_lettered >= letters
    })
    .await;
    let stats = stats(&app);
    app.shutdown().await.unwrap();
    (stats, unknown, broker.read(&format!("{group}.dead-letters")))
}

#[tokio::test]
async fn unknown_types_are_skipped_and_counted_and_unknown_versions_dead_lettered() {
    let (stats, unknown, letters) = with_unknown(Noted::TOPIC, false, Noted::take).await;
    assert_eq!(stats.skipped, 1);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].text("jitney-dead-reason"), Some("unknown-version"));
    assert_eq!(letters[0].clone().before_it_died(), unknown[1]);
}

#[tokio::test]
async fn a_strict_service_dead_letters_unknown_types() {
    let (stats, unknown, mut letters) = with_unknown(StrictlyNoted::TOPIC, true, StrictlyNoted::take).await;
    assert_eq!(stats.skipped, 0);
    letters.sort_by_key(|letter| letter.text("jitney-dead-position").unwrap().parse::<u64>().unwrap());
    let reasons: Vec<_> = letters.iter().map(|letter| letter.text("jitney-dead-reason").unwrap()).collect();
    assert_eq!(reasons, ["unhandled", "unknown-version"]);
    let letters: Vec<_> = letters.into_iter().map(|letter| letter.before_it_died()).collect();
    assert_eq!(letters, unknown);
}

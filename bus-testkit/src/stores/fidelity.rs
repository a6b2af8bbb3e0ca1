//! Events come back as they were appended.

use std::collections::HashSet;

use bytes::Bytes;
use jiff::Timestamp;
use jitney_core::event::Version;
use jitney_core::metadata::TraceContext;
use jitney_core::{Id, Metadata};
use jitney_sourcing::{Append, Expected, NewEvent, StreamId};
use serde_json::value::RawValue;

use super::expectations;
use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// Aggregate ids that some store may confuse, escape, cut or order by a language's rules.
const ODD_IDS: &[&str] = &[
    "a",
    "A",
    "a ",
    " a",
    "a/b",
    "a//b",
    "a\\b",
    "a'b",
    "a\"b",
    "a`b",
    "a;--",
    "a\nb",
    "a\tb",
    "%",
    "_",
    "a%",
    "..",
    "null",
    "0",
    "00",
    "-1",
    "a,b=c",
    "a:b",
    "a|b",
    "a#0",
    "a@1",
    "{}",
    "$1",
    "?",
    "\u{e4}",
    "a\u{308}",
    "\u{df}",
    "ss",
    "\u{130}",
    "\u{1f4a5}",
    "\u{200b}",
    "\u{feff}a",
    "\u{7f}",
    "\u{1}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{5d0}\u{202e}a",
];

/// JSON that some store may write anew: other spaces, another order, other numbers.
const ODD_PAYLOADS: &[&str] = &[
    "{}",
    "{ }",
    "null",
    "\"text\"",
    "[1, 2,3 ]",
    "17",
    "{\"b\":1,\"a\":2}",
    "{\"a\":1,\"a\":2}",
    "{\"a\" : 1 ,\n\t\"b\": 2}",
    "{\"n\":12345678901234567890123456789012345678901234567890}",
    "{\"n\":0.1000000000000000000000000000000000001}",
    "{\"n\":1e400,\"m\":1.0,\"k\":-0.0,\"l\":1E+2}",
    "{\"n\":18446744073709551615,\"m\":-9223372036854775808}",
    "{\"escaped\":\"\\u00e4\\u0000\\/\\n\\ud83d\\udca5\"}",
    "{\"plain\":\"\u{e4}'\\\"\\\\\u{1f4a5}\u{2028}\"}",
    "{\"\":{\"payload\":{\"metadata\":[[[]]]}}}",
];

/// Appends events, and wants them back by each way of reading.
async fn round_trip(trial: &Trial<'_>, stream: &StreamId, events: Vec<NewEvent>) -> Outcome {
    let (store, other) = (trial.store().await?, trial.store().await?);
    let start = trial.wait("the end", store.end()).await??;
    let appended = trial.append(&*store, Append::to(stream.clone(), Expected::New, events.clone())).await?;
    expectations::holds(stream, &trial.stored(&*other, stream).await?, &events)?;
    let filter = trial.filter().aggregate_types([stream.aggregate_type().to_owned()]);
    let read = trial.read_between(&*other, &start, &filter, 1_000, &appended.position).await?;
    expectations::holds(stream, &read, &events)?;
    for (sequence, event) in (1..).zip(&events).take(50) {
        let found = trial.wait("an event by its id", other.find_event(stream, &event.event_id)).await??;
        let Some(found) = found else {
            return Err(Failure(format!("event {:?} of stream {stream:?} is not found", event.event_id)));
        };
        expectations::is_as_appended(&found, event, stream, sequence)?;
    }
    Ok(())
}

pub(super) async fn keeps_odd_aggregate_ids_apart(trial: &Trial<'_>) -> Outcome {
    let mut ids: Vec<String> = ODD_IDS.iter().map(|id| (*id).to_owned()).collect();
    ids.extend(["i".repeat(512), "i".repeat(511), "\u{1f4a5}".repeat(128)]);
    for id in &ids {
        let stream = StreamId::new(trial.types[0].clone(), id.clone());
        round_trip(trial, &stream, trial.events(2)).await?;
    }
    Ok(())
}

pub(super) async fn keeps_odd_aggregate_types_apart(trial: &Trial<'_>) -> Outcome {
    let [plain, _] = &trial.types;
    let ends = ["", "/a", "/A", "/a ", "/\u{e4}", "/a\u{308}", "'", "\"", "\\", "%", "=,"];
    let mut types: Vec<String> = ends.iter().map(|end| format!("{plain}{end}")).collect();
    types.push(format!("{plain}{}", "t".repeat(512 - plain.len())));
    for aggregate_type in types {
        for id in ["1", "a/1"] {
            let stream = StreamId::new(aggregate_type.clone(), id);
            let store = trial.store().await?;
            let events = trial.events(1);
            trial.append(&*store, Append::to(stream.clone(), Expected::New, events.clone())).await?;
            expectations::holds(&stream, &trial.stored(&*store, &stream).await?, &events)?;
        }
    }
    Ok(())
}

pub(super) async fn keeps_payloads_byte_by_byte(trial: &Trial<'_>) -> Outcome {
    let mut events = trial.events(ODD_PAYLOADS.len());
    for (event, payload) in events.iter_mut().zip(ODD_PAYLOADS) {
        event.payload = Bytes::from_static(payload.as_bytes());
    }
    round_trip(trial, &trial.stream(), events).await
}

pub(super) async fn keeps_large_payloads(trial: &Trial<'_>) -> Outcome {
    let mut events = trial.events(4);
    for (event, kilobytes) in events.iter_mut().zip([1, 9, 70, 200]) {
        let letters = (0..kilobytes << 10).map(|_| char::from(b'a' + trial.random(26) as u8));
        event.payload = format!("{{\"text\":\"{}\"}}", letters.collect::<String>()).into();
    }
    round_trip(trial, &trial.stream(), events).await
}

pub(super) async fn keeps_large_batches(trial: &Trial<'_>) -> Outcome {
    round_trip(trial, &trial.stream(), trial.events(5_000)).await
}

pub(super) async fn keeps_ids_types_and_versions(trial: &Trial<'_>) -> Outcome {
    let ids = [
        "018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f",
        "018F2C5E-7B1A-7C3D-8E4F-5A6B7C8D9E0F",
        "018f2c5e7b1a7c3d8e4f5a6b7c8d9e0f",
        "evt_42",
        "EVT_42",
        "evt 42/'\"\u{e4}\u{1f4a5}",
        "42",
        &"e".repeat(300),
    ];
    let types =
        ["Opened", "opened", "Gr\u{f6}\u{df}e ge\u{e4}ndert", "order.opened/1", "O'Brien", "T", "\"", "%"];
    let versions = [(1, 0), (2, 1), (7, 13), (1, 1), (300, 70_000), (0, 0), (0, 9), (2_147_483_647, 0)];
    let mut events = trial.events(ids.len());
    for (event, ((id, event_type), (major, minor))) in
        events.iter_mut().zip(ids.iter().zip(types).zip(versions))
    {
        event.event_id = Id::from(*id);
        event.event_type = event_type.into();
        event.version = Version::new(major, minor);
    }
    round_trip(trial, &trial.stream(), events).await
}

pub(super) async fn keeps_metadata(trial: &Trial<'_>) -> Outcome {
    let metadata = |change: &dyn Fn(&mut Metadata)| {
        let mut metadata = Metadata::default();
        change(&mut metadata);
        metadata
    };
    let trace = |state: Option<&str>| TraceContext {
        parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
        state: state.map(str::to_owned),
    };
    let raw = |json: &str| RawValue::from_string(json.to_owned());
    let (object, number) = match (raw("{ \"b\": 1.50, \"a\": [null] }"), raw("12345678901234567890123")) {
        (Ok(object), Ok(number)) => (object, number),
        _ => return Err(Failure("the metadata of this check are no JSON".to_owned())),
    };
    let all = [
        Metadata::default(),
        metadata(&|all| all.user_id = Some("Zo\u{eb} O'Brien \"\\\u{0}\u{1f4a5}".to_owned())),
        metadata(&|all| all.user_id = Some(String::new())),
        metadata(&|all| all.correlation_id = Some(Id::from("request 17"))),
        metadata(&|all| all.causation_id = Some(Id::from("018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f"))),
        metadata(&|all| all.trace = Some(trace(None))),
        metadata(&|all| all.trace = Some(trace(Some("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7")))),
        metadata(&|all| {
            for (name, value) in [("tenant", "a"), ("empty", ""), ("\u{e4} '\"", "\n\t\\"), ("n", "17")] {
                all.pairs.insert(name.to_owned(), value.to_owned());
            }
        }),
        metadata(&|all| {
            all.extensions.insert("nested".to_owned(), object.clone());
            all.extensions.insert("large".to_owned(), number.clone());
        }),
    ];
    let mut events = trial.events(all.len());
    events.iter_mut().zip(all).for_each(|(event, metadata)| event.metadata = metadata);
    round_trip(trial, &trial.stream(), events).await
}

pub(super) async fn keeps_times_to_the_millisecond(trial: &Trial<'_>) -> Outcome {
    let millis = [
        0,
        -1,
        1,
        999,
        1_767_225_600_123,
        1_767_225_600_001,
        // Before 1900, and behind what 64 bits of nanoseconds can say.
        -2_500_000_000_123,
        9_300_000_000_000_001,
        253_402_207_200_999,
    ];
    let millis = millis.into_iter().filter(|millis| Timestamp::from_millisecond(*millis).is_ok());
    let millis: Vec<_> = millis.collect();
    let mut events = trial.events(millis.len());
    for (event, millis) in events.iter_mut().zip(&millis) {
        event.time = Timestamp::from_millisecond(*millis).unwrap_or_default();
    }
    let times: HashSet<_> = events.iter().map(|event| event.time).collect();
    ensure!(times.len() == millis.len(), "the times of this check are not all different");
    round_trip(trial, &trial.stream(), events).await
}

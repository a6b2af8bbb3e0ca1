//! The last event of a correlation id.

use jitney_core::Id;
use jitney_sourcing::{Append, EventStore, Expected, Position, StreamId};
use serde_json::value::RawValue;

use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome, ensure};

/// Ids that some store may cut, escape, or take for another one; those of a check begin with a text of its own.
fn odd_ids(own: &str) -> Vec<Id> {
    let ends = [
        "",
        " ",
        "/A",
        "/a",
        "'",
        "\"",
        "\\",
        "\\u0000",
        "\\ud8",
        "\\\\udea",
        "\0",
        "\n",
        "%",
        "\u{e4}",
        "a\u{308}",
        "\u{1f4a5}",
        "{}",
        "[\"a\"]",
    ];
    let mut ids: Vec<_> = ends.iter().map(|end| format!("{own}{end}")).collect();
    // Longer than an index takes, and different only at the end.
    ids.extend(["a", "b"].map(|end| format!("{own}{}{end}", "long".repeat(1_000))));
    ids.iter().map(|id| Id::from(&**id)).collect()
}

async fn is_at(
    trial: &Trial<'_>,
    store: &dyn EventStore,
    id: &Id,
    expected: Option<&Position>,
    what: &str,
) -> Outcome {
    let end = trial.wait("the end of a correlation id", store.end_of_correlation(id)).await??;
    ensure!(
        end.as_ref() == expected,
        "correlation {id:?} {what} ends at {expected:?}, and the store says {end:?}"
    );
    Ok(())
}

async fn append(
    trial: &Trial<'_>,
    store: &dyn EventStore,
    stream: &StreamId,
    ids: &[Option<&Id>],
) -> Outcome<(Vec<Id>, Position)> {
    let mut events = trial.events(ids.len());
    for (event, id) in events.iter_mut().zip(ids) {
        event.metadata.correlation_id = id.cloned();
    }
    let event_ids = events.iter().map(|event| event.event_id.clone()).collect();
    let append = Append::to(stream.clone(), Expected::Any, events);
    Ok((event_ids, trial.append(store, append).await?.position))
}

pub(super) async fn finds_the_end_of_a_correlation(trial: &Trial<'_>) -> Outcome {
    let (store, other) = (trial.store().await?, trial.store().await?);
    let (stream, elsewhere) = (trial.stream(), trial.other_stream());
    let own = trial.env.new_id();
    let id = Id::from(&*format!("{own} several"));
    is_at(trial, &*other, &id, None, "without events").await?;
    let (_, first) = append(trial, &*store, &stream, &[Some(&id)]).await?;
    is_at(trial, &*other, &id, Some(&first), "of one event").await?;
    let (_, second) = append(trial, &*store, &elsewhere, &[Some(&id), Some(&id)]).await?;
    is_at(trial, &*other, &id, Some(&second), "of two streams").await?;
    // The event that begins a chain has no correlation id but its own; what follows from it has that.
    let (began, begun) = append(trial, &*store, &stream, &[None]).await?;
    is_at(trial, &*other, &began[0], Some(&begun), "of the event that begins it").await?;
    let (_, followed) = append(trial, &*store, &stream, &[Some(&began[0])]).await?;
    is_at(trial, &*other, &began[0], Some(&followed), "of what follows from an event").await?;
    is_at(trial, &*other, &id, Some(&second), "behind which there are others").await?;

    // What other systems put beside it is no reason to miss it.
    let beside = Id::from(&*format!("{own} beside"));
    let (mut event, odd) =
        (trial.events(1), RawValue::from_string(r#"["\ud800", "\u0000", {"correlationId": 1}]"#.to_owned()));
    event[0].metadata.correlation_id = Some(beside.clone());
    odd.map(|odd| event[0].metadata.extensions.insert("odd".to_owned(), odd))
        .map_err(|error| Failure(error.to_string()))?;
    let position = trial.append(&*store, Append::to(stream.clone(), Expected::Any, event)).await?.position;
    is_at(trial, &*other, &beside, Some(&position), "beside odd metadata").await?;

    let ids = odd_ids(&own.to_string());
    let mut ends = Vec::new();
    for id in &ids {
        ends.push(append(trial, &*store, &stream, &[Some(id)]).await?.1);
    }
    for (id, end) in ids.iter().zip(&ends) {
        is_at(trial, &*other, id, Some(end), "with an odd id").await?;
    }
    Ok(())
}

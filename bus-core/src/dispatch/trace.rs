//! Spans by OpenTelemetry's [messaging conventions](https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/).

use tracing::Span;

use super::{Group, Route};
use crate::RawEvent;

/// The span of handling `event`, none where nobody listens.
pub(crate) fn process_span(group: &Group, route: &Route, event: &RawEvent) -> Span {
    let head = event.head();
    tracing::info_span!(
        "process",
        otel.name = route.origin,
        otel.kind = "consumer",
        messaging.system = group.bus.capabilities().backend,
        messaging.operation.type = "process",
        messaging.operation.name = "process",
        messaging.destination.name = &*event.message().topic,
        messaging.consumer.group.name = group.name,
        messaging.message.id = %head.event_id,
        messaging.message.conversation_id = %head.correlation_id(),
        jitney.event_type = &*head.event_type,
        jitney.aggregate_id = head.aggregate_id,
        traceparent = head.metadata.trace.as_ref().map(|trace| trace.parent.as_str()),
    )
}

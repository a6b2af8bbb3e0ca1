//! Spans by OpenTelemetry's [messaging conventions](https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/).

use tracing::Span;

use super::{Group, Route};
use crate::RawEvent;

/// The span of handling `event`, none where nobody listens.
pub(crate) fn process_span(group: &Group, route: &Route, event: &RawEvent) -> Span {
    let head = event.head();
    let span = tracing::info_span!(
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
    );
    if let (false, Some(propagator), Some(parent)) =
        (span.is_disabled(), &group.bus.inner.propagator, &head.metadata.trace)
    {
        propagator.set_parent(&span, parent);
    }
    span
}

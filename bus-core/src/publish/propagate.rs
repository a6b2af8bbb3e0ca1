//! The bridge between tracing spans and the trace context that events carry.

use std::fmt::Debug;

use tracing::Span;

use crate::metadata::TraceContext;

/// Reads the [W3C trace context](https://www.w3.org/TR/trace-context/) of the current span when an event is published,
/// and makes it the parent of the span in which the event is handled.
///
/// Without one, an event still carries on the context of the event that caused it. With `tracing-opentelemetry` it is
/// a dozen lines:
///
/// ```text
/// impl Propagator for OpenTelemetry {
///     fn current(&self) -> Option<TraceContext> {
///         let mut fields = HashMap::new();
///         TraceContextPropagator::new().inject_context(&Span::current().context(), &mut fields);
///         Some(TraceContext { parent: fields.remove("traceparent")?, state: fields.remove("tracestate") })
///     }
///     fn set_parent(&self, span: &Span, parent: &TraceContext) {
///         let fields = HashMap::from([("traceparent".to_owned(), parent.parent.clone())]);
///         span.set_parent(TraceContextPropagator::new().extract(&fields));
///     }
/// }
/// ```
pub trait Propagator: Debug + Send + Sync + 'static {
    /// The context of the current span.
    fn current(&self) -> Option<TraceContext>;

    /// Makes `parent` the parent of `span`, which has not been entered yet.
    fn set_parent(&self, span: &Span, parent: &TraceContext);
}

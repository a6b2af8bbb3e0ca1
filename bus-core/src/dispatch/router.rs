//! Which handler of a group an event goes to.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rapidhash::RapidHashMap;

use super::load::Load;
use crate::codec::{Codec, Decoded, Preparation};
use crate::dead_letter::Reason;
use crate::event::EventType;
use crate::handler::{Accepts, Handler, HandlerEntry, Idempotency};
use crate::inbox::Inbox;
use crate::message::Message;
use crate::metadata::ALTERNATES;
use crate::middleware::{Breaker, Middleware, RetryPolicy};
use crate::processed::ProcessedKey;
use crate::transport::{Delivery, Interest};
use crate::{Error, ErrorKind, Head, RawEvent, error_chain, panic_message};

/// No clock overflows when this is added to it.
pub(super) const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A handler with everything around it.
pub(crate) struct Route {
    pub(crate) name: String,
    /// Group and handler: what ids of outputs are derived from.
    pub(crate) origin: String,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) layers: Vec<Arc<dyn Middleware>>,
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Duration,
    pub(crate) breaker: Option<Breaker>,
    pub(crate) idempotency: Idempotency,
    /// Where the handler works in a transaction.
    pub(crate) inbox: Option<Arc<dyn Inbox>>,
    pub(crate) batch: Option<usize>,
    pub(crate) accepts: Accepts,
    pub(crate) load: Load,
    /// It passes events on as they are, in every version.
    pub(crate) passes_on: bool,
}

/// The handlers of one group, by event type and major version.
#[derive(Default)]
pub struct Router {
    by_name: RapidHashMap<&'static str, Vec<Entry>>,
    everything: Option<Arc<Route>>,
    strict: bool,
}

struct Entry {
    event_type: &'static EventType,
    route: Arc<Route>,
}

/// Two handlers of one group want the same event.
#[derive(Debug)]
pub(crate) struct RouteConflict {
    pub(crate) event_type: &'static EventType,
    pub(crate) first: String,
    pub(crate) second: String,
}

/// Where a delivery goes.
pub(crate) enum Destination {
    Handle(Arc<Route>, RawEvent),
    /// The codec lacks something to decode it by.
    Prepare(Preparation),
    /// Nobody in the group wants it.
    Skip,
    DeadLetter(Reason, String),
}

impl Router {
    /// A router that dead-letters, where it is `strict`, what nobody handles.
    pub(crate) fn new(strict: bool) -> Self {
        Router { strict, ..Router::default() }
    }

    /// Adds a handler.
    pub(crate) fn add(&mut self, route: Arc<Route>) -> Result<(), RouteConflict> {
        let Accepts::Types(types) = &route.accepts else {
            self.everything = Some(route);
            return Ok(());
        };
        for &event_type in types {
            let entries = self.by_name.entry(event_type.name()).or_default();
            let major = event_type.version().major;
            let mut same = entries.iter().filter(|entry| entry.event_type.version().major == major);
            if let Some(entry) = same.clone().find(|entry| !Arc::ptr_eq(&entry.route, &route)) {
                let (first, second) = (entry.route.name.clone(), route.name.clone());
                return Err(RouteConflict { event_type, first, second });
            }
            // One handler may take events of one name from several aggregates, which may have topics of their own.
            if !same.any(|entry| is_from_one_place(entry.event_type, event_type)) {
                entries.push(Entry { event_type, route: Arc::clone(&route) });
            }
        }
        Ok(())
    }

    /// The distinct handlers.
    pub(crate) fn routes(&self) -> Vec<&Arc<Route>> {
        let mut routes: Vec<&Arc<Route>> =
            self.by_name.values().flatten().map(|entry| &entry.route).chain(&self.everything).collect();
        routes.sort_by_key(|route| &route.name);
        routes.dedup_by(|a, b| Arc::ptr_eq(a, b));
        routes
    }

    /// Topics and event types of all handlers.
    pub(crate) fn interests(&self, all_topics: &[String]) -> Vec<Interest> {
        if self.everything.is_some() {
            return all_topics.iter().map(Interest::all).collect();
        }
        let mut types: Vec<&EventType> =
            self.by_name.values().flatten().map(|entry| entry.event_type).collect();
        types.sort_by_key(|event_type| (event_type.topic(), event_type.source(), event_type.name()));
        let mut interests: Vec<Interest> = Vec::new();
        for event_type in types {
            let place = (event_type.topic(), event_type.source());
            if interests.last().is_none_or(|last| (last.topic.as_str(), last.source.as_deref()) != place) {
                let mut interest = Interest::all(event_type.topic());
                interest.source = event_type.source().map(str::to_owned);
                interest.aggregate = Some(event_type.aggregate().to_owned());
                interests.push(interest);
            }
            let interest = interests.last_mut().expect("one was pushed");
            interest.aggregate =
                interest.aggregate.take().filter(|aggregate| aggregate == event_type.aggregate());
            if interest.event_types.last().is_none_or(|last| last != event_type.name()) {
                interest.event_types.push(event_type.name().to_owned());
            }
        }
        interests
    }

    /// Decodes the envelope of `delivery` and finds its handler. Whether the codec lacks something to do so is only asked where it
    /// was not `prepared`.
    pub(crate) fn route(&self, codec: &dyn Codec, delivery: &Delivery, prepared: bool) -> Destination {
        let message = &delivery.message;
        let peeked = codec.peek_event_type(message);
        let expected = match peeked.map(|name| self.by_name.get(name)) {
            Some(None) if self.everything.is_none() => return self.unhandled(peeked.unwrap_or_default()),
            Some(Some(entries)) => entries.first().map(|entry| entry.event_type),
            _ => None,
        };
        if !prepared && let Some(preparation) = codec.prepare(message) {
            return Destination::Prepare(preparation);
        }
        let event = match decoded(codec, message, expected) {
            Ok(decoded) => RawEvent::new(decoded, Arc::clone(message)),
            Err(error) => return Destination::DeadLetter(Reason::Undecodable, error_chain(&error)),
        };
        if let Some(route) = &self.everything {
            return Destination::Handle(Arc::clone(route), event);
        }
        let head = event.head();
        let Some(entries) = self.by_name.get(&*head.event_type) else {
            return self.unhandled(&head.event_type);
        };
        if is_alternate(head, entries) {
            return Destination::Skip;
        }
        match entries.iter().find(|entry| entry.event_type.version().major == head.version.major) {
            Some(entry) => Destination::Handle(Arc::clone(&entry.route), event),
            None => {
                let mut known: Vec<_> =
                    entries.iter().map(|entry| entry.event_type.version().major).collect();
                known.sort_unstable();
                let known: Vec<_> = known.iter().map(u32::to_string).collect();
                let error = format!(
                    "`{}` comes in major version {}, and the handlers here read {}; \
                     add an upcaster, or deploy the reader before the writer",
                    head.event_type,
                    head.version.major,
                    known.join(", "),
                );
                Destination::DeadLetter(Reason::UnknownVersion, error)
            }
        }
    }

    fn unhandled(&self, event_type: &str) -> Destination {
        if !self.strict {
            return Destination::Skip;
        }
        let error = format!("no handler of the group takes `{event_type}`, and the group is strict");
        Destination::DeadLetter(Reason::Unhandled, error)
    }
}

/// Whether events of the one type come from where those of the other come from.
fn is_from_one_place(one: &EventType, other: &EventType) -> bool {
    let place = |event_type: &EventType| (event_type.aggregate(), event_type.topic(), event_type.source());
    place(one) == place(other)
}

/// Whether the same event comes in a higher version that is handled here, or this version is not handled while another
/// one is.
fn is_alternate(head: &Head, entries: &[Entry]) -> bool {
    let Some(versions) = head.metadata.pairs.get(ALTERNATES) else { return false };
    if entries.iter().any(|entry| entry.route.passes_on) {
        return false;
    }
    let handled = |major: &u32| entries.iter().any(|entry| entry.event_type.version().major == *major);
    let versions = versions.split(',').filter_map(|major| major.parse().ok());
    versions.filter(handled).max().is_some_and(|best| best != head.version.major)
}

impl Route {
    /// A key by which this handler recognises an event.
    pub(crate) fn processed_key<'a>(&self, text: &'a str) -> ProcessedKey<'a> {
        match self.idempotency {
            Idempotency::NaturalKey(_) => ProcessedKey::natural(text),
            Idempotency::EventId | Idempotency::None => ProcessedKey::event_id(text),
        }
    }

    /// The handler of `entry` in `group`, inside `layers`, with the application's defaults; in transactions of `inbox`, where it
    /// asks for them.
    pub(crate) fn new(
        entry: HandlerEntry,
        group: &str,
        layers: &[Arc<dyn Middleware>],
        default_retry: RetryPolicy,
        default_timeout: Duration,
        inbox: Option<Arc<dyn Inbox>>,
    ) -> Self {
        let HandlerEntry { spec, accepts, is_batch, handler, requirements: _ } = entry;
        Route {
            origin: format!("{group}/{}", spec.name),
            name: spec.name,
            handler,
            layers: layers.iter().cloned().chain(spec.layers).collect(),
            retry: spec.retry.unwrap_or(default_retry),
            timeout: spec.timeout.unwrap_or(default_timeout).min(FAR),
            breaker: spec.breaker.map(|policy| Breaker::new(policy.at_most(FAR))),
            idempotency: spec.idempotency,
            inbox,
            batch: is_batch.then(|| spec.batch.unwrap_or_default().size),
            accepts,
            load: Load::default(),
            passes_on: spec.passes_on,
        }
    }
}

impl From<RouteConflict> for Error {
    fn from(conflict: RouteConflict) -> Self {
        let RouteConflict { event_type, first, second } = conflict;
        Error::config(format!(
            "two handlers of one group take `{event_type}`: `{first}` and `{second}`; \
             give one of them another group, or take the event in one place",
        ))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handlers = self.routes().into_iter().map(|route| &route.name);
        f.debug_list().entries(handlers).finish()
    }
}

/// What `codec` reads of `message`. A codec that panics has met something that it does not expect, in this message and in no other.
pub(super) fn decoded(
    codec: &dyn Codec,
    message: &Message,
    expected: Option<&'static EventType>,
) -> Result<Decoded, Error> {
    let decoded = catch_unwind(AssertUnwindSafe(|| codec.decode(message, expected)));
    decoded.unwrap_or_else(|panic| {
        let what = format!("decoding: the codec {codec:?} panicked: {}", panic_message(&*panic));
        Err(Error::new(ErrorKind::Decode, what))
    })
}

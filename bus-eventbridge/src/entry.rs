//! From a message to an entry of PutEvents, and what EventBridge would refuse in one.

use jiff::Timestamp;
use jitney_core::message::Outbound;
use jitney_core::{Error, ErrorKind};

use crate::body::{Author, Body};
use crate::inbound::SOURCE_HEADER;
use crate::routing::Routing;
use jitney_core::codec::EVENT_TYPE_HEADER;

/// What the entries of a request may have together, in bytes: EventBridge takes less than 1 MB.
pub(crate) const MAX_REQUEST_BYTES: usize = 1_000_000;
/// The largest message that is published, with key and headers: what an entry adds to it fits into the rest, and so does what
/// EventBridge's envelope and a dead letter's attributes add to it in a queue, which takes 1,048,576 bytes.
pub(crate) const MAX_MESSAGE_BYTES: usize = 990_000;
/// The most entries of a request.
pub(crate) const MAX_ENTRIES: usize = 10;
/// The longest detail type, in characters.
const MAX_DETAIL_TYPE: usize = 128;
/// What the time of an entry counts.
const TIME_BYTES: usize = 14;

/// One entry of PutEvents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) source: String,
    pub(crate) detail_type: String,
    pub(crate) detail: String,
    pub(crate) time: Timestamp,
    pub(crate) resources: Vec<String>,
    /// Which event it is, for messages to people.
    pub(crate) name: String,
}

impl Entry {
    /// The entry of `outbound`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Rejected`] where EventBridge would refuse it; the message names the event and the fix.
    pub(crate) fn of(outbound: &Outbound, bus: &str) -> Result<Self, Error> {
        let name = name(outbound);
        let rejected =
            |why: String| Error::new(ErrorKind::Rejected, format!("publishing {name} to bus `{bus}`: {why}"));
        let message = &outbound.message;
        let size = message.size();
        if size > MAX_MESSAGE_BYTES {
            return Err(rejected(format!(
                "the message has {size} bytes with key and headers, and {MAX_MESSAGE_BYTES} are allowed; store the large \
                 part elsewhere and publish a reference to it"
            )));
        }
        let body = Body::read(&message.body).map_err(|error| {
            rejected(
                "its detail is no JSON object, which EventBridge wants; publish it through the bus's codec"
                    .to_owned(),
            )
            .with_source(error)
        })?;
        let (source, detail_type) = match (&outbound.attributes, &body.outer) {
            (Some(about), _) => {
                (format!("{}.{}", about.service, about.aggregate_type), about.event_type.to_string())
            }
            (None, Some(outer)) => (outer.source.to_string(), outer.detail_type.to_string()),
            (None, None) => {
                let said = |name: &str| {
                    message.header_str(name).map(str::to_owned).ok_or_else(|| {
                        rejected(format!(
                            "nothing says what it is; set the header `{name}` of a message that is passed on unread"
                        ))
                    })
                };
                (said(SOURCE_HEADER)?, said(EVENT_TYPE_HEADER)?)
            }
        };
        if let Some(why) = refusal(&source, &detail_type) {
            return Err(rejected(why));
        }
        let facts = body.facts(match body.author(|_| false) {
            Author::Jitney => Author::Jitney,
            Author::Plain | Author::Foreign => Author::Plain,
        });
        let facts =
            facts.map_err(|error| rejected("its `metadata` cannot be read".to_owned()).with_source(error))?;
        let routing = Routing::of(message, &facts, &detail_type).map_err(|why| {
            rejected(format!(
                "{why}; EventBridge carries JSON only: encode bytes as text, in base64 for example"
            ))
        })?;
        let detail =
            routing.splice(&body.detail).map_err(|why| rejected(format!("{why}; rename the field")))?;
        let resources = body.outer.and_then(|outer| outer.resource).into_iter().collect();
        let entry = Entry { source, detail_type, detail, time: message.time, resources, name: name.clone() };
        let size = entry.size();
        if size > MAX_REQUEST_BYTES {
            return Err(rejected(format!(
                "its entry has {size} bytes, and {MAX_REQUEST_BYTES} are allowed; store the large part elsewhere and publish \
                 a reference to it"
            )));
        }
        Ok(entry)
    }

    /// What EventBridge counts it as, in bytes.
    pub(crate) fn size(&self) -> usize {
        let resources: usize = self.resources.iter().map(String::len).sum();
        TIME_BYTES + self.source.len() + self.detail_type.len() + self.detail.len() + resources
    }
}

/// Why EventBridge would refuse an event of `source` and `detail_type`, if it would.
fn refusal(source: &str, detail_type: &str) -> Option<String> {
    let characters = detail_type.chars().count();
    if source.is_empty() {
        return Some("its source is empty; give the service a name (`App::new`)".to_owned());
    }
    if source.starts_with("aws.") {
        return Some(format!(
            "its source `{source}` begins with `aws.`, which AWS keeps to itself; name the service otherwise, or publish an \
             event of your own about it"
        ));
    }
    if characters == 0 || characters > MAX_DETAIL_TYPE {
        return Some(format!(
            "its event type has {characters} characters, and 1 to {MAX_DETAIL_TYPE} are allowed; rename the type \
             (`#[event(type = \"…\")]`)"
        ));
    }
    None
}

/// What `outbound` is called in messages to people.
pub(crate) fn name(outbound: &Outbound) -> String {
    match &outbound.attributes {
        Some(about) => format!("`{}` {}", about.event_type, about.event_id),
        None => format!("a message of topic `{}`", outbound.message.topic),
    }
}

//! The attributes by name, and the headers that they are in.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Which headers the attributes are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binding {
    Kafka,
    Amqp,
}

/// An attribute that is part of the envelope.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    kafka: &'static str,
    amqp: &'static str,
}

macro_rules! attributes {
    ($($constant:ident = $name:literal;)*) => {
        $(pub(super) const $constant: Attribute = Attribute {
            name: $name,
            kafka: concat!("ce_", $name),
            amqp: concat!("cloudEvents_", $name),
        };)*

        /// Whether `name` is an attribute that is part of the envelope.
        fn is_of_envelope(name: &str) -> bool {
            matches!(name, $($name)|*)
        }
    };
}

attributes! {
    SPEC_VERSION = "specversion";
    ID = "id";
    TYPE = "type";
    SOURCE = "source";
    SUBJECT = "subject";
    TIME = "time";
    AGGREGATE_TYPE = "aggregatetype";
    DATA_VERSION = "dataversion";
    AGGREGATE_SEQUENCE = "aggregatesequence";
    USER_ID = "userid";
    CORRELATION_ID = "correlationid";
    CAUSATION_ID = "causationid";
    TRACE_PARENT = "traceparent";
    TRACE_STATE = "tracestate";
    REST = "jitneyenvelope";
}

/// The attribute that says what `data` is, in structured mode; in binary mode it is the content type.
pub(super) const DATA_CONTENT_TYPE: &str = "datacontenttype";
/// The attribute that must be an absolute URI.
pub(super) const DATA_SCHEMA: &str = "dataschema";

/// Whether `name` has a meaning of its own, so that no pair of this name can be an attribute.
pub(super) fn is_reserved(name: &str) -> bool {
    is_of_envelope(name) || matches!(name, "data" | DATA_CONTENT_TYPE)
}

impl Binding {
    /// What the headers of attributes begin with; the first one is written, all are read.
    pub(super) fn prefixes(self) -> &'static [&'static str] {
        match self {
            Binding::Kafka => &["ce_"],
            Binding::Amqp => &["cloudEvents_", "cloudEvents:"],
        }
    }

    /// The header that `attribute` is written to.
    pub(super) fn header(self, attribute: &Attribute) -> &'static str {
        match self {
            Binding::Kafka => attribute.kafka,
            Binding::Amqp => attribute.amqp,
        }
    }

    /// The name of the attribute that `header` carries, if it carries one.
    pub(super) fn attribute_in(self, header: &str) -> Option<&str> {
        self.prefixes().iter().find_map(|prefix| header.strip_prefix(prefix))
    }
}

/// The attributes of one event, as text.
#[derive(Debug, Default)]
pub(super) struct Attributes<'m>(BTreeMap<Cow<'m, str>, Cow<'m, str>>);

impl<'m> Attributes<'m> {
    /// Adds an attribute; of two with one name the later one counts.
    pub(super) fn insert(&mut self, name: impl Into<Cow<'m, str>>, value: impl Into<Cow<'m, str>>) {
        self.0.insert(name.into(), value.into());
    }

    /// Takes `attribute` out.
    pub(super) fn take(&mut self, attribute: &Attribute) -> Option<Cow<'m, str>> {
        self.0.remove(attribute.name)
    }

    /// Takes the attribute `name` out.
    pub(super) fn take_named(&mut self, name: &str) -> Option<Cow<'m, str>> {
        self.0.remove(name)
    }

    /// Takes `attribute` out, which an event must have, under `binding`.
    pub(super) fn take_required(
        &mut self,
        attribute: &Attribute,
        binding: Binding,
    ) -> Result<Cow<'m, str>, String> {
        self.take(attribute).filter(|value| !value.is_empty()).ok_or_else(|| {
            format!(
                "the required attribute `{}` is missing or empty: it is the header `{}` or, under the content type \
                 `application/cloudevents+json`, a member of the body",
                attribute.name,
                binding.header(attribute),
            )
        })
    }

    /// What has not been taken out.
    pub(super) fn into_others(self) -> impl Iterator<Item = (String, String)> {
        self.0.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned()))
    }
}

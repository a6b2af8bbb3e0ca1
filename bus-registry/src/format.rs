//! From payloads as JSON text to bodies in the format of a schema, and back.

use std::borrow::Cow;
#[cfg(any(feature = "avro", feature = "protobuf"))]
use std::sync::Arc;

use bytes::Bytes;
use jitney_core::codec::{EncodePayload, PayloadBytes};
use serde_json::Value;

use crate::limits::check_schema;
use crate::{Error, ErrorKind, Format, Schema, frame};

/// What reads bodies of one schema.
#[derive(Debug)]
pub(crate) enum Reader {
    /// With the title of the schema.
    Json(Option<String>),
    #[cfg(feature = "avro")]
    Avro(Arc<crate::avro::Avro>),
    #[cfg(feature = "protobuf")]
    Protobuf(Arc<crate::protobuf::Protobuf>),
}

/// What writes payloads of one event.
#[derive(Debug)]
pub(crate) enum Writer {
    Json,
    #[cfg(feature = "avro")]
    Avro(Arc<crate::avro::Avro>),
    #[cfg(feature = "protobuf")]
    Protobuf(crate::protobuf::Message),
}

/// A schema, ready for use, with the name of its record.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) record: String,
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Read<'s> {
    /// The name of the record, where the schema has one.
    pub(crate) record: Option<Cow<'s, str>>,
    pub(crate) payload: PayloadBytes,
}

impl Reader {
    /// Makes the schema ready for use.
    pub(crate) fn of(schema: &Schema) -> Result<Self, Error> {
        check_schema(&schema.text, "the schema")?;
        match schema.format {
            Format::Json => {
                let parsed: Value = serde_json::from_str(&schema.text).map_err(|error| {
                    Error::new(ErrorKind::InvalidSchema, "the schema is not JSON").with_source(error)
                })?;
                Ok(Reader::Json(parsed.get("title").and_then(Value::as_str).map(str::to_owned)))
            }
            #[cfg(feature = "avro")]
            Format::Avro => crate::avro::Avro::parse(&schema.text).map(|avro| Reader::Avro(Arc::new(avro))),
            #[cfg(feature = "protobuf")]
            Format::Protobuf => {
                crate::protobuf::Protobuf::parse(&schema.text).map(|file| Reader::Protobuf(Arc::new(file)))
            }
            #[cfg(not(all(feature = "avro", feature = "protobuf")))]
            other => {
                let what = format!(
                    "the schema is one of {other}, which this build does not read; turn on the feature for it"
                );
                Err(Error::new(ErrorKind::InvalidSchema, what))
            }
        }
    }

    /// The language of the schema.
    pub(crate) fn format(&self) -> Format {
        match self {
            Reader::Json(_) => Format::Json,
            #[cfg(feature = "avro")]
            Reader::Avro(_) => Format::Avro,
            #[cfg(feature = "protobuf")]
            Reader::Protobuf(_) => Format::Protobuf,
        }
    }

    /// Reads a body that begins with the id of this schema.
    pub(crate) fn read(&self, body: &Bytes) -> Result<Read<'_>, Error> {
        match self {
            Reader::Json(title) => {
                if body.len() == frame::LENGTH {
                    let what = "the payload is empty, which is no JSON";
                    return Err(Error::new(ErrorKind::Payload, what));
                }
                let payload = PayloadBytes::InBody(frame::LENGTH..body.len());
                Ok(Read { record: title.as_deref().map(Cow::Borrowed), payload })
            }
            #[cfg(feature = "avro")]
            Reader::Avro(avro) => {
                let payload = PayloadBytes::Own(avro.read(&body[frame::LENGTH..])?.into());
                Ok(Read { record: Some(Cow::Borrowed(avro.record())), payload })
            }
            #[cfg(feature = "protobuf")]
            Reader::Protobuf(file) => {
                let (record, json) = file.read(&body[frame::LENGTH..])?;
                Ok(Read { record: Some(Cow::Owned(record)), payload: PayloadBytes::Own(json.into()) })
            }
        }
    }
}

impl Compiled {
    /// Makes `schema` ready for use: that of Protobuf for its message `message`.
    pub(crate) fn of(schema: &Schema, message: Option<&str>) -> Result<Self, Error> {
        let reader = Reader::of(schema)?;
        let (record, writer) = match &reader {
            Reader::Json(title) => {
                let none = "the schema has no `title`, which names its record";
                let title = title.clone().ok_or_else(|| Error::new(ErrorKind::InvalidSchema, none))?;
                (title, Writer::Json)
            }
            #[cfg(feature = "avro")]
            Reader::Avro(avro) => (avro.record().to_owned(), Writer::Avro(Arc::clone(avro))),
            #[cfg(feature = "protobuf")]
            Reader::Protobuf(file) => {
                let message = file.message(message)?;
                (message.name().to_owned(), Writer::Protobuf(message))
            }
        };
        let _ = message;
        Ok(Compiled { record, reader, writer })
    }
}

impl Writer {
    /// Appends the payload to `out`, behind the id of the schema.
    pub(crate) fn write(&self, payload: &dyn EncodePayload, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Writer::Json => payload.write_json(out).map_err(not_json),
            #[cfg(feature = "avro")]
            Writer::Avro(avro) => avro.write(&json(payload)?, out),
            #[cfg(feature = "protobuf")]
            Writer::Protobuf(message) => {
                let mut text = Vec::new();
                payload.write_json(&mut text).map_err(not_json)?;
                message.write(&text, out)
            }
        }
    }
}

#[cfg(feature = "avro")]
fn json(payload: &dyn EncodePayload) -> Result<Value, Error> {
    let mut text = Vec::new();
    payload.write_json(&mut text).map_err(not_json)?;
    serde_json::from_slice(&text).map_err(not_json)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Payload, "the payload cannot be serialized").with_source(error)
}

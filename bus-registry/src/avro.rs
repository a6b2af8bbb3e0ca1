//! Bodies in Avro's binary encoding, by the schema that wrote them.
//!
//! | Avro | as JSON |
//! |---|---|
//! | null, boolean, int, long, float, double, string, enum, array, map, record | the same; an enum is its symbol |
//! | union | the value of its branch; writing, the first branch that takes the value |
//! | bytes, fixed | an array of numbers, as serde writes `Vec<u8>` |
//! | date, time, timestamp, local timestamp | the number |
//! | uuid | its text |
//! | decimal | its text, as `"12.34"` |
//!
//! `big-decimal`, and `duration`, are refused with the schema.

mod compile;
mod decimal;
mod read;
mod write;

use apache_avro::AvroSchema;
use serde_json::Value;

use crate::{Error, ErrorKind, Format, Schema};

/// The place of a type in the table of a schema, by which types refer to each other and to themselves.
type TypeId = usize;

/// A schema, ready for use.
#[derive(Debug)]
pub(crate) struct Avro {
    types: Vec<Type>,
    root: TypeId,
    record: String,
}

#[derive(Debug)]
enum Type {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Fixed(usize),
    String,
    /// 16 bytes, which are text in JSON.
    Uuid {
        is_bytes: bool,
    },
    Decimal {
        scale: usize,
        size: Option<usize>,
    },
    Array(TypeId),
    Map(TypeId),
    Union(Vec<TypeId>),
    Enum(Vec<String>),
    Record {
        name: String,
        fields: Vec<Field>,
    },
}

#[derive(Debug)]
struct Field {
    name: String,
    of: TypeId,
    default: Option<Value>,
}

/// The schema that `E` derives.
pub(crate) fn derived<E: AvroSchema>() -> Result<Schema, Error> {
    match serde_json::to_string(&E::get_schema()) {
        Ok(text) => Ok(Schema::new(Format::Avro, text)),
        Err(error) => {
            Err(Error::new(ErrorKind::InvalidSchema, "the derived schema cannot be written")
                .with_source(error))
        }
    }
}

impl Avro {
    /// The full name of the record.
    pub(crate) fn record(&self) -> &str {
        &self.record
    }
}

fn payload(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::Payload, why)
}

fn too_deep() -> Error {
    let most = crate::MAX_PAYLOAD_DEPTH;
    Error::new(
        ErrorKind::TooDeep,
        format!("the payload is nested deeper than {most}, which is all that is read and written"),
    )
}

#[cfg(test)]
mod tests;

//! From a schema as it is written to a table of its types.

use std::collections::HashMap;

use apache_avro::schema::{InnerDecimalSchema, NamespaceRef, UuidSchema};

use super::{Avro, Field, Type, TypeId};
use crate::{Error, ErrorKind};

/// The digits that a whole number of 128 bits has for sure.
const MAX_DIGITS: usize = 38;

/// The types found so far, and those of them that have names.
#[derive(Default)]
struct Table {
    types: Vec<Type>,
    named: HashMap<String, TypeId>,
}

impl Avro {
    /// Reads a schema, which is one of a record.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let schema = apache_avro::Schema::parse_str(text).map_err(|error| {
            Error::new(ErrorKind::InvalidSchema, "the schema is none of Avro").with_source(error)
        })?;
        let apache_avro::Schema::Record(record) = &schema else {
            return Err(invalid("the schema is not one of a record: an event is an object"));
        };
        let name = record.name.fullname(None);
        let mut table = Table::default();
        let root = table.add(&schema, None)?;
        Ok(Avro { types: table.types, root, record: name })
    }
}

impl Table {
    fn add(&mut self, schema: &apache_avro::Schema, namespace: NamespaceRef<'_>) -> Result<TypeId, Error> {
        use apache_avro::Schema;
        let found = match schema {
            Schema::Null => Type::Null,
            Schema::Boolean => Type::Boolean,
            Schema::Int | Schema::Date | Schema::TimeMillis => Type::Int,
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Type::Long,
            Schema::Float => Type::Float,
            Schema::Double => Type::Double,
            Schema::Bytes => Type::Bytes,
            Schema::String => Type::String,
            Schema::Array(array) => Type::Array(self.add(&array.items, namespace)?),
            Schema::Map(map) => Type::Map(self.add(&map.types, namespace)?),
            Schema::Union(union) => {
                let branches = union.variants().iter().map(|branch| self.add(branch, namespace));
                Type::Union(branches.collect::<Result<_, _>>()?)
            }
            Schema::Uuid(UuidSchema::String) => Type::Uuid { is_bytes: false },
            Schema::Uuid(UuidSchema::Bytes) => {
                return Err(invalid("a uuid of `bytes` is not read; use `fixed` or `string`"));
            }
            Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                return Ok(self.name(fixed.name.fullname(namespace), Type::Uuid { is_bytes: true }));
            }
            Schema::Decimal(decimal) if decimal.scale > MAX_DIGITS => {
                return Err(invalid("a decimal has more than 38 digits behind the point; use a `string`"));
            }
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Bytes => Type::Decimal { scale: decimal.scale, size: None },
                InnerDecimalSchema::Fixed(fixed) => {
                    let found = Type::Decimal { scale: decimal.scale, size: Some(fixed.size) };
                    return Ok(self.name(fixed.name.fullname(namespace), found));
                }
            },
            Schema::Fixed(fixed) => {
                return Ok(self.name(fixed.name.fullname(namespace), Type::Fixed(fixed.size)));
            }
            Schema::Enum(symbols) => {
                return Ok(self.name(symbols.name.fullname(namespace), Type::Enum(symbols.symbols.clone())));
            }
            Schema::Record(record) => {
                let full = record.name.fullname(namespace);
                // The record is there before its fields are: they may refer to it.
                let id = self.name(full.clone(), Type::Null);
                let namespace = record.name.namespace().or(namespace);
                let fields = record.fields.iter().map(|field| {
                    let of = self.add(&field.schema, namespace)?;
                    Ok(Field { name: field.name.clone(), of, default: field.default.clone() })
                });
                let fields = fields.collect::<Result<_, Error>>()?;
                self.types[id] = Type::Record { name: full, fields };
                return Ok(id);
            }
            Schema::Ref { name } => {
                let full = name.fullname(namespace);
                let known = self.named.get(&full).or_else(|| self.named.get(name.name())).copied();
                return known.ok_or_else(|| {
                    invalid(format!("the schema refers to `{full}`, which it does not have"))
                });
            }
            Schema::BigDecimal => {
                return Err(invalid("the logical type `big-decimal` is not read; use `decimal`"));
            }
            Schema::Duration(_) => {
                return Err(invalid("the logical type `duration` is not read; use a `long`"));
            }
        };
        self.types.push(found);
        Ok(self.types.len() - 1)
    }

    fn name(&mut self, name: String, found: Type) -> TypeId {
        self.types.push(found);
        self.named.insert(name, self.types.len() - 1);
        self.types.len() - 1
    }
}

fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSchema, why)
}

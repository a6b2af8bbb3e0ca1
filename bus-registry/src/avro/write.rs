//! From JSON to Avro. Nothing of the payload is left out: a member that the schema does not have is an error.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Avro, Field, Type, TypeId, decimal, payload, too_deep};
use crate::{Error, MAX_PAYLOAD_DEPTH};

impl Avro {
    /// Appends `value` to `out`.
    pub(crate) fn write(&self, value: &Value, out: &mut Vec<u8>) -> Result<(), Error> {
        self.value(self.root, value, out, 0)
    }

    fn value(&self, of: TypeId, value: &Value, out: &mut Vec<u8>, depth: usize) -> Result<(), Error> {
        if depth > MAX_PAYLOAD_DEPTH {
            return Err(too_deep());
        }
        let refuse = |what: &str| Err(payload(format!("{} is no {what}", shown(value))));
        match (&self.types[of], value) {
            (Type::Null, Value::Null) => {}
            (Type::Boolean, Value::Bool(boolean)) => out.push(u8::from(*boolean)),
            (Type::Int, Value::Number(number)) => {
                match number.as_i64().filter(|long| i32::try_from(*long).is_ok()) {
                    Some(int) => long(int, out),
                    None => return refuse("int of 32 bits"),
                }
            }
            (Type::Long, Value::Number(number)) => match number.as_i64() {
                Some(number) => long(number, out),
                None => return refuse("long of 64 bits"),
            },
            (Type::Float, Value::Number(number)) => match number.as_f64().map(|double| double as f32) {
                Some(float) if float.is_finite() => out.extend_from_slice(&float.to_le_bytes()),
                _ => return refuse("float"),
            },
            (Type::Double, Value::Number(number)) => match number.as_f64() {
                Some(double) => out.extend_from_slice(&double.to_le_bytes()),
                None => return refuse("double"),
            },
            (Type::Bytes, Value::Array(items)) => bytes(&numbers(items)?, out),
            (Type::Fixed(size), Value::Array(items)) if items.len() == *size => {
                out.extend_from_slice(&numbers(items)?);
            }
            (Type::String | Type::Uuid { is_bytes: false }, Value::String(text)) => {
                bytes(text.as_bytes(), out)
            }
            (Type::Uuid { is_bytes: true }, Value::String(text)) => match Uuid::try_parse(text) {
                Ok(uuid) => out.extend_from_slice(uuid.as_bytes()),
                Err(_) => return refuse("uuid"),
            },
            (Type::Decimal { scale, size }, Value::String(_) | Value::Number(_)) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let number = decimal::to_bytes(decimal::unscaled(&text, *scale)?, *size)?;
                match size {
                    Some(_) => out.extend_from_slice(&number),
                    None => bytes(&number, out),
                }
            }
            (Type::Enum(symbols), Value::String(text)) => {
                match symbols.iter().position(|symbol| symbol == text) {
                    Some(place) => long(place as i64, out),
                    None => return refuse("symbol of the enum"),
                }
            }
            (Type::Array(items), Value::Array(values)) => {
                if !values.is_empty() {
                    long(values.len() as i64, out);
                }
                for value in values {
                    self.value(*items, value, out, depth + 1)?;
                }
                long(0, out);
            }
            (Type::Map(items), Value::Object(members)) => {
                if !members.is_empty() {
                    long(members.len() as i64, out);
                }
                for (name, value) in members {
                    bytes(name.as_bytes(), out);
                    self.value(*items, value, out, depth + 1).map_err(|error| at(name, &error))?;
                }
                long(0, out);
            }
            (Type::Record { name, fields }, Value::Object(members)) => {
                self.fields(name, fields, members, out, depth)?;
            }
            (Type::Union(branches), value) => self.union(branches, value, out, depth)?,
            (expected, _) => return refuse(&expected.noun()),
        }
        Ok(())
    }

    fn fields(
        &self,
        name: &str,
        fields: &[Field],
        members: &Map<String, Value>,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        let mut found = 0;
        for field in fields {
            let value = members.get(&field.name);
            found += usize::from(value.is_some());
            // What serde leaves out of an object is what the schema has a default for, or nothing.
            let value = value.or(field.default.as_ref()).unwrap_or(&Value::Null);
            self.value(field.of, value, out, depth + 1).map_err(|error| at(&field.name, &error))?;
        }
        if found < members.len() {
            let unknown = members.keys().find(|member| fields.iter().all(|field| field.name != **member));
            let unknown = unknown.map_or("", String::as_str);
            return Err(payload(format!(
                "the record `{name}` has no field `{unknown}`; add it to the schema"
            )));
        }
        Ok(())
    }

    /// Writes the first branch that takes the value.
    fn union(
        &self,
        branches: &[TypeId],
        value: &Value,
        out: &mut Vec<u8>,
        depth: usize,
    ) -> Result<(), Error> {
        let (start, mut refused) = (out.len(), Vec::new());
        for (place, &branch) in branches.iter().enumerate() {
            long(place as i64, out);
            match self.value(branch, value, out, depth + 1) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    out.truncate(start);
                    refused.push(error.to_string());
                }
            }
        }
        Err(payload(format!("no branch of the union takes it: {}", refused.join("; "))))
    }
}

impl Type {
    fn noun(&self) -> String {
        match self {
            Type::Record { name, .. } => format!("record `{name}`"),
            Type::Fixed(size) => format!("array of {size} numbers"),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_lowercase(),
        }
    }
}

fn at(name: &str, error: &Error) -> Error {
    Error::new(error.kind(), format!("{name}: {error}"))
}

/// What kind of value it is; values are not for logs.
fn shown(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "this number",
        Value::String(_) => "this string",
        Value::Array(_) => "this array",
        Value::Object(_) => "this object",
    }
}

fn numbers(items: &[Value]) -> Result<Vec<u8>, Error> {
    let byte = |item: &Value| item.as_u64().and_then(|number| u8::try_from(number).ok());
    let bytes: Option<Vec<u8>> = items.iter().map(byte).collect();
    bytes.ok_or_else(|| payload("bytes are an array of numbers from 0 to 255"))
}

fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// Writes a number in zigzag and seven bits a byte.
fn long(number: i64, out: &mut Vec<u8>) {
    let mut number = (number << 1 ^ number >> 63) as u64;
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

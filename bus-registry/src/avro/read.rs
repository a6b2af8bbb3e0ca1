//! From Avro to JSON text, in one pass and within bounds: nothing that a body says of itself is believed.

use serde_json::Number;
use uuid::Uuid;

use super::{Avro, Type, TypeId, decimal, payload, too_deep};
use crate::limits::most_out;
use crate::{Error, MAX_PAYLOAD_DEPTH};

/// Values that take no bytes, such as null, are not without number: so many may come for each byte of a body, and these beside.
const VALUES_PER_BYTE: usize = 16;
const VALUES: usize = 1 << 16;

impl Avro {
    /// The payload in `bytes` as JSON text.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Vec<u8>, Error> {
        let values_left = bytes.len().saturating_mul(VALUES_PER_BYTE).saturating_add(VALUES);
        let (out, most_out) = (Vec::with_capacity(bytes.len() * 2), most_out(bytes.len()));
        let mut reader = Reader { types: &self.types, rest: bytes, out, most_out, values_left };
        reader.value(self.root, 0)?;
        match reader.rest.len() {
            0 => Ok(reader.out),
            more => {
                Err(payload(format!("{more} bytes are behind the record: it was written by another schema")))
            }
        }
    }
}

struct Reader<'a> {
    types: &'a [Type],
    rest: &'a [u8],
    out: Vec<u8>,
    most_out: usize,
    values_left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, of: TypeId, depth: usize) -> Result<(), Error> {
        if depth > MAX_PAYLOAD_DEPTH {
            return Err(too_deep());
        }
        self.values_left = self
            .values_left
            .checked_sub(1)
            .filter(|_| self.out.len() <= self.most_out)
            .ok_or_else(|| payload("there is far more in it than the body has bytes"))?;
        let types = self.types;
        match &types[of] {
            Type::Null => self.out.extend_from_slice(b"null"),
            Type::Boolean => match self.take(1)? {
                [0] => self.out.extend_from_slice(b"false"),
                [1] => self.out.extend_from_slice(b"true"),
                other => return Err(payload(format!("{other:?} is no boolean"))),
            },
            Type::Int => {
                let long = self.long()?;
                let int = i32::try_from(long).map_err(|_| payload(format!("{long} is no int of 32 bits")))?;
                self.json(&int);
            }
            Type::Long => {
                let long = self.long()?;
                self.json(&long);
            }
            Type::Float => {
                let float = f32::from_le_bytes(self.array()?);
                // By its own digits: 0.1 is not to become 0.10000000149011612.
                match float.is_finite() {
                    true => self.json(&float),
                    false => return Err(no_number(float.into())),
                }
            }
            Type::Double => {
                let double = f64::from_le_bytes(self.array()?);
                let number = Number::from_f64(double).ok_or_else(|| no_number(double))?;
                self.json(&number);
            }
            Type::Bytes => {
                let bytes = self.bytes()?;
                self.json(bytes);
            }
            Type::Fixed(size) => {
                let bytes = self.take(*size)?;
                self.json(bytes);
            }
            Type::String | Type::Uuid { is_bytes: false } => {
                let text = self.text()?;
                self.json(text);
            }
            Type::Uuid { is_bytes: true } => {
                let uuid = Uuid::from_bytes(self.array()?);
                self.json(&uuid.to_string());
            }
            Type::Decimal { scale, size } => {
                let bytes = match size {
                    Some(size) => self.take(*size)?,
                    None => self.bytes()?,
                };
                self.json(&decimal::text(decimal::from_bytes(bytes)?, *scale));
            }
            Type::Enum(symbols) => {
                let symbol = usize::try_from(self.long()?).ok().and_then(|place| symbols.get(place));
                let symbol = symbol.ok_or_else(|| payload("an enum has no symbol of that number"))?;
                self.json(symbol);
            }
            Type::Union(branches) => {
                let branch = usize::try_from(self.long()?).ok().and_then(|place| branches.get(place));
                let branch = *branch.ok_or_else(|| payload("a union has no branch of that number"))?;
                self.value(branch, depth + 1)?;
            }
            Type::Array(items) => {
                self.out.push(b'[');
                self.blocks(|reader| reader.value(*items, depth + 1))?;
                self.out.push(b']');
            }
            Type::Map(values) => {
                self.out.push(b'{');
                self.blocks(|reader| {
                    let key = reader.text()?;
                    reader.json(key);
                    reader.out.push(b':');
                    reader.value(*values, depth + 1)
                })?;
                self.out.push(b'}');
            }
            Type::Record { fields, .. } => {
                self.out.push(b'{');
                for (place, field) in fields.iter().enumerate() {
                    if place > 0 {
                        self.out.push(b',');
                    }
                    self.json(&field.name);
                    self.out.push(b':');
                    self.value(field.of, depth + 1)
                        .map_err(|error| Error::new(error.kind(), format!("{}: {error}", field.name)))?;
                }
                self.out.push(b'}');
            }
        }
        Ok(())
    }

    /// The items of an array or a map, which come in blocks.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        let mut is_first = true;
        loop {
            let count = self.long()?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                // The size of the block in bytes, for those that pass over it.
                self.long()?;
            }
            for _ in 0..count.unsigned_abs() {
                if !std::mem::take(&mut is_first) {
                    self.out.push(b',');
                }
                item(self)?;
            }
        }
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        serde_json::to_writer(&mut self.out, value)
            .expect("numbers, texts and bytes can be written into memory");
    }

    /// A number in zigzag and seven bits a byte.
    fn long(&mut self) -> Result<i64, Error> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(payload("a number has more than 64 bits"))
    }

    fn text(&mut self) -> Result<&'a str, Error> {
        std::str::from_utf8(self.bytes()?)
            .map_err(|error| payload("a string is not UTF-8").with_source(error))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let length = self.long()?;
        let length =
            usize::try_from(length).map_err(|_| payload(format!("{length} is no length of bytes")))?;
        self.take(length)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let bytes = self.take(N)?;
        Ok(bytes.try_into().expect("so many were taken"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| payload(format!("the body ends {} bytes too early", length - self.rest.len())))?;
        self.rest = rest;
        Ok(taken)
    }
}

fn no_number(float: f64) -> Error {
    payload(format!("{float} is no number of JSON"))
}

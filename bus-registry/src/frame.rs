//! Confluent's wire format: a zero, the id of the schema in four bytes, the highest first, and then the payload.

use crate::{Error, ErrorKind};

/// The bytes before the payload.
pub(crate) const LENGTH: usize = 5;

const MAGIC: u8 = 0;

/// Writes what comes before the payload.
pub(crate) fn write(out: &mut Vec<u8>, id: u32) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

/// The id of the schema that `body` begins with, where it begins with one; the payload is behind [`LENGTH`] bytes.
pub(crate) fn id(body: &[u8]) -> Option<u32> {
    match body.first_chunk::<LENGTH>()? {
        [MAGIC, id @ ..] => Some(u32::from_be_bytes(*id)),
        _ => None,
    }
}

/// The error of a body that begins with no id.
pub(crate) fn unframed(body: &[u8]) -> Error {
    let why = match body.first() {
        None => "it is empty".to_owned(),
        Some(&MAGIC) => format!("it has {} bytes", body.len()),
        Some(first) => format!("it begins with the byte {first:#04x}"),
    };
    let what = format!(
        "reading a body of the registry's format: {why}, where a zero and the four bytes of a schema's id should be; \
         read topics of other formats on a bus with another codec"
    );
    Error::new(ErrorKind::Unframed, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_begin_with_a_zero_and_an_id_is_said_to() {
        for (body, why) in [
            (&b""[..], "it is empty"),
            (b"\0\0\0\0", "it has 4 bytes"),
            (b"{\"a\":1}", "begins with the byte 0x7b"),
        ] {
            assert_eq!(id(body), None);
            let error = unframed(body).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn an_id_comes_back(number: u32, payload: Vec<u8>) {
            let mut body = Vec::new();
            write(&mut body, number);
            body.extend_from_slice(&payload);
            prop_assert_eq!(id(&body), Some(number));
            prop_assert_eq!(&body[LENGTH..], payload);
        }
    }
}

//! How large and how deep schemas and payloads may be: what is outside comes from outside.

use crate::{Error, ErrorKind};

/// The most bytes that a schema may have.
pub const MAX_SCHEMA_BYTES: usize = 1 << 20;

/// How deep brackets may be nested in the text of a schema.
pub const MAX_SCHEMA_DEPTH: usize = 64;

/// How deep values may be nested in a payload of Avro or Protobuf. Payloads of JSON have the bound of `serde_json`, which is 128.
pub const MAX_PAYLOAD_DEPTH: usize = 64;

/// How many bytes of JSON may come out of a body of so many: names of fields and defaults are in the schema alone.
pub(crate) fn most_out(body: usize) -> usize {
    body.saturating_mul(64).saturating_add(1 << 20)
}

/// Checks the text of the schema `what` before anything parses it.
pub(crate) fn check_schema(text: &str, what: &str) -> Result<(), Error> {
    if text.len() > MAX_SCHEMA_BYTES {
        let bytes = text.len();
        let why = format!("{what} has {bytes} bytes, and at most {MAX_SCHEMA_BYTES} are read; split it up");
        return Err(Error::new(ErrorKind::TooLarge, why));
    }
    // Brackets in strings and comments count as well: what is refused for them is no sensible schema.
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    if deepest > MAX_SCHEMA_DEPTH {
        let why = format!(
            "{what} is nested {deepest} deep, and at most {MAX_SCHEMA_DEPTH} is read; name its inner types"
        );
        return Err(Error::new(ErrorKind::TooDeep, why));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_may_be_large_and_deep_but_not_too_much() {
        let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check_schema(&deep(MAX_SCHEMA_DEPTH), "it").unwrap();
        let error = check_schema(&deep(MAX_SCHEMA_DEPTH + 1), "it").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooDeep);
        check_schema(&" ".repeat(MAX_SCHEMA_BYTES), "it").unwrap();
        let error = check_schema(&" ".repeat(MAX_SCHEMA_BYTES + 1), "it").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}

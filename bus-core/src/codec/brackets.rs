//! Where a JSON object or array ends, found 64 bytes at a time.
//!
//! Bit masks of quotes and brackets are made by SIMD, and strings are told from the rest by a running parity of quotes
//! (Langdale and Lemire, "Parsing Gigabytes of JSON per Second", 2019, section 3.1). Blocks with escapes, which are rare, are
//! walked byte by byte.

use wide::u8x16;

const BLOCK: usize = 64;

/// How far a walk has come.
#[derive(Debug, Clone, Copy, Default)]
struct Walk {
    depth: usize,
    in_string: bool,
    /// The byte before was a backslash that is not escaped itself.
    is_escaped: bool,
}

/// The place behind the bracket that closes the one at `start`; none where nothing does. Whether what lies between is JSON is
/// not looked at.
pub(super) fn end_of_brackets(bytes: &[u8], start: usize) -> Option<usize> {
    let mut walk = Walk::default();
    let mut place = start;
    while let Some(block) = bytes.get(place..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        if let Some(end) = walk.block(block) {
            return Some(place + end);
        }
        place += BLOCK;
    }
    walk.bytes(bytes.get(place..)?).map(|end| place + end)
}

impl Walk {
    /// Walks over one block. Answers the place behind the last bracket that was open.
    fn block(&mut self, block: &[u8; BLOCK]) -> Option<usize> {
        let masks = Masks::of(block);
        if masks.backslashes != 0 || self.is_escaped {
            return self.bytes(block);
        }
        let carried = if self.in_string { u64::MAX } else { 0 };
        let in_string = parity(masks.quotes) ^ carried;
        self.in_string = in_string >> (BLOCK - 1) == 1;
        let (opening, closing) = (masks.opening & !in_string, masks.closing & !in_string);
        let closed = closing.count_ones() as usize;
        if self.depth > closed {
            self.depth = self.depth + opening.count_ones() as usize - closed;
            return None;
        }
        let mut brackets = opening | closing;
        while brackets != 0 {
            let place = brackets.trailing_zeros();
            if opening >> place & 1 == 1 {
                self.depth += 1;
            } else {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    return Some(place as usize + 1);
                }
            }
            brackets &= brackets - 1;
        }
        None
    }

    fn bytes(&mut self, bytes: &[u8]) -> Option<usize> {
        for (place, byte) in bytes.iter().enumerate() {
            if std::mem::take(&mut self.is_escaped) {
                continue;
            }
            match byte {
                b'"' => self.in_string = !self.in_string,
                b'\\' => self.is_escaped = self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(place + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// Which bytes of a block are what, the first one in the lowest bit.
struct Masks {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Masks {
    fn of(block: &[u8; BLOCK]) -> Self {
        // Set in `{` and `}`, and not in `[` and `]`, which differ in nothing else.
        let case = u8x16::splat(0x20);
        let mut masks = Masks { quotes: 0, backslashes: 0, opening: 0, closing: 0 };
        for (index, lane) in block.as_chunks::<16>().0.iter().enumerate() {
            let lane = u8x16::from(*lane);
            let folded = lane | case;
            let mask = |equal: u8x16| u64::from(equal.to_bitmask()) << (index * 16);
            masks.quotes |= mask(lane.simd_eq(u8x16::splat(b'"')));
            masks.backslashes |= mask(lane.simd_eq(u8x16::splat(b'\\')));
            masks.opening |= mask(folded.simd_eq(u8x16::splat(b'{')));
            masks.closing |= mask(folded.simd_eq(u8x16::splat(b'}')));
        }
        masks
    }
}

/// In each bit, whether the number of bits up to it is odd.
fn parity(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_bytes(text: &str) -> Option<usize> {
        Walk::default().bytes(text.as_bytes())
    }

    #[test]
    fn brackets_inside_of_strings_do_not_count() {
        for text in [
            r#"{"a":"}","b":["]","\\","\"}"]}, {}"#,
            r#"[[[]]] ]"#,
            r#"{"long":"0123456789012345678901234567890123456789012345678901234567890{{{","x":[1,2]}}"#,
        ] {
            let end = end_of_brackets(text.as_bytes(), 0).unwrap();
            let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
            assert!(values.next().unwrap().is_ok(), "{text}");
            assert_eq!(end, values.byte_offset(), "{text}");
        }
        assert_eq!(end_of_brackets(b"{\"a\":1", 0), None);
        assert_eq!(end_of_brackets(b"xx{}", 2), Some(4));
        assert_eq!(end_of_brackets(b"", 7), None);
    }

    proptest! {
        #[test]
        fn blocks_and_bytes_find_the_same(text in r#"[\[\{]([a"\\\[\]\{\}:, ]{0,40}|[a-z0-9]{0,70}){0,6}"#) {
            prop_assert_eq!(end_of_brackets(text.as_bytes(), 0), by_bytes(&text));
        }
    }
}

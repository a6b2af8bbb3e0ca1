//! Base64 by [RFC 4648, section 4](https://www.rfc-editor.org/rfc/rfc4648#section-4), for reading.

/// The bytes that `text` stands for; none where it is not padded to whole groups or has other letters.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|letter| **letter == b'=').count();
    let (letters, padding) = (&text[..text.len() - padding], &[b'A'; 2][..padding]);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    for (index, letter) in letters.iter().chain(padding).enumerate() {
        group = group << 6 | u32::from(value_of(*letter)?);
        if index % 4 == 3 {
            bytes.extend_from_slice(&group.to_be_bytes()[1..]);
            group = 0;
        }
    }
    bytes.truncate(bytes.len() - padding.len());
    Some(bytes)
}

fn value_of(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 4648, section 10.
    #[test]
    fn reads_the_vectors_of_the_rfc() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode(b"+/+/").as_deref(), Some(&b"\xfb\xff\xbf"[..]));
    }

    #[test]
    fn refuses_what_is_no_base64() {
        for text in ["Zg", "Zg=", "Z===", "====", "=g==", "Zg==Zg==", "Zm9\n", "-_-_", "Zé=="] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}

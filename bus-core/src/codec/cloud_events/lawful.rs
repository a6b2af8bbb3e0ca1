//! What the spec allows in names and values of attributes.

use std::fmt::Write;

/// Whether an attribute can have this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Whether an attribute can have this text: not empty, without control characters and code points that are none.
pub(super) fn is_text(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_allowed)
}

fn is_allowed(letter: char) -> bool {
    let code = u32::from(letter);
    !letter.is_control() && !matches!(code, 0xFDD0..=0xFDEF) && code & 0xFFFE != 0xFFFE
}

/// `json` as the text of an attribute: what is not allowed there is written in another way.
pub(super) fn json_text(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            _ if is_allowed(letter) => text.push(letter),
            // JSON has no control characters below space but between its tokens.
            '\0'..' ' => text.push(' '),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    write!(text, "\\u{unit:04x}").expect("writing into a string cannot fail");
                }
            }
        }
    }
    text
}

/// Whether `text` is a [URI reference](https://www.rfc-editor.org/rfc/rfc3986#section-4.1), as far as its letters go.
pub(super) fn is_uri_reference(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// Whether `text` is a URI with a scheme, as far as its letters go.
pub(super) fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && scheme.bytes().all(allowed)
        && is_uri_reference(text)
}

/// Appends `segment` to a path, percent-encoded where a path cannot have its letters.
pub(super) fn push_segment(path: &mut String, segment: &str) {
    path.push('/');
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            write!(path, "%{byte:02X}").expect("writing into a string cannot fail");
        }
    }
}

/// `segment` of a path with its percent-encoding undone, where that gives text.
pub(super) fn segment_text(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16);
        match byte {
            b'%' => bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether the media type `content_type` is one of JSON: `*/json` or `*/*+json`, in whatever case.
pub(super) fn is_json(content_type: &str) -> bool {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((_, subtype)) = media_type.split_once('/') else { return false };
    subtype == "json" || subtype.ends_with("+json")
}

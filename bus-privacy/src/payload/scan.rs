//! Finds the personal values of a payload, with where they are: one pass over the text, up to the last of them.

use std::borrow::Cow;
use std::ops::Range;

use memchr::{memchr2, memmem};
use serde::Deserialize;

use crate::{Error, ErrorKind};

/// How deep a payload may be nested; what is deeper, nothing else reads either.
const MAX_DEPTH: usize = 128;

/// A form of personal values that is looked for: an object whose one field has this name.
pub(crate) trait Form<'a>: Deserialize<'a> {
    /// The name, in quotes, as it is written.
    const MARK: &'static str;

    /// What it is, for messages.
    const WHAT: &'static str;
}

/// A value of the form `F`.
#[derive(Debug)]
pub(crate) struct Found<F> {
    /// Where it is in the text.
    pub(crate) range: Range<usize>,
    /// Where it is in the payload, as a JSON pointer (RFC 6901).
    pub(crate) path: String,
    /// What it is.
    pub(crate) form: F,
}

/// How the mark may be written by somebody who does not want it to be seen; nobody else has reason to write letters so.
const ESCAPED: &[u8] = br"\u00";

/// The values of the form `F`, in their order. None of them costs a look for the mark, and one for escapes that may hide it.
pub(crate) fn find<'a, F: Form<'a>>(text: &'a [u8]) -> Result<Vec<Found<F>>, Error> {
    let last = match memmem::find(text, ESCAPED) {
        Some(_) => Some(text.len()),
        None => memmem::rfind(text, F::MARK.as_bytes()),
    };
    last.map_or_else(|| Ok(Vec::new()), |last| Scan { text, at: 0, open: Vec::new() }.run(last))
}

/// An object or an array that the scan is inside of.
enum Inside {
    /// With the key that it has come to, in the text, without its quotes.
    Object { key: Range<usize>, is_at_key: bool },
    /// With the index that it has come to.
    Array(usize),
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    open: Vec<Inside>,
}

impl<'a> Scan<'a> {
    /// Scans to behind `last`, where the last mark is. The text is JSON by what has read or written it; one that is not is
    /// an error here at the latest where it matters.
    fn run<F: Form<'a>>(mut self, last: usize) -> Result<Vec<Found<F>>, Error> {
        let mut found = Vec::new();
        while self.at <= last {
            let Some(byte) = self.text.get(self.at) else { break };
            match byte {
                b'{' if self.is_marked::<F>() => found.push(self.value()?),
                b'{' => self.enter(Inside::Object { key: 0..0, is_at_key: true })?,
                b'[' => self.enter(Inside::Array(0))?,
                b'}' | b']' => {
                    self.open.pop();
                    self.at += 1;
                }
                b',' => {
                    match self.open.last_mut() {
                        Some(Inside::Array(index)) => *index += 1,
                        Some(Inside::Object { is_at_key, .. }) => *is_at_key = true,
                        None => {}
                    }
                    self.at += 1;
                }
                b':' => {
                    if let Some(Inside::Object { is_at_key, .. }) = self.open.last_mut() {
                        *is_at_key = false;
                    }
                    self.at += 1;
                }
                b'"' => self.string::<F>()?,
                _ => self.at += 1,
            }
        }
        Ok(found)
    }

    /// Whether the object that begins here has the mark as its first field.
    fn is_marked<F: Form<'a>>(&self) -> bool {
        let rest = &self.text[self.at + 1..];
        rest.trim_ascii_start().starts_with(F::MARK.as_bytes())
    }

    fn value<F: Form<'a>>(&mut self) -> Result<Found<F>, Error> {
        let start = self.at;
        let mut forms = serde_json::Deserializer::from_slice(&self.text[start..]).into_iter::<F>();
        // What serde_json says of it may have a value in it.
        let form = forms.next().and_then(Result::ok).ok_or_else(|| {
            let what = format!(
                "{} at `{}` is not as it is written here; look at who has written it, and note that no other field may be \
                 called {}",
                F::WHAT,
                self.path(),
                F::MARK,
            );
            Error::new(ErrorKind::Malformed, what)
        })?;
        self.at = start + forms.byte_offset();
        Ok(Found { range: start..self.at, path: self.path(), form })
    }

    fn enter(&mut self, inside: Inside) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            let what = format!(
                "the payload is nested deeper than {MAX_DEPTH}; store its parts as events of their own"
            );
            return Err(Error::new(ErrorKind::TooDeep, what));
        }
        self.open.push(inside);
        self.at += 1;
        Ok(())
    }

    /// Passes a string, which may be a key.
    fn string<F: Form<'a>>(&mut self) -> Result<(), Error> {
        let start = self.at + 1;
        let mut at = start;
        let end = loop {
            let rest = self.text.get(at..).unwrap_or_default();
            let Some(next) = memchr2(b'"', b'\\', rest) else { break self.text.len() };
            at += next;
            if self.text[at] == b'"' {
                break at;
            }
            at += 2;
        };
        self.at = end + 1;
        if let Some(Inside::Object { key, is_at_key: true }) = self.open.last_mut() {
            *key = start..end;
            if self.text.get(start - 1..self.at) == Some(F::MARK.as_bytes()) {
                let what = format!(
                    "{} is among other fields at `{}`; give it a field of its own, without `#[serde(flatten)]`",
                    F::WHAT,
                    self.path()
                );
                return Err(Error::new(ErrorKind::Malformed, what));
            }
            if self.text[start..end.max(start)].contains(&b'\\')
                && self.key(&(start..end)) == F::MARK.trim_matches('"')
            {
                let what = format!(
                    "the name of {} is written with escapes at `{}`, which nobody does here; look at who has written it",
                    F::WHAT,
                    self.path()
                );
                return Err(Error::new(ErrorKind::Malformed, what));
            }
        }
        Ok(())
    }

    /// Where the scan is.
    fn path(&self) -> String {
        let mut path = String::new();
        for inside in &self.open {
            path.push('/');
            match inside {
                Inside::Array(index) => path.push_str(&index.to_string()),
                Inside::Object { key, .. } => {
                    let key = self.key(key);
                    match key.contains(['~', '/']) {
                        true => path.push_str(&key.replace('~', "~0").replace('/', "~1")),
                        false => path.push_str(&key),
                    }
                }
            }
        }
        path
    }

    /// A key as it is meant: codecs may write the same key in several ways.
    fn key(&self, range: &Range<usize>) -> Cow<'a, str> {
        let raw = &self.text[range.clone()];
        if raw.contains(&b'\\') {
            let quoted = &self.text[range.start - 1..(range.end + 1).min(self.text.len())];
            if let Ok(key) = serde_json::from_slice(quoted) {
                return Cow::Owned(key);
            }
        }
        String::from_utf8_lossy(raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Open, Sealed};

    #[test]
    fn a_mark_that_hides_in_escapes_is_refused() {
        for hidden in [
            r#"{"a":{"\u0024personal":{"subject":"s","value":1}}}"#,
            r#"{"a":{"$p\u0065rsonal":{"subject":"s","value":1}}}"#,
            r#"[{"\u0024\u0070\u0065\u0072\u0073\u006f\u006e\u0061\u006c":{}}]"#,
        ] {
            let error = find::<Open<'_>>(hidden.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{hidden}");
        }
        let hidden = br#"{"a":{"\u0024sealed":{"alg":"x"}}}"#;
        assert_eq!(find::<Sealed<'_>>(hidden).unwrap_err().kind(), ErrorKind::Malformed);
        let found = br#"{"a\u0007":"\u0024personal","b":{"$personal":{"subject":"s","value":"\u0001"}},"c\\u0024":1}"#;
        let found = find::<Open<'_>>(found).unwrap();
        assert_eq!((found.len(), found[0].path.as_str()), (1, "/b"));
    }
}

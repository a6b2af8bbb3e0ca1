//! Opening: each sealed value becomes an open one, or an erased one.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jitney_core::personal::Place;
use serde::Deserialize;

use super::scan::{Form, Found};
use super::seal::{ALGORITHM, write_text};
use crate::cipher::{self, Binding};
use crate::key::{DataKey, KeyId};
use crate::{Error, ErrorKind};

/// A sealed value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed<'a> {
    #[serde(rename = "$sealed", borrow)]
    body: Body<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    data: Cow<'a, str>,
}

impl<'a> Form<'a> for Sealed<'a> {
    const MARK: &'static str = r#""$sealed""#;
    const WHAT: &'static str = "a sealed value";
}

impl Sealed<'_> {
    /// Whom it is about.
    pub(crate) fn subject(&self) -> &str {
        &self.body.subject
    }

    /// Which of the subject's keys it is sealed with.
    pub(crate) fn key(&self) -> Result<KeyId, Error> {
        if self.body.alg != ALGORITHM {
            let what = "it was sealed in a way that this version does not know; use a newer version here";
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        self.body.key.parse()
    }
}

/// What is to be done with a sealed value.
pub(crate) enum Opened<'k> {
    /// To be opened by this key.
    With(KeyId, &'k DataKey),
    /// Its subject is forgotten.
    Erased,
}

/// `text` with the values `found` opened, each with the next of `keys`.
pub(crate) fn open<'k>(
    text: &[u8],
    found: &[Found<Sealed<'_>>],
    place: Place<'_>,
    keys: impl Iterator<Item = Opened<'k>>,
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(text.len());
    let (mut copied, mut binding, mut data) = (0, Binding::default(), Vec::new());
    for (Found { range, path, form: Sealed { body } }, key) in found.iter().zip(keys) {
        out.extend_from_slice(&text[copied..range.start]);
        copied = range.end;
        out.extend_from_slice(br#"{"$personal":{"subject":"#);
        write_text(&mut out, &body.subject);
        match key {
            Opened::Erased => out.extend_from_slice(br#","erased":true}}"#),
            Opened::With(id, key) => {
                data.clear();
                STANDARD.decode_vec(body.data.as_bytes(), &mut data).map_err(|error| {
                    let what = format!("the value at `{path}` is not in base64; look at who has changed it");
                    Error::new(ErrorKind::Malformed, what).with_source(error)
                })?;
                binding.of_value(place, path, &body.subject, id);
                let plain = cipher::open(key, binding.bytes(), &mut data).map_err(|_| {
                    let what = format!(
                        "the value at `{path}` was changed, or sealed for another field, event or stream; look at who has \
                         written it, and take it from where it was published"
                    );
                    Error::new(ErrorKind::Tampered, what)
                })?;
                out.extend_from_slice(br#","value":"#);
                out.extend_from_slice(plain);
                out.extend_from_slice(b"}}");
            }
        }
    }
    out.extend_from_slice(&text[copied..]);
    Ok(out)
}

//! Sealing: each open value becomes a sealed one.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jitney_core::personal::Place;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::scan::{Form, Found};
use crate::cipher::{self, Binding};
use crate::key::{DataKey, KeyId};
use crate::{Error, Pseudonym};

/// How values are sealed, in each of them: XChaCha20-Poly1305, bound to the place that [`Binding`] says.
pub(super) const ALGORITHM: &str = "XC20P-1";

/// What a sealed value has beside subject and data, about.
const FORM_BYTES: usize = 80;

/// An open or an erased value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open<'a> {
    #[serde(rename = "$personal", borrow)]
    body: Body<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<'a> {
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow, default)]
    pseudonym: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "any")]
    value: Option<&'a RawValue>,
    #[serde(default, rename = "erased")]
    _erased: bool,
}

/// A value that may be null.
fn any<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Form<'a> for Open<'a> {
    const MARK: &'static str = r#""$personal""#;
    const WHAT: &'static str = "a personal value";
}

impl<'a> Open<'a> {
    /// Whom it is about.
    pub(crate) fn subject(&self) -> &str {
        &self.body.subject
    }

    /// What it is to be a pseudonym for.
    pub(crate) fn pseudonym_for(&self) -> Option<&str> {
        self.body.pseudonym.as_deref()
    }

    /// The value; none where it is erased.
    pub(crate) fn value(&self) -> Option<&'a str> {
        self.body.value.map(RawValue::get)
    }
}

/// What comes in the place of an open value.
pub(crate) enum Instead {
    /// The value, sealed with this key.
    Sealed(KeyId, Arc<DataKey>),
    /// This pseudonym.
    Pseudonym(Pseudonym),
    /// Nothing: there is no value that a pseudonym would stand for.
    Null,
}

/// `text` with the open values among `found` replaced, each by the next of `instead`.
pub(crate) fn seal(
    text: &[u8],
    found: &[Found<Open<'_>>],
    place: Place<'_>,
    instead: &[Instead],
) -> Result<Vec<u8>, Error> {
    let added: usize = found.iter().map(|found| FORM_BYTES + found.range.len() / 2).sum();
    let mut out = Vec::with_capacity(text.len() + added);
    let (mut copied, mut binding, mut sealed) = (0, Binding::default(), Vec::new());
    let open = found.iter().filter_map(|found| Some((found, found.form.value()?)));
    for ((Found { range, path, form }, value), instead) in open.zip(instead) {
        out.extend_from_slice(&text[copied..range.start]);
        copied = range.end;
        match instead {
            Instead::Sealed(id, key) => {
                binding.of_value(place, path, form.subject(), *id);
                sealed.clear();
                cipher::seal(key, binding.bytes(), value.as_bytes(), &mut sealed)?;
                write(&mut out, form.subject(), *id, &sealed);
            }
            Instead::Pseudonym(pseudonym) => write_text(&mut out, pseudonym.as_str()),
            Instead::Null => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(&text[copied..]);
    Ok(out)
}

fn write(out: &mut Vec<u8>, subject: &str, key: KeyId, sealed: &[u8]) {
    out.extend_from_slice(br#"{"$sealed":{"alg":""#);
    out.extend_from_slice(ALGORITHM.as_bytes());
    out.extend_from_slice(br#"","subject":"#);
    write_text(out, subject);
    out.extend_from_slice(br#","key":""#);
    out.extend_from_slice(&key.to_hex());
    out.extend_from_slice(br#"","data":""#);
    let start = out.len();
    out.resize(start + sealed.len().div_ceil(3) * 4, 0);
    STANDARD
        .encode_slice(sealed, &mut out[start..])
        .expect("there is room for four digits for every three bytes");
    out.extend_from_slice(br#""}}"#);
}

/// Writes `text` as a JSON string.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text is written into memory");
}

//! The one attribute for what no attribute can hold: fields that are no text, names with other letters than the spec
//! allows, text with control characters. It is a JSON object.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::attribute::REST;
use super::lawful::json_text;
use crate::metadata::Extensions;

type Texts<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;
type Fields<'a> = BTreeMap<Cow<'a, str>, Cow<'a, RawValue>>;

/// What is to be written, or was read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rest<'a> {
    /// Attributes of the envelope whose text is not allowed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: Texts<'a>,
    /// Pairs whose name or text is not allowed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) pairs: Texts<'a>,
    /// Foreign fields of the metadata.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: Fields<'a>,
    /// Foreign fields of the envelope.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) extensions: Fields<'a>,
}

impl Rest<'_> {
    /// The value of the attribute; none where there is nothing to write.
    pub(super) fn to_text(&self) -> Result<Option<String>, serde_json::Error> {
        let json = serde_json::to_string(self)?;
        Ok((json != "{}").then(|| json_text(&json)))
    }

    /// Reads the value of the attribute.
    pub(super) fn from_text(text: &str) -> Result<Rest<'static>, String> {
        serde_json::from_str(text)
            .map_err(|error| format!("the attribute `{}` cannot be read: {error}", REST.name))
    }
}

/// The fields of `extensions`.
pub(super) fn fields(extensions: &Extensions) -> Fields<'_> {
    extensions.iter().map(|(name, value)| (name.into(), Cow::Borrowed(value))).collect()
}

/// The foreign fields of an envelope or its metadata that `fields` are.
pub(super) fn extensions(fields: Fields<'_>) -> Extensions {
    let mut extensions = Extensions::default();
    for (name, value) in fields {
        extensions.insert(name.into_owned(), value.into_owned());
    }
    extensions
}

//! One version of an event type, as it is locked.

use jitney_core::event::Version;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shape;

/// Of which the digests of this format are made.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f2c_9c1e_4f0a_5d7b_9f53_8a51_7d3e_24b1);

/// What a file of the lock folder says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) aggregate: String,
    pub(crate) event: String,
    pub(crate) version: Version,
    /// The schema without annotations.
    pub(crate) schema: Value,
    /// A payload of this version.
    pub(crate) example: Value,
    /// What is read and not written, when it was locked.
    pub(crate) unwritten: Vec<String>,
    /// The version before, which has a file of its own.
    pub(crate) follows: Option<Version>,
}

impl Entry {
    /// The text of its file.
    pub(crate) fn text(&self) -> String {
        let mut content = self.content();
        content["digest"] = json!(self.digest());
        let text = serde_json::to_string_pretty(&shape::sorted(&content)).expect("a JSON value is written");
        text + "\n"
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(crate) fn read(text: &str) -> Result<Entry, String> {
        let content: Value =
            serde_json::from_str(text).map_err(|error| format!("it is no JSON ({error})"))?;
        let member = |name: &str| {
            content.get(name).and_then(Value::as_str).ok_or_else(|| format!("it has no text `{name}`"))
        };
        let value = |name: &str| content.get(name).cloned().ok_or_else(|| format!("it has no `{name}`"));
        let entry = Entry {
            aggregate: member("aggregate")?.to_owned(),
            event: member("event")?.to_owned(),
            version: member("version")?.parse().map_err(|error| format!("{error}"))?,
            schema: value("schema")?,
            example: value("example")?,
            unwritten: match content.get("unwritten") {
                None => Vec::new(),
                Some(paths) => texts(paths).ok_or("its `unwritten` is no list of texts")?,
            },
            follows: match content.get("follows") {
                None => None,
                Some(_) => Some(member("follows")?.parse().map_err(|error| format!("{error}"))?),
            },
        };
        if member("digest")? == entry.digest() {
            Ok(entry)
        } else {
            Err("it was edited by hand: its digest is that of another content".to_owned())
        }
    }

    fn content(&self) -> Value {
        let mut content = json!({
            "aggregate": self.aggregate,
            "event": self.event,
            "version": self.version.to_string(),
            "schema": self.schema,
            "example": self.example,
        });
        if !self.unwritten.is_empty() {
            content["unwritten"] = json!(self.unwritten);
        }
        if let Some(follows) = self.follows {
            content["follows"] = json!(follows.to_string());
        }
        content
    }

    fn digest(&self) -> String {
        let content = shape::sorted(&self.content()).to_string();
        Uuid::new_v5(&NAMESPACE, content.as_bytes()).to_string()
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

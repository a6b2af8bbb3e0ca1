//! A sealer for tests, whose work can be seen: what it seals is there in mirror writing, and opens in its place alone.
//!
//! ```
//! use jitney_testkit::mirror::Mirror;
//!
//! let mirror = Mirror::new();
//! // `MemoryStore::new().sealed_by(mirror.clone())`, and the same on any other store
//! mirror.forget("customer-7");
//! assert_eq!(mirror.opened(), 0);
//! ```

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use jitney_core::personal::{Item, OPEN, Place, SEALED, Sealer, meet};
use jitney_core::{Error, ErrorKind};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// Seals by writing backwards. It keeps no secret: it shows whether what is to be sealed is sealed, and where. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Mirror(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    forgotten: Mutex<HashSet<String>>,
    /// Who is forgotten when something of them was opened once more.
    forgotten_soon: Mutex<HashSet<String>>,
    is_away: AtomicBool,
    is_set_up_wrongly: AtomicBool,
    opened: AtomicU64,
}

impl Mirror {
    /// One that has forgotten nobody.
    pub fn new() -> Self {
        Mirror::default()
    }

    /// What is of `subject` is erased from now on.
    pub fn forget(&self, subject: &str) {
        self.0.forgotten.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.to_owned());
    }

    /// What is of `subject` is erased from the moment on in which it was opened once more: they are forgotten while somebody works on it.
    pub fn forget_once_opened(&self, subject: &str) {
        self.0.forgotten_soon.lock().unwrap_or_else(PoisonError::into_inner).insert(subject.to_owned());
    }

    /// Whether it fails from now on, as where its keys cannot be had for the moment.
    pub fn set_away(&self, is_away: bool) {
        self.0.is_away.store(is_away, Ordering::SeqCst);
    }

    /// Whether it fails for good from now on, as where it was given another master key.
    pub fn set_up_wrongly(&self, wrongly: bool) {
        self.0.is_set_up_wrongly.store(wrongly, Ordering::SeqCst);
    }

    /// How many payloads it was asked to open.
    pub fn opened(&self) -> u64 {
        self.0.opened.load(Ordering::SeqCst)
    }

    fn refuse_away(&self) -> Result<(), Error> {
        if self.0.is_set_up_wrongly.load(Ordering::SeqCst) {
            return Err(Error::config(
                "asking for a key: it was wrapped by another master key; give it that one",
            ));
        }
        match self.0.is_away.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Transport, "asking for a key: its store does not answer")
                .retryable(true)),
            false => Ok(()),
        }
    }

    fn is_forgotten(&self, subject: &str) -> bool {
        self.0.forgotten.lock().unwrap_or_else(PoisonError::into_inner).contains(subject)
    }

    fn seal_value(&self, place: &str, value: &mut Value) -> Result<(), Error> {
        each(value, OPEN, &mut |value| {
            let (Some(subject), Some(text)) = (value["subject"].as_str(), value["value"].as_str()) else {
                return Ok(None);
            };
            if self.is_forgotten(subject) {
                let what = format!("sealing a value: `{subject}` was forgotten");
                return Err(Error::new(ErrorKind::Forgotten, what));
            }
            let mirrored: String = text.chars().rev().collect();
            Ok(Some(json!({ SEALED: { "subject": subject, "place": place, "mirrored": mirrored } })))
        })
    }

    fn open_value(&self, place: &str, value: &mut Value) -> Result<(), Error> {
        each(value, SEALED, &mut |value| {
            let (Some(subject), Some(text)) = (value["subject"].as_str(), value["mirrored"].as_str()) else {
                return Err(Error::new(ErrorKind::Decode, "opening a value: it was changed"));
            };
            if value["place"] != place {
                let what = format!("opening a value in {place}: it was sealed in {}", value["place"]);
                return Err(Error::new(ErrorKind::Decode, what));
            }
            if self.is_forgotten(subject) {
                return Ok(Some(json!({ OPEN: { "subject": subject } })));
            }
            if self.0.forgotten_soon.lock().unwrap_or_else(PoisonError::into_inner).remove(subject) {
                self.forget(subject);
            }
            let text: String = text.chars().rev().collect();
            Ok(Some(json!({ OPEN: { "subject": subject, "value": text } })))
        })
    }
}

/// Replaces what is under the one field `name`, wherever it is in `value`.
fn each(
    value: &mut Value,
    name: &str,
    replace: &mut dyn FnMut(&Value) -> Result<Option<Value>, Error>,
) -> Result<(), Error> {
    match value {
        Value::Object(members) => {
            if let Some(found) = members.get(name).filter(|_| members.len() == 1) {
                if let Some(new) = replace(found)? {
                    *value = new;
                }
                return Ok(());
            }
            members.values_mut().try_for_each(|member| each(member, name, replace))
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| each(item, name, replace)),
        _ => Ok(()),
    }
}

fn text_of(place: Place<'_>) -> String {
    let Place { aggregate_type, aggregate_id, item } = place;
    match item {
        Item::Event(id) => format!("{aggregate_type}/{aggregate_id} event {id}"),
        Item::State(name) => format!("{aggregate_type}/{aggregate_id} state {name}"),
    }
}

fn parsed(payload: &[u8]) -> Result<Value, Error> {
    serde_json::from_slice(payload)
        .map_err(|_| Error::new(ErrorKind::Encode, "sealing or opening what is no JSON"))
}

#[async_trait]
impl Sealer for Mirror {
    async fn seal(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, Error> {
        self.refuse_away()?;
        let mut value = parsed(&payload)?;
        self.seal_value(&text_of(place), &mut value)?;
        Ok(value.to_string().into())
    }

    async fn open(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, Error> {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
        self.refuse_away()?;
        let mut value = parsed(&payload)?;
        self.open_value(&text_of(place), &mut value)?;
        Ok(value.to_string().into())
    }
}

/// A personal text for tests of stores: it writes itself as personal values do, and is read only where it was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonalText {
    /// Whose it is.
    pub subject: String,
    /// What it says; none where it is erased.
    pub text: Option<String>,
}

impl PersonalText {
    /// `text` of `subject`.
    pub fn of(subject: impl Into<String>, text: impl Into<String>) -> Self {
        PersonalText { subject: subject.into(), text: Some(text.into()) }
    }
}

impl std::fmt::Debug for PersonalText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonalText").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Serialize for PersonalText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        meet().map_err(S::Error::custom)?;
        let value = match &self.text {
            Some(text) => json!({ OPEN: { "subject": self.subject, "value": text } }),
            None => json!({ OPEN: { "subject": self.subject } }),
        };
        value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PersonalText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let open = value.get(OPEN).ok_or_else(|| D::Error::custom("a personal text was not opened"))?;
        let subject =
            open["subject"].as_str().ok_or_else(|| D::Error::custom("a personal text has no subject"))?;
        Ok(PersonalText { subject: subject.to_owned(), text: open["value"].as_str().map(str::to_owned) })
    }
}

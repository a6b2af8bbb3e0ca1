//! Sealing and opening payloads, by the keys of the vault.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jitney_core::personal::{Item, Place, Sealer};

use super::Vault;
use crate::key::{DataKey, KeyId};
use crate::payload::{self, Instead, Open, Opened, Sealed};
use crate::{Error, ErrorKind};

impl Vault {
    /// `payload` with its open values sealed; none where there are none.
    pub(super) async fn sealed(&self, place: Place<'_>, payload: &[u8]) -> Result<Option<Bytes>, Error> {
        let found = payload::find::<Open<'_>>(payload)?;
        let mut instead: Vec<Instead> = Vec::with_capacity(found.len());
        let mut subject = "";
        for found in &found {
            let open = &found.form;
            let Some(value) = open.value() else { continue };
            if let Some(purpose) = open.pseudonym_for() {
                instead.push(self.instead_of(open.subject(), purpose, value, &found.path).await?);
                continue;
            }
            let (id, key) = match instead.last() {
                Some(Instead::Sealed(id, key)) if open.subject() == subject => (*id, Arc::clone(key)),
                _ => self.key_to_seal(open.subject()).await?,
            };
            subject = open.subject();
            instead.push(Instead::Sealed(id, key));
        }
        if instead.is_empty() {
            return Ok(None);
        }
        payload::seal(payload, &found, place, &instead).map(|sealed| Some(sealed.into()))
    }

    /// The pseudonym for the JSON `value` at `path`.
    async fn instead_of(
        &self,
        subject: &str,
        purpose: &str,
        value: &str,
        path: &str,
    ) -> Result<Instead, Error> {
        match serde_json::from_str::<Option<Cow<'_, str>>>(value) {
            Ok(None) => Ok(Instead::Null),
            Ok(Some(value)) => Ok(Instead::Pseudonym(self.pseudonym(subject, purpose, &value).await?)),
            Err(_) => {
                let what = format!(
                    "the value at `{path}` is no text, which a pseudonym could stand for: nothing was written; make the field one"
                );
                Err(Error::new(ErrorKind::Malformed, what))
            }
        }
    }

    /// `payload` with its sealed values opened; none where there are none.
    pub(super) async fn opened(&self, place: Place<'_>, payload: &[u8]) -> Result<Option<Bytes>, Error> {
        self.check_arrived(payload).await?;
        let found = payload::find::<Sealed<'_>>(payload)?;
        if found.is_empty() {
            return Ok(None);
        }
        let mut keys: Vec<(KeyId, Option<Arc<DataKey>>)> = Vec::with_capacity(found.len());
        let mut subject = "";
        for found in &found {
            let (sealed, id) = (
                &found.form,
                found.form.key().map_err(|error| error.while_doing(format_args!("`{}`", found.path)))?,
            );
            let key = match keys.last() {
                Some((last, key)) if sealed.subject() == subject && *last == id => key.clone(),
                _ => self.key_to_open(sealed.subject(), id).await?,
            };
            subject = sealed.subject();
            keys.push((id, key));
        }
        let keys = keys.iter().map(|(id, key)| match key {
            Some(key) => Opened::With(*id, key),
            None => Opened::Erased,
        });
        payload::open(payload, &found, place, keys).map(|opened| Some(opened.into()))
    }
}

impl Vault {
    /// Refuses what nothing here has sealed: a value in the clear, and one that is erased though its subject is not forgotten.
    async fn check_arrived(&self, payload: &[u8]) -> Result<(), Error> {
        for found in payload::find::<Open<'_>>(payload)? {
            let path = &found.path;
            let subject = found.form.subject();
            let what = if found.form.value().is_some() {
                format!(
                    "a personal value of `{subject}` is in the clear at `{path}`: whoever has written it has not sealed it; look at that"
                )
            } else if self.is_forgotten(subject).await? {
                continue;
            } else {
                format!(
                    "the personal value of `{subject}` at `{path}` is said to be erased, and the subject is not forgotten"
                )
            };
            return Err(Error::new(ErrorKind::Tampered, what));
        }
        Ok(())
    }
}

#[async_trait]
impl Sealer for Vault {
    async fn seal(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, jitney_core::Error> {
        let sealed = self.sealed(place, &payload).await;
        Ok(sealed.map_err(|error| error.while_doing(Doing("sealing", place)))?.unwrap_or(payload))
    }

    async fn open(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, jitney_core::Error> {
        let opened = self.opened(place, &payload).await;
        Ok(opened.map_err(|error| error.while_doing(Doing("opening", place)))?.unwrap_or(payload))
    }
}

/// What is being done, and where.
pub(super) struct Doing<'a>(pub(super) &'static str, pub(super) Place<'a>);

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Doing(doing, Place { aggregate_type, aggregate_id, item }) = self;
        write!(f, "{doing} the personal data of ")?;
        match item {
            Item::Event(id) => write!(f, "event {id} of {aggregate_type} `{aggregate_id}`"),
            Item::State(name) => write!(f, "the state `{name}` of {aggregate_type} `{aggregate_id}`"),
        }
    }
}

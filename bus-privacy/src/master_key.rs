//! Master keys, which wrap the keys of subjects.

use std::fmt;
use std::path::Path;
use std::{env, fs};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::cipher::{self, Binding};
use crate::key::{DataKey, KEY_BYTES, KeyId, WrappedKey};
use crate::{Error, ErrorKind, Subject};

/// Wraps the keys of subjects, and unwraps them: [`MasterKeys`] in this process, or a key management service.
///
/// What is wrapped is bound to the subject and the key's id: a service that takes an encryption context is to be given both.
#[async_trait]
pub trait KeyManagement: fmt::Debug + Send + Sync + 'static {
    /// The id of the master key that wraps from now on: 1 to 64 letters, digits, `-`, `_`, `.`, `/` and `:`.
    fn current(&self) -> &str;

    /// Wraps `key` of `subject` by the current master key.
    ///
    /// # Errors
    ///
    /// Of kind [`KeyManagement`](ErrorKind::KeyManagement) when the service does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn wrap(&self, subject: &Subject, id: KeyId, key: &DataKey) -> Result<WrappedKey, Error>;

    /// The key of `subject` that was wrapped, by whichever master key.
    ///
    /// # Errors
    ///
    /// Of kind [`UnknownMasterKey`](ErrorKind::UnknownMasterKey) when that master key is not there,
    /// [`WrongMasterKey`](ErrorKind::WrongMasterKey) when it does not fit, and
    /// [`KeyManagement`](ErrorKind::KeyManagement) when the service does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn unwrap(&self, subject: &Subject, wrapped: &WrappedKey) -> Result<DataKey, Error>;
}

/// A master key with its id.
///
/// Its text is `id:key`, the key being 32 bytes in base64, as `openssl rand -base64 32` makes them.
#[derive(Debug)]
pub struct MasterKey {
    id: String,
    key: DataKey,
}

impl MasterKey {
    /// The master key of these bytes, which are to be random. Its id is 1 to 64 letters, digits, `-`, `_`, `.` and `/`.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) for another id.
    pub fn new(id: &str, bytes: [u8; KEY_BYTES]) -> Result<Self, Error> {
        let key = DataKey::new(bytes);
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if id.is_empty() || id.len() > 64 || !id.chars().all(fits) {
            let what = "reading a master key: its id is 1 to 64 letters, digits, `-`, `_`, `.` and `/`, such as `2026-01`";
            return Err(Error::new(ErrorKind::Config, what));
        }
        Ok(MasterKey { id: id.to_owned(), key })
    }

    /// A new one. It is lost with this process: for tests.
    ///
    /// # Errors
    ///
    /// Of kind [`Randomness`](ErrorKind::Randomness) when the system has none, and as [`new`](Self::new).
    pub fn random(id: &str) -> Result<Self, Error> {
        let key = DataKey::random()?;
        MasterKey::new(id, *key.expose())
    }

    /// Its id, which is stored beside what it has wrapped.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || {
            let what = "reading a master key: write it as `id:key`, with 32 random bytes in base64 (`openssl rand -base64 32`)";
            Error::new(ErrorKind::Config, what)
        };
        let (id, key) = text.split_once(':').ok_or_else(wrong)?;
        // What base64 says of it may have a part of it in it.
        let bytes = Zeroizing::new(STANDARD.decode(key).map_err(|_| wrong())?);
        let bytes = Zeroizing::new(<[u8; KEY_BYTES]>::try_from(&bytes[..]).map_err(|_| wrong())?);
        MasterKey::new(id, *bytes)
    }
}

/// Master keys in this process: the last one wraps, all of them unwrap.
///
/// A master key is replaced so: give the new one behind the old one to every process, run
/// [`Vault::rotate`](crate::Vault::rotate), and take the old one away.
///
/// ```
/// use jitney_privacy::{KeyManagement, MasterKeys};
///
/// let keys = "2025-06:3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8= 2026-01:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// assert_eq!(MasterKeys::parse(keys)?.current(), "2026-01");
/// # Ok::<(), jitney_privacy::Error>(())
/// ```
#[derive(Debug)]
pub struct MasterKeys {
    older: Vec<MasterKey>,
    current: MasterKey,
}

impl MasterKeys {
    /// One master key.
    pub fn new(key: MasterKey) -> Self {
        MasterKeys { older: Vec::new(), current: key }
    }

    /// With `key`, which wraps from now on.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) when one of this id is there.
    pub fn then(mut self, key: MasterKey) -> Result<Self, Error> {
        if self.find(&key.id).is_some() {
            let what =
                format!("reading master keys: two have the id `{}`; give the new one another id", key.id);
            return Err(Error::new(ErrorKind::Config, what));
        }
        self.older.push(std::mem::replace(&mut self.current, key));
        Ok(self)
    }

    /// The keys in `text`, each as `id:key`, parted by white space or commas; the newest is the last one.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) where there is none, or one cannot be read. The message shows no key.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        let first = words
            .next()
            .ok_or_else(|| Error::new(ErrorKind::Config, "reading master keys: there is none"))?;
        words.try_fold(MasterKeys::new(MasterKey::parse(first)?), |keys, word| {
            keys.then(MasterKey::parse(word)?)
        })
    }

    /// The keys in the environment variable `name`, as [`parse`](Self::parse) reads them.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) where it is not set, or as [`parse`](Self::parse).
    pub fn from_env(name: &str) -> Result<Self, Error> {
        let doing = format!("reading the environment variable `{name}`");
        let text = env::var(name).map(Zeroizing::new).map_err(|_| {
            let what = format!("{doing}: it is not set, or no text; set it to `id:key` (`openssl rand -base64 32` makes a key)");
            Error::new(ErrorKind::Config, what)
        })?;
        MasterKeys::parse(&text).map_err(|error| error.while_doing(doing))
    }

    /// The keys in the file at `path`, as [`parse`](Self::parse) reads them.
    ///
    /// # Errors
    ///
    /// Of kind [`Config`](ErrorKind::Config) where it cannot be read, or as [`parse`](Self::parse).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let doing = format!("reading the file `{}`", path.as_ref().display());
        let text = fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
            let what = format!("{doing}: let this user read it, or choose another path");
            Error::new(ErrorKind::Config, what).with_source(error)
        })?;
        MasterKeys::parse(&text).map_err(|error| error.while_doing(doing))
    }

    fn find(&self, id: &str) -> Option<&MasterKey> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id)
    }
}

#[async_trait]
impl KeyManagement for MasterKeys {
    fn current(&self) -> &str {
        &self.current.id
    }

    async fn wrap(&self, subject: &Subject, id: KeyId, key: &DataKey) -> Result<WrappedKey, Error> {
        let master = &self.current;
        let mut bytes = Vec::with_capacity(KEY_BYTES + cipher::ADDED_BYTES);
        let binding = Binding::of_key(subject.as_str(), id, &master.id);
        cipher::seal(&master.key, &binding, key.expose(), &mut bytes)?;
        Ok(WrappedKey { id, master: master.id.clone(), bytes })
    }

    async fn unwrap(&self, subject: &Subject, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        let doing = || format!("unwrapping the key of `{subject}`");
        let master = self.find(&wrapped.master).ok_or_else(|| {
            let what = format!(
                "{}: it was wrapped by master key `{}`, which is not among those given; give it beside the newer ones until \
                 `Vault::rotate` has run",
                doing(),
                wrapped.master
            );
            Error::new(ErrorKind::UnknownMasterKey, what)
        })?;
        let mut bytes = Zeroizing::new(wrapped.bytes.clone());
        let binding = Binding::of_key(subject.as_str(), wrapped.id, &master.id);
        let opened = cipher::open(&master.key, &binding, &mut bytes).ok();
        let key = opened.and_then(|plain| <[u8; KEY_BYTES]>::try_from(plain).ok()).map(DataKey::new);
        key.ok_or_else(|| {
            let what = format!(
                "{}: master key `{}` does not open it; give the master key that this id had when it was wrapped, and look \
                 whether the row was changed",
                doing(),
                wrapped.master
            );
            Error::new(ErrorKind::WrongMasterKey, what)
        })
    }
}

#[cfg(test)]
mod tests;

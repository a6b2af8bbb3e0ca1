//! Pseudonyms: texts that stand for others, and how they are kept.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::key::{DataKey, fill_randomly};
use crate::{Error, ErrorKind, Subject};

/// How every pseudonym begins.
const START: &str = "psn:";

/// What of it is random, in bytes.
const RANDOM_BYTES: usize = 16;

/// What of it is random, in characters.
const RANDOM_CHARS: usize = 22;

/// A random text that stands for another one: `psn:`, the purpose, a colon, and 22 characters that say nothing.
///
/// ```
/// use jitney_privacy::Pseudonym;
///
/// let read: Pseudonym = "psn:analytics:0sDgmyVgTwGpZUl6gJhTHw".parse()?;
/// assert_eq!(read.purpose(), "analytics");
/// assert!("ALFKI".parse::<Pseudonym>().is_err());
/// # Ok::<(), jitney_privacy::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pseudonym {
    text: String,
    purpose_end: usize,
}

impl Pseudonym {
    /// One for `purpose` that nobody else has.
    pub(crate) fn random(purpose: &str) -> Result<Self, Error> {
        let mut bytes = [0; RANDOM_BYTES];
        fill_randomly(&mut bytes)?;
        let text = format!("{START}{purpose}:{}", URL_SAFE_NO_PAD.encode(bytes));
        Ok(Pseudonym { text, purpose_end: START.len() + purpose.len() })
    }

    /// What it is for.
    pub fn purpose(&self) -> &str {
        &self.text[START.len()..self.purpose_end]
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Pseudonym {
    type Err = Error;

    /// # Errors
    ///
    /// Of kind [`Malformed`](ErrorKind::Malformed) for a text that is no pseudonym.
    fn from_str(text: &str) -> Result<Self, Error> {
        let parts = text.strip_prefix(START).and_then(|rest| rest.rsplit_once(':'));
        let is_random = |part: &str| {
            part.len() == RANDOM_CHARS
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        match parts {
            Some((purpose, random)) if is_random(random) => {
                Ok(Pseudonym { text: text.to_owned(), purpose_end: START.len() + purpose.len() })
            }
            // The text may be somebody's name.
            _ => Err(Error::new(
                ErrorKind::Malformed,
                "reading a pseudonym: it does not look like `psn:purpose:…`; give one as it is in an event",
            )),
        }
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// By what a value is looked up among the pseudonyms: a keyed hash, which nobody can guess values by who has not the subject's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ValueHash([u8; 32]);

impl ValueHash {
    /// That of `value`, by HMAC-SHA-256 (RFC 2104, FIPS 180-4) under the key of its subject.
    pub(crate) fn of(key: &DataKey, purpose: &str, value: &str) -> Self {
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(key.expose()).expect("keys of any length are taken");
        for part in ["jitney pseudonym 1", purpose, value] {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part.as_bytes());
        }
        ValueHash(mac.finalize().into_bytes().into())
    }

    /// The one of these bytes, for authors of key stores.
    pub fn new(bytes: [u8; 32]) -> Self {
        ValueHash(bytes)
    }

    /// Its bytes, to be stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A pseudonym as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPseudonym {
    /// The pseudonym.
    pub pseudonym: Pseudonym,
    /// Whom it is about.
    pub subject: Subject,
    /// What it stands for, as a hash.
    pub hash: ValueHash,
    /// What it stands for, sealed with the subject's key.
    pub sealed: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_read_as_it_is_written_and_nothing_else_is_one() {
        let made = Pseudonym::random("analytics").unwrap();
        assert_eq!(made.to_string().parse::<Pseudonym>().unwrap(), made);
        assert_eq!(made.purpose(), "analytics");
        assert_ne!(Pseudonym::random("analytics").unwrap(), made);
        for other in
            ["", "psn:", "psn::", "psn:analytics:0sDgmyVgTwGpZUl6gJhTH", "psn:a:0sDgmyVgTwGpZUl6gJhT w"]
        {
            assert_eq!(other.parse::<Pseudonym>().unwrap_err().kind(), ErrorKind::Malformed, "{other}");
        }
        assert!("psn:a:0sDgmyVgTwGpZUl6gJhTHw".parse::<Pseudonym>().is_ok());
    }

    #[test]
    fn every_part_counts_for_the_hash() {
        let (key, other) = (DataKey::new([1; 32]), DataKey::new([2; 32]));
        let hash = ValueHash::of(&key, "analytics", "ALFKI");
        assert_eq!(hash, ValueHash::of(&key, "analytics", "ALFKI"));
        for different in [
            ValueHash::of(&other, "analytics", "ALFKI"),
            ValueHash::of(&key, "analytic", "sALFKI"),
            ValueHash::of(&key, "analytics", "ANATR"),
        ] {
            assert_ne!(hash, different);
        }
    }
}

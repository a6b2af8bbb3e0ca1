//! The keys of subjects.

use std::fmt;
use std::str::FromStr;

use chacha20poly1305::aead::array::Array;
use zeroize::Zeroizing;

use crate::{Error, ErrorKind};

/// The length of a key, in bytes.
pub const KEY_BYTES: usize = 32;

/// A key that data is sealed with; its bytes are overwritten when it is dropped.
pub struct DataKey(Zeroizing<[u8; KEY_BYTES]>);

impl DataKey {
    /// The key of these bytes, for authors of [`KeyManagement`](crate::KeyManagement).
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        DataKey(Zeroizing::new(bytes))
    }

    /// A key that nobody else has.
    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill_randomly(&mut *bytes)?;
        Ok(DataKey(bytes))
    }

    /// Its bytes: not to be kept, nor shown.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    pub(crate) fn array(&self) -> &Array<u8, chacha20poly1305::consts::U32> {
        self.expose().into()
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// Which of a subject's keys a value is sealed with, by a random number. It is written beside what is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(u64);

impl KeyId {
    pub(crate) fn random() -> Result<Self, Error> {
        let mut bytes = [0; 8];
        fill_randomly(&mut bytes)?;
        Ok(KeyId(u64::from_le_bytes(bytes)))
    }

    /// Its digits.
    pub(crate) fn to_hex(self) -> [u8; 16] {
        std::array::from_fn(|at| b"0123456789abcdef"[(self.0 >> (60 - 4 * at) & 15) as usize])
    }

    pub(crate) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for KeyId {
    type Err = Error;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = (text.len() == 16 && digits(text)).then(|| u64::from_str_radix(text, 16).ok()).flatten();
        number.map(KeyId).ok_or_else(|| {
            let what = "reading the id of a key: it is not 16 digits from 0 to f; look at who wrote it";
            Error::new(ErrorKind::Malformed, what)
        })
    }
}

/// The key of a subject as it is stored: wrapped by a master key.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// Which of the subject's keys it is.
    pub id: KeyId,
    /// The id of the master key that has wrapped it.
    pub master: String,
    /// What the master key has made of it.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKey")
            .field("id", &self.id)
            .field("master", &self.master)
            .finish_non_exhaustive()
    }
}

/// Fills `bytes` from the system's generator, whatever the environment of a test or simulation: keys and nonces repeat nowhere.
pub(crate) fn fill_randomly(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|error| {
        let what = "asking the system for random bytes for a key or a nonce; nothing was sealed, try again";
        Error::new(ErrorKind::Randomness, what).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_way() {
        let id = KeyId::random().unwrap();
        assert_eq!(id.to_string().parse::<KeyId>().unwrap(), id);
        assert_eq!(id.to_string().as_bytes(), id.to_hex());
        for wrong in
            ["", "1", "000000000000000G", "00000000000000AB", "+000000000000001", "0000000000000000f"]
        {
            assert_eq!(wrong.parse::<KeyId>().unwrap_err().kind(), ErrorKind::Malformed, "{wrong}");
        }
    }

    #[test]
    fn no_debug_shows_a_key() {
        assert_eq!(format!("{:?}", DataKey::new([7; KEY_BYTES])), "DataKey(…)");
        let wrapped = WrappedKey { id: KeyId(1), master: "m".to_owned(), bytes: vec![77; 4] };
        assert!(!format!("{wrapped:?}").contains("77"));
    }
}

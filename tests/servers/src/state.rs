//! What is written down about a server when it is made, so that every later process finds it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;

use crate::error::Error;
use crate::kind::Kind;
use crate::place;
use crate::ports;

const FILE: &str = "state";

/// What cannot be seen from the processes alone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct State {
    /// What it runs in.
    pub(crate) kind: Kind,
    /// The id that tells it from every other server of its sort: new for each that is made.
    pub(crate) id: String,
    /// The first port of all servers when it was made.
    pub(crate) port_base: u16,
}

impl State {
    /// The state of a server that is made now.
    pub(crate) fn new(kind: Kind) -> Result<Self, Error> {
        Ok(Self { kind, id: new_id(), port_base: ports::base()? })
    }

    /// The state of the server in `folder`, if there is one.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        let Some(text) = place::read(&path)? else { return Ok(None) };
        let damaged = || Error::Setting {
            name: path.display().to_string(),
            why: "it is not as it was written; end what runs there and remove the folder".to_owned(),
        };
        parse(&text).map(Some).ok_or_else(damaged)
    }

    /// Writes the state of the server in `folder`: from now on it exists.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let Self { kind, id, port_base } = self;
        place::write(&folder.join(FILE), &format!("{kind} {id} {port_base}\n"))
    }

    /// Forgets the server in `folder`.
    pub(crate) fn remove(folder: &Path) -> Result<(), Error> {
        place::remove_file(&folder.join(FILE))
    }
}

/// A new id: 22 letters and digits that read as 16 bytes in base 64.
pub(crate) fn new_id() -> String {
    const DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let random = RandomState::new();
    let mut id: String = (0_u64..21)
        .map(|place| {
            let mut hasher = random.build_hasher();
            hasher.write_u64(place);
            char::from(DIGITS[(hasher.finish() % DIGITS.len() as u64) as usize])
        })
        .collect();
    // The last digit stands for two bits only.
    id.push('A');
    id
}

fn parse(text: &str) -> Option<State> {
    let mut words = text.split_whitespace();
    let kind = Kind::from_name(words.next()?)?;
    let id = words.next()?.to_owned();
    Some(State { kind, id, port_base: words.next()?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_can_be_forgotten() {
        let folder = place::tests::empty("state");
        assert_eq!(State::read(&folder).unwrap(), None);
        let state = State { kind: Kind::Packages, id: "abc".into(), port_base: 29092 };
        state.write(&folder).unwrap();
        assert_eq!(State::read(&folder).unwrap(), Some(state));
        State::remove(&folder).unwrap();
        assert_eq!(State::read(&folder).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let folder = place::tests::empty("state-damaged");
        place::write(&folder.join(FILE), "packages abc").unwrap();
        let error = State::read(&folder).unwrap_err().to_string();
        assert!(error.contains("state-damaged/state"), "{error}");
    }

    #[test]
    fn ids_differ_and_are_22_digits_long() {
        let (one, two) = (new_id(), new_id());
        assert_ne!(one, two);
        assert_eq!(one.len(), 22);
    }
}

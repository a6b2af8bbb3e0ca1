//! XChaCha20-Poly1305, as values and keys are sealed by it: nonce, what is sealed, tag.

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use jitney_core::personal::{Item, Place};

use crate::Error;
use crate::key::{DataKey, KeyId, fill_randomly};

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// How much longer a text is when it is sealed.
pub(crate) const ADDED_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// It does not open: the key is another one, or it was changed, or it is not where it was sealed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DoesNotOpen;

/// What a sealed text is bound to. Each part goes with its length, so that no two lists of parts are the same bytes.
#[derive(Default)]
pub(crate) struct Binding(Vec<u8>);

impl Binding {
    /// That of a value.
    pub(crate) fn of_value(&mut self, place: Place<'_>, path: &str, subject: &str, key: KeyId) {
        self.0.clear();
        self.add("jitney personal value 1").add(place.aggregate_type).add(place.aggregate_id);
        match place.item {
            Item::Event(id) => id.with_str(|id| {
                self.add("event").add(id);
            }),
            Item::State(name) => {
                self.add("state").add(name);
            }
        }
        self.add(path).add(subject).add_bytes(&key.to_bytes());
    }

    /// That of a subject's key.
    pub(crate) fn of_key(subject: &str, key: KeyId, master: &str) -> Vec<u8> {
        let mut this = Binding::default();
        this.add("jitney data key 1").add(subject).add_bytes(&key.to_bytes()).add(master);
        this.0
    }

    /// That of what a pseudonym stands for.
    pub(crate) fn of_pseudonym(pseudonym: &str, subject: &str, key: KeyId) -> Vec<u8> {
        let mut this = Binding::default();
        this.add("jitney pseudonym 1").add(pseudonym).add(subject).add_bytes(&key.to_bytes());
        this.0
    }

    fn add(&mut self, part: &str) -> &mut Self {
        self.add_bytes(part.as_bytes())
    }

    fn add_bytes(&mut self, part: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends what `key` makes of `plain` to `out`, which is bound to `binding`.
pub(crate) fn seal(key: &DataKey, binding: &[u8], plain: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    let mut nonce = XNonce::default();
    fill_randomly(&mut nonce)?;
    out.reserve(plain.len() + ADDED_BYTES);
    out.extend_from_slice(&nonce);
    let start = out.len();
    out.extend_from_slice(plain);
    let tag = XChaCha20Poly1305::new(key.array())
        .encrypt_inout_detached(&nonce, binding, (&mut out[start..]).into())
        .expect("what fits into memory is shorter than the 256 GiB that this cipher takes");
    out.extend_from_slice(&tag);
    Ok(())
}

/// What was sealed, in its place in `sealed`.
pub(crate) fn open<'a>(key: &DataKey, binding: &[u8], sealed: &'a mut [u8]) -> Result<&'a [u8], DoesNotOpen> {
    let (nonce, rest) = sealed.split_at_mut_checked(NONCE_BYTES).ok_or(DoesNotOpen)?;
    let length = rest.len().checked_sub(TAG_BYTES).ok_or(DoesNotOpen)?;
    let (text, tag) = rest.split_at_mut(length);
    let nonce = XNonce::try_from(&*nonce).map_err(|_| DoesNotOpen)?;
    let tag = Tag::try_from(&*tag).map_err(|_| DoesNotOpen)?;
    let cipher = XChaCha20Poly1305::new(key.array());
    cipher.decrypt_inout_detached(&nonce, binding, (&mut *text).into(), &tag).map_err(|_| DoesNotOpen)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use jitney_core::Id;

    use super::*;

    fn binding(place: Place<'_>, path: &str, subject: &str, key: KeyId) -> Vec<u8> {
        let mut binding = Binding::default();
        binding.of_value(place, path, subject, key);
        binding.0
    }

    #[test]
    fn every_part_of_the_place_counts() {
        let (one, two, key) = (Id::from("1"), Id::from("2"), KeyId::random().unwrap());
        let place = |aggregate_type, aggregate_id, item| Place { aggregate_type, aggregate_id, item };
        let first = place("Customer", "1", Item::Event(&one));
        let bindings = [
            binding(first, "/name", "s", key),
            binding(place("Customer1", "", Item::Event(&one)), "/name", "s", key),
            binding(place("Customer", "2", Item::Event(&one)), "/name", "s", key),
            binding(place("Customer", "1", Item::Event(&two)), "/name", "s", key),
            binding(place("Customer", "1", Item::State("1")), "/name", "s", key),
            binding(first, "/phone", "s", key),
            binding(first, "/names", "", key),
            binding(first, "/name", "t", key),
            binding(first, "/name", "s", KeyId::random().unwrap()),
            Binding::of_key("s", key, "m"),
            Binding::of_key("s", key, "n"),
            Binding::of_pseudonym("m", "s", key),
            Binding::of_pseudonym("n", "s", key),
        ];
        let distinct: std::collections::HashSet<_> = bindings.iter().collect();
        assert_eq!(distinct.len(), bindings.len());
    }

    #[test]
    fn nothing_opens_but_what_was_sealed_under_the_same_binding() {
        let key = DataKey::random().unwrap();
        let (mut one, mut again) = (Vec::new(), Vec::new());
        seal(&key, b"here", b"plain", &mut one).unwrap();
        seal(&key, b"here", b"plain", &mut again).unwrap();
        assert_ne!(one, again, "a nonce was used twice");
        assert!(!one.windows(5).any(|part| part == b"plain"));
        assert_eq!(open(&key, b"here", &mut one.clone()), Ok(&b"plain"[..]));
        assert_eq!(open(&key, b"there", &mut one.clone()), Err(DoesNotOpen));
        assert_eq!(open(&DataKey::random().unwrap(), b"here", &mut one.clone()), Err(DoesNotOpen));
        for at in 0..one.len() {
            let mut changed = one.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"here", &mut changed), Err(DoesNotOpen), "byte {at}");
            assert_eq!(open(&key, b"here", &mut one[..at].to_vec()), Err(DoesNotOpen), "{at} bytes");
        }
    }
}

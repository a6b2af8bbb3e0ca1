//! Personal data on its way into storage and out of it: the seam between what serializes events and what seals them.
//!
//! A personal value writes itself only inside [`collect`], where whoever serializes has promised to seal what comes out:
//! everywhere else its serialization is an error, so that no plain text leaves the process by an oversight. What seals
//! it is a [`Sealer`], such as the vault of `jitney::privacy`.
//!
//! A payload has a personal value as `{"$personal":{"subject":…,"value":…}}` inside the process, and as
//! `{"$sealed":{"subject":…,…}}` everywhere else: in topics, queues, tables, files, dead letters and logs.
//!
//! ```
//! use jitney_core::personal::{NotCollected, collect, meet};
//!
//! # fn main() {
//! assert!(meet().is_err(), "nobody seals what is written here");
//! let (written, met) = collect(|| meet().map(|()| "a personal value"));
//! assert_eq!((written, met), (Ok("a personal value"), 1));
//! # }
//! ```

use std::cell::Cell;
use std::error::Error as StdError;
use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use bytes::Bytes;
use memchr::memmem::{self, Finder};

use crate::{Error, Head, Id};

/// The one field of a personal value that is open, or erased.
pub const OPEN: &str = "$personal";

/// The one field of a personal value that is sealed.
pub const SEALED: &str = "$sealed";

static OPEN_NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""$personal""#));

static SEALED_NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""$sealed""#));

/// Whether `json` has an object under the name of values that are open or erased. The same text as a value is none: somebody may
/// have typed it.
pub fn has_open(json: &[u8]) -> bool {
    names_an_object(&OPEN_NAME, json)
}

/// Whether `json` has an object under the name of values that are sealed.
pub fn has_sealed(json: &[u8]) -> bool {
    names_an_object(&SEALED_NAME, json)
}

fn names_an_object(name: &Finder<'static>, json: &[u8]) -> bool {
    name.find_iter(json).any(|start| {
        let behind = json[start + name.needle().len()..].trim_ascii_start();
        behind.strip_prefix(b":").is_some_and(|value| value.trim_ascii_start().starts_with(b"{"))
    })
}

/// How an open or an erased value begins, as [serde_json] writes it. In a text it would be escaped.
const OPEN_START: &[u8] = br#"{"$personal":"#;

/// How a value names its subject, as [serde_json] writes it: what to look for in states that hold values of `subject`.
pub fn mention_of(subject: &str) -> String {
    format!("\"subject\":{}", serde_json::Value::from(subject))
}

/// Whether anything in this process seals and opens.
static IN_USE: AtomicBool = AtomicBool::new(false);

/// From here on, this process has open values: what is published where nothing seals is looked at.
pub fn set_in_use() {
    IN_USE.store(true, Ordering::Relaxed);
}

/// Whether `json` has an open value, in a process that opens any: a look that costs others nothing.
pub(crate) fn leaks(json: &[u8]) -> bool {
    IN_USE.load(Ordering::Relaxed) && has_open(json)
}

thread_local! {
    static MET: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Lets personal values be written while `write` runs, on this thread. Answers what it answers, and how many there were:
/// with none there is nothing to seal.
///
/// Whoever calls this seals what was written before anybody else sees it.
pub fn collect<R>(write: impl FnOnce() -> R) -> (R, usize) {
    struct Restore(Option<usize>);
    impl Drop for Restore {
        fn drop(&mut self) {
            MET.set(self.0);
        }
    }
    let _outer = Restore(MET.replace(Some(0)));
    let written = write();
    (written, MET.get().unwrap_or_default())
}

/// A personal value is about to write itself.
///
/// # Errors
///
/// Outside of [`collect`]: it is not to be written then.
pub fn meet() -> Result<(), NotCollected> {
    let met = MET.get().ok_or(NotCollected)?;
    MET.set(Some(met + 1));
    Ok(())
}

/// How many open or erased values `payload` has where whoever seals it can see them. A value that was written into a text
/// inside the payload, or flattened among other fields, is not seen.
pub fn visible(payload: &[u8]) -> usize {
    memmem::find_iter(payload, OPEN_START).count()
}

/// Checks that each of the values that [`collect`] has met can be seen in what was written.
///
/// # Errors
///
/// Where one of them hides: the payload is to be dropped, as nobody would seal it.
pub fn check_visible(payload: &[u8], met: usize) -> Result<(), Hidden> {
    match met == 0 || visible(payload) >= met {
        true => Ok(()),
        false => Err(Hidden),
    }
}

/// Has `write` write a payload that is sealed before anybody else sees it.
///
/// # Errors
///
/// That of `write`; and [`Hidden`] where a value was written that could not be sealed.
pub fn written<E: Into<Box<dyn StdError + Send + Sync>>>(
    out: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), Box<dyn StdError + Send + Sync>> {
    let start = out.len();
    let (done, met) = collect(|| write(out));
    done.map_err(Into::into)?;
    Ok(check_visible(&out[start..], met)?)
}

/// A personal value was written where it cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hidden;

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "personal data was written where it cannot be sealed: inside a text, such as JSON in a field, or flattened among \
             other fields; give it a field of its own",
        )
    }
}

impl std::error::Error for Hidden {}

/// A personal value was to be written where nobody seals it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCollected;

impl fmt::Display for NotCollected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "personal data is written only where it is sealed: give the bus, or the store, what seals it (a vault of \
             `jitney::privacy`); and show it elsewhere by its own methods",
        )
    }
}

impl std::error::Error for NotCollected {}

/// A payload as `Debug` output shows it: as it is, unless it may have open values.
///
/// ```
/// use jitney_core::personal::Shown;
///
/// let open = br#"{"name":{"$personal":{"subject":"c-7","value":"Maria Anders"}}}"#;
/// assert_eq!(format!("{:?}", Shown(open)), "63 bytes with personal data");
/// assert_eq!(format!("{:?}", Shown(b"{}")), r#"b"{}""#);
/// ```
#[derive(Clone, Copy)]
pub struct Shown<'a>(pub &'a [u8]);

impl Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match has_open(self.0) {
            true => write!(f, "{} bytes with personal data", self.0.len()),
            // As `Bytes` shows itself.
            false => write!(f, "b\"{}\"", self.0.escape_ascii()),
        }
    }
}

/// What may be told of `error`, which reading `json` has led to: all of it, unless `json` may have open values, which such errors
/// like to quote. Then it is only where in the text it was.
pub fn tellable(
    json: &[u8],
    error: impl Into<Box<dyn StdError + Send + Sync>>,
) -> Box<dyn StdError + Send + Sync> {
    let error = error.into();
    if !has_open(json) {
        return error;
    }
    const HIDDEN: &str = "what is wrong is not told, since there is personal data in it";
    match error.downcast_ref::<serde_json::Error>() {
        Some(error) if error.line() > 0 => {
            format!("{HIDDEN}; it is at line {} column {}", error.line(), error.column()).into()
        }
        _ => HIDDEN.into(),
    }
}

/// Where a payload is kept. A sealed value opens there and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The type of the aggregate.
    pub aggregate_type: &'a str,
    /// The id of the aggregate.
    pub aggregate_id: &'a str,
    /// What of the aggregate it is.
    pub item: Item<'a>,
}

/// What is kept of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item<'a> {
    /// The event of this id.
    Event(&'a Id),
    /// A state, by a name that no other state of the aggregate has.
    State(&'a str),
}

impl<'a> Place<'a> {
    /// The payload of the event of `head`.
    pub fn of_event(head: &'a Head) -> Self {
        Place::event(&head.aggregate_type, &head.aggregate_id, &head.event_id)
    }

    /// The payload of the event `event_id` of an aggregate.
    pub fn event(aggregate_type: &'a str, aggregate_id: &'a str, event_id: &'a Id) -> Self {
        Place { aggregate_type, aggregate_id, item: Item::Event(event_id) }
    }

    /// The state `name` of an aggregate.
    pub fn state(aggregate_type: &'a str, aggregate_id: &'a str, name: &'a str) -> Self {
        Place { aggregate_type, aggregate_id, item: Item::State(name) }
    }
}

/// Seals the personal values of payloads, and opens them.
#[async_trait]
pub trait Sealer: Debug + Send + Sync + 'static {
    /// Seals each open value of `payload`, which is JSON text. What is sealed or erased already stays as it is.
    ///
    /// # Errors
    ///
    /// When a key cannot be had: retryable where its store did not answer. Nothing of the payload may be stored then.
    ///
    /// # Cancellation
    ///
    /// A key may have been made; it is used next time.
    async fn seal(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, Error>;

    /// Opens each sealed value of `payload`. One whose subject is forgotten is erased.
    ///
    /// # Errors
    ///
    /// When a key cannot be had, retryable where its store did not answer; and for good when a sealed value was changed, or
    /// comes from another place.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost when the future is dropped.
    async fn open(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, Error>;
}

/// One that is shared.
#[async_trait]
impl<S: Sealer + ?Sized> Sealer for Arc<S> {
    async fn seal(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, Error> {
        S::seal(self, place, payload).await
    }

    async fn open(&self, place: Place<'_>, payload: Bytes) -> Result<Bytes, Error> {
        S::open(self, place, payload).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_names_alone() {
        assert!(has_open(br#"{"a":{"$personal":{}}}"#) && !has_sealed(br#"{"a":{"$personal":{}}}"#));
        assert!(has_sealed(br#"{"a":{"$sealed":{}}}"#) && !has_open(br#"{"a":{"$sealed":{}}}"#));
        let said = serde_json::to_vec(&serde_json::json!({"text": "\"$personal\" and \"$sealed\""})).unwrap();
        assert!(!has_open(&said) && !has_sealed(&said));
    }

    #[test]
    fn what_is_wrong_with_a_personal_value_is_not_told() {
        let open = br#"{"age":{"$personal":{"subject":"c-7","value":"Maria Anders"}}}"#;
        type Wrong = std::collections::HashMap<String, std::collections::HashMap<String, Ages>>;
        #[derive(serde::Deserialize)]
        struct Ages {
            #[serde(rename = "value")]
            _value: u64,
        }
        let wrong = serde_json::from_slice::<Wrong>(open).err().unwrap();
        assert!(wrong.to_string().contains("Maria"), "serde quotes it: {wrong}");
        let told = tellable(open, wrong).to_string();
        assert!(!told.contains("Maria") && told.contains("line 1 column"), "{told}");
        let harmless = serde_json::from_str::<u64>("\"x\"").unwrap_err();
        assert!(tellable(b"\"x\"", harmless).to_string().contains("invalid type"));
    }

    #[test]
    fn values_are_counted_inside_and_refused_outside() {
        let inner = collect(|| (meet(), collect(|| (meet(), meet())).1));
        assert_eq!(inner, ((Ok(()), 2), 1));
        assert_eq!(meet(), Err(NotCollected));
    }

    #[test]
    fn a_value_hides_in_a_text_and_among_other_fields() {
        let value = r#"{"$personal":{"subject":"s","value":1}}"#;
        let seen = format!("{{\"a\":{value},\"b\":[{value}]}}");
        assert_eq!(check_visible(seen.as_bytes(), 2), Ok(()));
        assert_eq!(check_visible(b"{}", 0), Ok(()));
        let text = serde_json::to_string(&[value]).expect("a text is JSON");
        assert_eq!(check_visible(text.as_bytes(), 1), Err(Hidden));
        let flattened = format!("{{\"a\":1,{}", &value[1..]);
        assert_eq!(check_visible(flattened.as_bytes(), 1), Err(Hidden));
    }

    #[test]
    fn a_name_is_one_where_an_object_is_behind_it() {
        for open in [
            r#"{"a":{"$personal":{"subject":"c"}}}"#,
            "{ \"$personal\" :\n { } }",
            r#"["$personal",{"$personal":{}}]"#,
        ] {
            assert!(has_open(open.as_bytes()), "{open}");
        }
        for other in [
            r#"{"comment":"$personal"}"#,
            r#"["$personal"]"#,
            r#"{"$personal":"c"}"#,
            r#"{"$personal""#,
            r#""$sealed""#,
        ] {
            assert!(!has_open(other.as_bytes()) && !has_sealed(other.as_bytes()), "{other}");
        }
        assert!(has_sealed(br#"{"$sealed":{"data":"b"}}"#));
    }

    #[test]
    fn a_panic_inside_leaves_it_closed() {
        let panicked = std::panic::catch_unwind(|| collect(|| panic!("on the way")));
        assert!(panicked.is_err());
        assert_eq!(meet(), Err(NotCollected));
    }
}

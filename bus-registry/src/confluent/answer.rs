//! What a registry answers, as it is on the wire.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::format_named;
use crate::limits::check_schema;
use crate::{Error, ErrorKind, Schema};

/// So much of an answer is shown in an error.
const SHOWN: usize = 300;

/// The registry's own codes for what it does not have; a proxy's are others.
const NOT_FOUND: std::ops::RangeInclusive<u32> = 40401..=40499;

/// The status and the body of an answer, with what was asked.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) doing: String,
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// An error in a registry's words.
#[derive(Debug, Deserialize)]
struct Complaint {
    error_code: u32,
    #[serde(default)]
    message: Option<String>,
}

/// An id.
#[derive(Debug, Deserialize)]
pub(super) struct Identified {
    pub(super) id: u32,
}

/// A schema.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde::de::IgnoredAny>,
}

/// A version of a subject.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) id: u32,
    pub(super) version: u32,
    #[serde(flatten)]
    pub(super) kept: Kept,
}

/// Whether a schema is compatible.
#[derive(Debug, Deserialize)]
pub(super) struct Checked {
    pub(super) is_compatible: bool,
    #[serde(default)]
    pub(super) messages: Vec<String>,
}

impl Answer {
    /// This answer, unless it is one of the complaints `codes`.
    pub(super) fn unless(self, codes: &[u32]) -> Option<Self> {
        let complaint = self.complaint();
        let is_one = complaint.is_some_and(|complaint| codes.contains(&complaint.error_code));
        (!is_one).then_some(self)
    }

    /// The answer as a `T`, or as the error that it is.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        if !(200..300).contains(&self.status) {
            return Err(self.refusal());
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            let what = format!(
                "{}: the answer is not one of a schema registry; check that its URL has the path of the API that is \
                 compatible with Confluent's: {}",
                self.doing,
                self.shown()
            );
            Error::new(ErrorKind::Nonsense, what).with_source(error)
        })
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        self.status == 429 || self.status >= 500
    }

    fn refusal(&self) -> Error {
        let Answer { doing, status, .. } = self;
        let Some(Complaint { error_code, message }) = self.complaint() else {
            let kind = match status {
                401 | 403 => ErrorKind::Unauthorized,
                429 | 500.. => ErrorKind::Unavailable,
                _ => ErrorKind::Nonsense,
            };
            return Error::new(kind, format!("{doing}: status {status}, {}", self.shown()));
        };
        let message = message.map_or_else(|| "without a word".to_owned(), |message| cut(&message));
        let kind = match status {
            401 | 403 => ErrorKind::Unauthorized,
            404 if NOT_FOUND.contains(&error_code) => ErrorKind::NotFound,
            404 => ErrorKind::Nonsense,
            409 => ErrorKind::Incompatible,
            _ if self.is_passing() => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        Error::new(kind, format!("{doing}: the registry says {error_code}, {message}"))
    }

    fn complaint(&self) -> Option<Complaint> {
        if (200..300).contains(&self.status) {
            return None;
        }
        serde_json::from_slice(&self.body).ok()
    }

    fn shown(&self) -> String {
        format!("it says `{}`", cut(&String::from_utf8_lossy(&self.body)))
    }
}

/// As much of `text` as is shown.
pub(super) fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

impl Kept {
    /// The schema, which was got by `doing`.
    pub(super) fn schema(self, doing: &str) -> Result<Schema, Error> {
        let format = format_named(self.schema_type.as_deref(), doing)?;
        if !self.references.is_empty() {
            let what = format!(
                "{doing}: it refers to other schemas of the registry, which are not read; put them into it"
            );
            return Err(Error::new(ErrorKind::InvalidSchema, what));
        }
        check_schema(&self.schema, "the schema")
            .map_err(|error| Error::new(error.kind(), format!("{doing}: {error}")))?;
        Ok(Schema { format, text: self.schema })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { doing: "asking".to_owned(), status, body: body.into() }
    }

    #[test]
    fn each_refusal_is_an_error_of_its_own_kind_in_the_registrys_words() {
        for (status, body, kind, words) in [
            (404, r#"{"error_code":40403,"message":"no such"}"#, ErrorKind::NotFound, "40403, no such"),
            (409, r#"{"error_code":409,"message":"not so"}"#, ErrorKind::Incompatible, "409, not so"),
            (422, r#"{"error_code":42201,"message":"none"}"#, ErrorKind::Refused, "42201, none"),
            (500, r#"{"error_code":50001}"#, ErrorKind::Unavailable, "50001, without a word"),
            (503, "<html>later</html>", ErrorKind::Unavailable, "status 503, it says `<html>later</html>`"),
            (401, "", ErrorKind::Unauthorized, "status 401"),
            (404, "<html>", ErrorKind::Nonsense, "status 404"),
            (404, r#"{"error_code":404,"message":"no page"}"#, ErrorKind::Nonsense, "404, no page"),
            (200, "<html>", ErrorKind::Nonsense, "check that its URL"),
            (200, r#"{"id":"seven"}"#, ErrorKind::Nonsense, "check that its URL"),
            (200, r#"{"id":-7}"#, ErrorKind::Nonsense, "check that its URL"),
        ] {
            let error = answer(status, body).read::<Identified>().unwrap_err();
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn what_an_error_shows_of_an_answer_is_bounded() {
        let long = "é".repeat(100_000);
        for answer in [
            answer(200, &long),
            answer(502, &long),
            answer(422, &format!(r#"{{"error_code":42201,"message":"{long}"}}"#)),
        ] {
            let error = answer.read::<Identified>().unwrap_err();
            assert!(error.to_string().len() < 1000, "{error}");
        }
    }

    #[test]
    fn a_schema_that_cannot_be_read_says_why() {
        let kept = |text: &str| answer(200, text).read::<Kept>().unwrap().schema("asking");
        assert_eq!(kept(r#"{"schema":"\"int\""}"#).unwrap(), Schema::new(crate::Format::Avro, "\"int\""));
        let error = kept(r#"{"schema":"{}","schemaType":"XSD"}"#).unwrap_err();
        assert_eq!((error.kind(), error.to_string().contains("`XSD`")), (ErrorKind::InvalidSchema, true));
        let error =
            kept(r#"{"schema":"{}","references":[{"name":"a","subject":"a","version":1}]}"#).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().contains("refers to other")),
            (ErrorKind::InvalidSchema, true)
        );
    }
}

//! The client of registries that speak Confluent's protocol.

mod answer;
mod http;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Env;
use jitney_core::middleware::RetryPolicy;
use serde::Serialize;

use crate::{
    Compatibility, Error, ErrorKind, Format, RegisteredSchema, Schema, SchemaRegistry, SchemaVersion, Verdict,
};
use answer::{Checked, Found, Identified, Kept, cut};
use http::{Http, Method};

/// The registry's code for a schema that is not a version of a subject.
const NO_SUBJECT: u32 = 40_401;
const NO_VERSION: u32 = 40_402;
const NO_SCHEMA: u32 = 40_403;

/// A registry that speaks Confluent's protocol by HTTP: Confluent's own, Apicurio (`…/apis/ccompat/v7`), Karapace, Redpanda.
///
/// An answer that does not come in time, a connection that fails, and the statuses 429 and 5xx are tried again, with growing
/// delays; whatever else the registry says is final. Connections are kept and shared. Answers larger than 4 MiB are refused.
pub struct ConfluentRegistry {
    http: Http,
}

/// Makes a [`ConfluentRegistry`].
#[derive(Clone)]
#[must_use]
pub struct ConfluentRegistryBuilder {
    url: String,
    login: Option<(String, String)>,
    limit: Duration,
    retry: RetryPolicy,
    env: Env,
}

impl ConfluentRegistry {
    /// The registry at `url`: `http://` or `https://`, with the path that its API is under.
    ///
    /// # Errors
    ///
    /// When `url` is none.
    pub fn at(url: &str) -> Result<Self, Error> {
        ConfluentRegistry::builder(url).build()
    }

    /// The registry at `url`, with settings. The URL may have a user and a password, percent-encoded.
    pub fn builder(url: &str) -> ConfluentRegistryBuilder {
        ConfluentRegistryBuilder {
            url: url.to_owned(),
            login: None,
            limit: Duration::from_secs(10),
            retry: RetryPolicy::attempts(4).between(Duration::from_millis(200), Duration::from_secs(2)),
            env: Env::system(),
        }
    }
}

impl ConfluentRegistryBuilder {
    /// As the user `user`, by basic authentication.
    pub fn basic_auth(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// With so long for each attempt at a request; 10 seconds otherwise.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// With so many attempts at each request; 4 otherwise, 200 ms and more apart.
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// In another environment than the system's.
    pub fn env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// The client, which has not connected yet.
    ///
    /// # Errors
    ///
    /// When the URL is none, or it is one of `https` and the system has no certificates.
    pub fn build(self) -> Result<ConfluentRegistry, Error> {
        let ConfluentRegistryBuilder { url, login, limit, retry, env } = self;
        Ok(ConfluentRegistry { http: Http::new(&url, login, limit, retry, env)? })
    }
}

/// A schema as a request has it. Registries take one without a type for Avro.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked<'a> {
    schema_type: &'static str,
    schema: &'a str,
}

#[derive(Serialize)]
struct Rule {
    compatibility: &'static str,
}

impl<'a> From<&'a Schema> for Asked<'a> {
    fn from(schema: &'a Schema) -> Self {
        let schema_type = match schema.format {
            Format::Json => "JSON",
            Format::Avro => "AVRO",
            Format::Protobuf => "PROTOBUF",
        };
        Asked { schema_type, schema: &schema.text }
    }
}

#[async_trait]
impl SchemaRegistry for ConfluentRegistry {
    fn describe(&self) -> String {
        self.http.describe()
    }

    async fn register(&self, subject: &str, schema: &Schema) -> Result<u32, Error> {
        let doing = format!("registering a schema under `{subject}`");
        let path = format!("/subjects/{}/versions", encoded(subject));
        let answer = self.http.ask(&doing, Method::POST, &path, Some(&Asked::from(schema))).await?;
        Ok(answer.read::<Identified>()?.id)
    }

    async fn find(&self, subject: &str, schema: &Schema) -> Result<Option<u32>, Error> {
        let doing = format!("looking a schema up under `{subject}`");
        let path = format!("/subjects/{}", encoded(subject));
        let answer = self.http.ask(&doing, Method::POST, &path, Some(&Asked::from(schema))).await?;
        match answer.unless(&[NO_SUBJECT, NO_SCHEMA]) {
            Some(answer) => Ok(Some(answer.read::<Identified>()?.id)),
            None => Ok(None),
        }
    }

    async fn by_id(&self, id: u32) -> Result<Schema, Error> {
        let doing = format!("looking up the schema {id}");
        let path = format!("/schemas/ids/{id}");
        let answer = self.http.ask(&doing, Method::GET, &path, None::<&()>).await?;
        answer.read::<Kept>()?.schema(&doing)
    }

    async fn version(
        &self,
        subject: &str,
        version: SchemaVersion,
    ) -> Result<Option<RegisteredSchema>, Error> {
        let version = match version {
            SchemaVersion::Latest => "latest".to_owned(),
            SchemaVersion::Number(number) => number.to_string(),
        };
        let doing = format!("looking up version {version} of `{subject}`");
        let path = format!("/subjects/{}/versions/{version}", encoded(subject));
        let answer = self.http.ask(&doing, Method::GET, &path, None::<&()>).await?;
        let Some(answer) = answer.unless(&[NO_SUBJECT, NO_VERSION]) else { return Ok(None) };
        let Found { id, version, kept } = answer.read()?;
        Ok(Some(RegisteredSchema { id, version, schema: kept.schema(&doing)? }))
    }

    async fn check(&self, subject: &str, schema: &Schema) -> Result<Verdict, Error> {
        let doing = format!("checking a schema against those of `{subject}`");
        let path = format!("/compatibility/subjects/{}/versions/latest?verbose=true", encoded(subject));
        let answer = self.http.ask(&doing, Method::POST, &path, Some(&Asked::from(schema))).await?;
        // With nothing before it, everything may come.
        let Some(answer) = answer.unless(&[NO_SUBJECT, NO_VERSION]) else { return Ok(Verdict::Compatible) };
        Ok(match answer.read()? {
            Checked { is_compatible: true, .. } => Verdict::Compatible,
            Checked { is_compatible: false, messages } => {
                Verdict::Incompatible(messages.iter().map(|message| cut(message)).collect())
            }
        })
    }

    async fn set_rule(&self, subject: &str, rule: Compatibility) -> Result<(), Error> {
        let doing = format!("setting the rule of `{subject}`");
        let path = format!("/config/{}", encoded(subject));
        let rule = Rule { compatibility: rule.name() };
        let answer = self.http.ask(&doing, Method::PUT, &path, Some(&rule)).await?;
        answer.read::<serde::de::IgnoredAny>().map(drop)
    }
}

impl fmt::Debug for ConfluentRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfluentRegistry").field("url", &self.http.describe()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ConfluentRegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfluentRegistryBuilder").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// `text` as one segment of a path.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The format that a registry calls `name`; none is Avro.
fn format_named(name: Option<&str>, doing: &str) -> Result<Format, Error> {
    match name {
        None | Some("AVRO") => Ok(Format::Avro),
        Some("JSON") => Ok(Format::Json),
        Some("PROTOBUF") => Ok(Format::Protobuf),
        Some(other) => {
            let what =
                format!("{doing}: it is of the type `{other}`, and only JSON, AVRO and PROTOBUF are read");
            Err(Error::new(ErrorKind::InvalidSchema, what))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_one_segment_of_a_path() {
        assert_eq!(encoded("Order-events.v1_~"), "Order-events.v1_~");
        assert_eq!(encoded("a/b c?ü"), "a%2Fb%20c%3F%C3%BC");
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_its_password() {
        for url in [
            "",
            "registry:8081",
            "ftp://one",
            "http://",
            "http://user:secret@",
            "http://user:12/secret@host/api",
        ] {
            let error = ConfluentRegistry::at(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{url}");
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn nothing_shows_the_password() {
        let registry = ConfluentRegistry::at("http://user:secret@127.0.0.1:9/api/").unwrap();
        assert_eq!(registry.describe(), "http://127.0.0.1:9/api");
        let builder = ConfluentRegistry::builder("http://user:secret@one").basic_auth("user", "secret");
        for text in [format!("{registry:?}"), format!("{builder:?}")] {
            assert!(!text.contains("secret"), "{text}");
        }
    }
}

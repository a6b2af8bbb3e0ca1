//! Requests by HTTP, with a limit of time and further attempts.

use std::error::Error as StdError;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jitney_core::Env;
use jitney_core::middleware::RetryPolicy;
use jitney_core::url::percent_decoded;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;

use super::answer::Answer;
use crate::{Error, ErrorKind};

pub(super) use hyper::Method;

/// The most bytes of an answer: a schema of the largest size, with its escapes, and some room.
const LONGEST_ANSWER: usize = 4 << 20;

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// A client for the paths below one URL.
#[derive(Clone)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Without a user, and without a slash at its end.
    base: String,
    authorization: Option<HeaderValue>,
    limit: Duration,
    retry: RetryPolicy,
    env: Env,
}

impl Http {
    pub(super) fn new(
        url: &str,
        login: Option<(String, String)>,
        limit: Duration,
        retry: RetryPolicy,
        env: Env,
    ) -> Result<Self, Error> {
        let (base, in_url) = parts(url)?;
        let authorization = login.or(in_url).map(|(user, password)| {
            let encoded = BASE64.encode(format!("{user}:{password}"));
            let mut value =
                HeaderValue::try_from(format!("Basic {encoded}")).expect("base 64 is lawful in a header");
            value.set_sensitive(true);
            value
        });
        let is_secure = base.starts_with("https:");
        let builder = HttpsConnectorBuilder::new();
        let connector = if is_secure {
            let with_roots = builder.with_provider_and_native_roots(default_provider()).map_err(|error| {
                let what = format!(
                    "connecting to `{base}`: the system has no certificates of authorities; install them"
                );
                Error::new(ErrorKind::Config, what).with_source(error)
            })?;
            with_roots.https_only().enable_http1().build()
        } else {
            builder.with_tls_config(no_roots()).https_or_http().enable_http1().build()
        };
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Http { client, base, authorization, limit, retry, env })
    }

    pub(super) fn describe(&self) -> String {
        self.base.clone()
    }

    /// Sends a request, as often as the policy allows; answers what the registry says, be it a refusal.
    pub(super) async fn ask<B: Serialize + Sync>(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer, Error> {
        let body = body.map(|body| serde_json::to_vec(body).expect("requests are plain text"));
        let body = Bytes::from(body.unwrap_or_default());
        let mut failed = 0;
        loop {
            let asked = self.attempt(doing, method.clone(), path, body.clone()).await;
            failed += 1;
            let is_passing = match &asked {
                Ok(answer) => answer.is_passing(),
                Err(error) => error.is_retryable(),
            };
            if !is_passing || failed >= self.retry.attempts {
                return asked;
            }
            self.env.sleep(self.retry.delay(&self.env, failed)).await;
        }
    }

    async fn attempt(&self, doing: &str, method: Method, path: &str, body: Bytes) -> Result<Answer, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(ACCEPT, MEDIA_TYPE)
            .header(CONTENT_TYPE, MEDIA_TYPE);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(|error| {
            Error::new(ErrorKind::Config, format!("{doing}: `{}` is no URL", self.base)).with_source(error)
        })?;
        let asking = async {
            let answer =
                self.client.request(request).await.map_err(|error| self.unavailable(doing, error))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
            let body = body.map_err(|error| match error.is::<http_body_util::LengthLimitError>() {
                true => {
                    let what =
                        format!("{doing}: the answer has more than {LONGEST_ANSWER} bytes, as no schema has");
                    Error::new(ErrorKind::Nonsense, what)
                }
                false => self.unavailable(doing, error),
            })?;
            Ok(Answer { doing: doing.to_owned(), status, body: body.to_bytes().to_vec() })
        };
        self.env.timeout(self.limit, asking).await.unwrap_or_else(|elapsed| {
            let what = format!("{doing}: {} did not answer within {:?}", self.base, self.limit);
            Err(Error::new(ErrorKind::Unavailable, what).with_source(elapsed))
        })
    }

    fn unavailable(&self, doing: &str, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
        let error = error.into();
        if is_no_http(&*error) {
            let what = format!("{doing}: what listens at {} does not speak HTTP", self.base);
            return Error::new(ErrorKind::Nonsense, what).with_source(error);
        }
        let what = format!("{doing}: the registry at {} cannot be reached", self.base);
        Error::new(ErrorKind::Unavailable, what).with_source(error)
    }
}

/// Whether an answer was no HTTP.
fn is_no_http(error: &(dyn StdError + 'static)) -> bool {
    let mut causes =
        std::iter::successors(Some(error), |error: &&(dyn StdError + 'static)| (*error).source());
    causes.any(|cause| cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse))
}

/// What an `http` client of ours is built with, which never speaks TLS.
fn no_roots() -> ClientConfig {
    ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth()
}

type Login = (String, String);

/// The URL without its user, and the user with the password, where there is one.
fn parts(url: &str) -> Result<(String, Option<Login>), Error> {
    let refuse = |why: &str| {
        // What is in the URL is not shown: it may have a password.
        let what =
            format!("connecting to a schema registry: {why}; give `http://HOST:PORT/PATH` or `https://…`");
        Error::new(ErrorKind::Config, what)
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| refuse("its address has no scheme"))?;
    if !matches!(scheme, "http" | "https") {
        return Err(refuse("its address is neither `http` nor `https`"));
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (login, host) = match authority.rsplit_once('@') {
        None => (None, authority),
        Some((login, host)) => (Some(login.split_once(':').unwrap_or((login, ""))), host),
    };
    let base = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
    let is_url = base.parse::<Uri>().is_ok_and(|uri| uri.query().is_none());
    // A password with a `/` that is not encoded would be taken for a path, and shown.
    if host.is_empty() || path.contains('@') || !is_url {
        return Err(refuse("its address has no host, or has something behind its path"));
    }
    let login = login.map(|(user, password)| {
        let decoded =
            |text| percent_decoded(scheme, text).map_err(|_| refuse("its user or password is badly encoded"));
        Ok((decoded(user)?, decoded(password)?))
    });
    Ok((base, login.transpose()?))
}

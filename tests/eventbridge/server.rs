//! The server that stands in for AWS, and buses of a test's own on it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use jitney_core::Env;
use jitney_eventbridge::Builder;
use serde_json::{Value, json};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_mins(1);

/// A secret that must show up nowhere.
pub(crate) const SECRET: &str = "a-secret-of-the-tests";

/// Where the server is.
pub(crate) fn url() -> String {
    jitney_test_servers::eventbridge_url().unwrap_or_else(|error| panic!("{error}"))
}

/// A name that nobody else has.
pub(crate) fn fresh(kind: &str) -> String {
    format!("{kind}-{:016x}", Env::system().random())
}

/// The set-up for a new bus, with `query` added to its URL.
pub(crate) fn new_bus(query: &str) -> Builder {
    let bus = fresh("bus");
    call("AWSEvents.CreateEventBus", &json!({ "Name": bus }));
    on_bus(&bus, query)
}

/// The set-up for the bus called `bus`, with `query` added to its URL.
pub(crate) fn on_bus(bus: &str, query: &str) -> Builder {
    let url = url().replacen("eventbridge://default", &format!("eventbridge://{bus}"), 1);
    let url = format!("{url}&{query}");
    let builder = Builder::from_url(&url).expect("the url is right");
    builder.credentials("test", SECRET, None)
}

/// Asks the server directly, as no client of ours does; it must say yes.
pub(crate) fn call(action: &str, body: &Value) -> Value {
    ask(action, body).unwrap_or_else(|error| panic!("{action} {body}: {error}"))
}

/// The same, where it may say no.
pub(crate) fn ask(action: &str, body: &Value) -> Result<Value, String> {
    let (url, body) = (url(), body.to_string());
    let address = url.split("http://").nth(1).expect("the url has an endpoint").split(['&', '/']).next();
    let address = address.expect("an endpoint has an address");
    let service = if action.starts_with("AWSEvents") { "events" } else { "sqs" };
    let mut stream = TcpStream::connect(address).expect("the server is there");
    stream.set_read_timeout(Some(ANSWER)).expect("a minute is a time-out");
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Amz-Target: {action}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request\r\n\
         Content-Type: application/x-amz-json-1.1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("the server listens");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer has a head");
    match head.starts_with("HTTP/1.1 200") {
        true => Ok(serde_json::from_str(body).unwrap_or_default()),
        false => Err(answer),
    }
}

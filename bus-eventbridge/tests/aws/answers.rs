//! An HTTP client that answers by itself.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use jitney_core::codec::{Codec, Destination, JsonPayload};
use jitney_core::event::Version;
use jitney_core::message::{Attributes, Message, Outbound};
use jitney_core::transport::{Demand, Interest, Published, Subscribed, Subscription, Transport};
use jitney_core::{Env, Head};
use jitney_eventbridge::{Builder, DetailJson, EventBridge};
use serde_json::{Value, json};
use tokio::time::Instant;

/// What is answered to a request.
pub(crate) enum Answer {
    /// This status with this JSON.
    Is(u16, Value),
    /// Nothing, ever: the request was taken.
    Never,
}

impl Answer {
    /// An error as AWS sends one.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Answer::Is(status, json!({ "__type": code, "message": message }))
    }
}

/// One request: the operation, its body and when it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) operation: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

type Script = dyn Fn(&Request) -> Answer + Send + Sync;

/// AWS, as a script has it.
#[derive(Clone)]
pub(crate) struct Aws {
    script: Arc<Script>,
    requests: Arc<Mutex<Vec<Request>>>,
    env: Env,
}

impl Aws {
    /// Answers everything but the question for the bus by `script`.
    pub(crate) fn new(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Aws { script: Arc::new(script), requests: Arc::default(), env: Env::seeded(7) }
    }

    /// The same with the rules and queues of the group `shop.billing` in place, which need not be made.
    pub(crate) fn with_queue(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let tags = json!({ "Tags": { "jitney:group": "shop.billing", "jitney:bus": "orders" } });
        Aws::new(move |request| match request.operation.as_str() {
            "GetQueueUrl" => Answer::Is(200, json!({ "QueueUrl": "https://sqs/1/q" })),
            "ListQueueTags" => Answer::Is(200, tags.clone()),
            "GetQueueAttributes" => Answer::Is(200, json!({ "Attributes": {} })),
            "DescribeRule" => Answer::error(400, "ResourceNotFoundException", "no rule"),
            "PutTargets" => Answer::Is(200, json!({ "FailedEntryCount": 0, "FailedEntries": [] })),
            _ => script(request),
        })
    }

    /// A member of the group `shop.billing`.
    pub(crate) async fn subscribe(&self) -> Subscribed {
        let subscription = Subscription::new("shop.billing", vec![Interest::all("Order-events")]);
        self.connect().await.subscribe(subscription).await.expect("everything is there")
    }

    /// The set-up of a transport that talks to it.
    pub(crate) fn builder(&self) -> Builder {
        let connector = SharedHttpConnector::new(self.clone());
        let client: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
        let builder = EventBridge::builder("orders").region("eu-west-1").credentials("AKIA", "s3cret", None);
        builder.http_client(client).env(self.env.clone())
    }

    /// A transport that talks to it.
    pub(crate) async fn connect(&self) -> EventBridge {
        self.builder().connect().await.expect("the bus is there")
    }

    /// The requests for `operation` so far.
    pub(crate) fn requests(&self, operation: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|request| request.operation == operation).cloned().collect()
    }

    pub(crate) fn env(&self) -> &Env {
        &self.env
    }
}

impl HttpConnector for Aws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let request = Request { operation, body, at: self.env.instant() };
        self.requests.lock().unwrap().push(request.clone());
        let answer = match request.operation.as_str() {
            "DescribeEventBus" => Answer::Is(
                200,
                json!({ "Name": "orders", "Arn": "arn:aws:events:eu-west-1:111122223333:event-bus/orders" }),
            ),
            _ => (self.script)(&request),
        };
        HttpConnectorFuture::new(async move {
            match answer {
                Answer::Is(status, body) => {
                    let status = status.try_into().expect("a status has three digits");
                    Ok(HttpResponse::new(status, SdkBody::from(body.to_string())))
                }
                Answer::Never => std::future::pending().await,
            }
        })
    }
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aws")
    }
}

/// A runtime whose clock moves only when nothing can run.
pub(crate) fn run<F: Future>(test: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime can be built").block_on(test)
}

/// The answer to PutEvents in which every entry is taken, but for those for which `refuses` names a code.
pub(crate) fn put(request: &Request, refuses: impl Fn(&str) -> Option<&'static str>) -> Answer {
    let entries = request.body["Entries"].as_array().cloned().unwrap_or_default();
    let mut failed = 0;
    let entry = |entry: &Value| match refuses(&id_of(entry)) {
        Some(code) => {
            failed += 1;
            json!({ "ErrorCode": code, "ErrorMessage": "as the script has it" })
        }
        None => json!({ "EventId": "11710aed-b79e-4468-a20b-bb3c0c3b4860" }),
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    Answer::Is(200, json!({ "FailedEntryCount": failed, "Entries": entries }))
}

/// The id of the event in an entry of PutEvents.
pub(crate) fn id_of(entry: &Value) -> String {
    let detail: Value =
        serde_json::from_str(entry["Detail"].as_str().unwrap_or_default()).unwrap_or_default();
    detail["metadata"]["eventId"].as_str().unwrap_or_default().to_owned()
}

/// The ids of the events in a request of PutEvents.
pub(crate) fn ids_of(request: &Request) -> Vec<String> {
    request.body["Entries"].as_array().into_iter().flatten().map(id_of).collect()
}

/// The event `id`, with so many letters in it.
pub(crate) fn event(env: &Env, id: &str, letters: usize) -> Outbound {
    let head = Head::new(id.into(), "OrderCreated", "Order", "42".to_owned(), env.now(), Version::new(1, 0));
    let payload = JsonPayload(json!({ "padding": "x".repeat(letters) }).to_string().into());
    let encoded = DetailJson.encode(Destination::new("Order-events", "shop"), &head, &payload).unwrap();
    let message = Message {
        topic: "Order-events".into(),
        key: Some("42".into()),
        headers: encoded.headers,
        time: head.time,
        body: encoded.body,
    };
    Outbound { message, attributes: Some(Attributes::new(&head, "shop".into())) }
}

/// Events called `e0`, `e1` and so on.
pub(crate) fn events(env: &Env, count: usize) -> Vec<Outbound> {
    (0..count).map(|number| event(env, &format!("e{number}"), 1)).collect()
}

/// Publishes, and answers in words.
pub(crate) async fn outcomes(bridge: &EventBridge, batch: Vec<Outbound>) -> Vec<&'static str> {
    bridge.publish(batch).await.iter().map(word).collect()
}

pub(crate) fn word(outcome: &Published) -> &'static str {
    match outcome {
        Published::Acked => "acked",
        Published::Rejected(_) => "rejected",
        Published::Unknown(_) => "unknown",
    }
}

/// The answer to ReceiveMessage in which so many messages come, for the third time each.
pub(crate) fn messages(count: usize) -> Answer {
    let message = |number: usize| {
        json!({
            "MessageId": format!("m{number}"), "ReceiptHandle": format!("r{number}"), "Body": "{}",
            "Attributes": { "ApproximateReceiveCount": "3" },
        })
    };
    Answer::Is(200, json!({ "Messages": (0..count).map(message).collect::<Vec<_>>() }))
}

/// Whatever there is.
pub(crate) const DEMAND: Demand = Demand { events: 10, bytes: 1 << 20 };

/// So long no test waits.
pub(crate) const EVER: Duration = Duration::from_secs(3_600);

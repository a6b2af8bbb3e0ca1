//! What is published in every scenario, and what handles it.

use std::time::Duration;

use jitney::Env;
use jitney::message::Message;
use jitney::prelude::*;
use jitney_testkit::history::EventRef;

/// The topic of [`Happened`], as long as nobody runs; each run has its own behind it.
pub(crate) const TOPIC: &str = "faults";

/// The topic of [`Derived`].
pub(crate) const OUTPUTS: &str = "fault-outputs";

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Fault", id = key, topic = "faults")]
pub(crate) struct Happened {
    pub(crate) key: String,
    pub(crate) sequence: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) padding: String,
}

/// What becomes of [`Happened`] where it is transformed.
#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Fault", id = key, topic = "fault-outputs")]
pub(crate) struct Derived {
    pub(crate) key: String,
    pub(crate) sequence: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    padding: String,
}

impl From<Happened> for Derived {
    fn from(Happened { key, sequence, padding }: Happened) -> Self {
        Derived { key, sequence, padding }
    }
}

/// How long handlers take.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) env: Env,
    pub(crate) least: Duration,
    pub(crate) most: Duration,
}

impl Work {
    /// Takes as long.
    pub(crate) async fn done(&self) {
        let more = self.most.saturating_sub(self.least);
        self.env.sleep(self.least + self.env.random_up_to(more)).await;
    }
}

#[handler(group = "handled", concurrency = 64)]
pub(crate) async fn handle(_: Happened, State(work): State<Work>) {
    work.done().await;
}

/// The event in the body of `message`, which is of `topic`.
pub(crate) fn event_in(topic: &str, message: &Message) -> EventRef {
    /// Of what codecs write around an event, what is asked for here.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        /// The native envelope, and the one that EventBridge puts around a detail.
        Enveloped {
            #[serde(alias = "detail")]
            payload: Happened,
        },
        /// A detail.
        Bare(Happened),
    }
    let body = serde_json::from_slice(&message.body).expect("only these tests publish here");
    let (Body::Enveloped { payload } | Body::Bare(payload)) = body;
    EventRef::new(topic, payload.key, payload.sequence)
}

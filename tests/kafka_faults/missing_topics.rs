//! Topics that are not there.

use std::time::Duration;

use jitney::transport::{Interest, Subscription, Transport};
use jitney::{Bus, Env, Error};

use super::backend;
use super::scenario::on_three_nodes;
use crate::faults::events::Happened;
use crate::faults::run::Run;
use crate::faults::watched::{Topics, Watched};
use jitney_testkit::history::Recorder;

/// Far more than an answer takes, and less than `publish_timeout`, which is 2 min.
const SOON: Duration = Duration::from_secs(60);

#[test]
fn a_topic_that_is_missing_is_an_error_or_is_made() {
    on_three_nodes(
        "kafka_faults::missing_topics::a_topic_that_is_missing_is_an_error_or_is_made",
        async |run, cluster| {
            for make in [false, true] {
                let url = format!("{}/?create_topics={make}", cluster.url());
                for what in ["publish", "subscribe"] {
                    let topics = Topics::of(&format!("{}-{what}-{make}", run.id));
                    let asked =
                        run.env.timeout(SOON, ask(what, &url, topics)).await.expect("an answer comes soon");
                    match asked {
                        Ok(()) => assert!(make, "{what}: nobody asked for the topic to be made"),
                        Err(error) => {
                            assert!(!make, "{what}: {error}");
                            let text = jitney::error_chain(&error);
                            assert!(
                                text.contains("does not exist") && text.contains("create_topics=true"),
                                "{text}"
                            );
                        }
                    }
                }
            }
            run.judge(&Run::expectations());
        },
    );
}

async fn ask(what: &str, url: &str, topics: Topics) -> Result<(), Error> {
    let kafka =
        Watched::new(backend::connect(url).await?, Recorder::new("asking", Env::system()), topics, "asking");
    if what == "subscribe" {
        let interest = Interest::all("faults");
        return kafka.subscribe(Subscription::new("faults-missing", vec![interest])).await.map(drop);
    }
    let event = Happened { key: "key".to_owned(), sequence: 1, padding: String::new() };
    Bus::new(kafka).publish(&event).await.map(drop)
}

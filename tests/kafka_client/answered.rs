//! Questions to a cluster that a test asks with the cluster's own client.

use std::time::Duration;

use jitney::Env;
use jitney::kafka::rdkafka::error::KafkaResult;

/// How long a test asks for.
pub(crate) const ANSWER: Duration = Duration::from_mins(1);

/// What the cluster answers to `question` in the end. A partition that was made, or whose leader died, has no leader for a
/// moment, and a group no coordinator.
pub(crate) fn answered<T>(mut question: impl FnMut() -> KafkaResult<T>) -> T {
    let env = Env::system();
    let deadline = env.instant() + ANSWER;
    loop {
        match question() {
            Ok(answer) => return answer,
            Err(error) => assert!(env.instant() < deadline, "no answer within {ANSWER:?}: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

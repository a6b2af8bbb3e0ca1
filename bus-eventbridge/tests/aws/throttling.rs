//! Throttling slows publishing down; it fails nothing.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use jitney_core::Env;
use jitney_core::transport::Transport;
use tokio::time::Instant;

use super::answers::*;

/// Takes so many requests in any second, and no more.
struct Limit {
    most: usize,
    taken: Mutex<VecDeque<Instant>>,
}

impl Limit {
    fn new(most: usize) -> Self {
        Limit { most, taken: Mutex::default() }
    }

    fn takes(&self, at: Instant) -> bool {
        let mut taken = self.taken.lock().unwrap();
        while taken.front().is_some_and(|first| at.duration_since(*first) >= Duration::from_secs(1)) {
            taken.pop_front();
        }
        let takes = taken.len() < self.most;
        if takes {
            taken.push_back(at);
        }
        takes
    }
}

/// Publishes 600 events against a limit of ten requests a second; answers how many requests that took.
async fn against(aws: &Aws) -> usize {
    let bridge = aws.builder().publish_timeout(EVER).connect().await.unwrap();
    assert_eq!(outcomes(&bridge, events(aws.env(), 600)).await, ["acked"; 600]);
    aws.requests("PutEvents").len()
}

#[test]
fn requests_that_are_throttled_are_spaced_out_until_all_is_taken() {
    run(async {
        let limit = Limit::new(10);
        let aws = Aws::new(move |request| match limit.takes(request.at) {
            true => put(request, |_| None),
            false => Answer::error(400, "ThrottlingException", "Rate exceeded"),
        });
        let requests = against(&aws).await;
        // Sixty are needed; whoever does not slow down sends hundreds in the six seconds that they take.
        assert!(requests < 240, "{requests} requests");
    });
}

#[test]
fn entries_that_are_throttled_slow_publishing_down_too() {
    run(async {
        let limit = Limit::new(10);
        let aws = Aws::new(move |request| {
            let takes = limit.takes(request.at);
            put(request, |_| (!takes).then_some("ThrottlingException"))
        });
        let requests = against(&aws).await;
        assert!(requests < 240, "{requests} requests");
    });
}

#[test]
fn no_more_requests_are_under_way_than_are_allowed() {
    run(async {
        let aws = Aws::new(|_| Answer::Never);
        let bridge = aws.builder().max_requests(3).connect().await.unwrap();
        let env: Env = aws.env().clone();
        let publish = bridge.publish(events(&env, 100));
        let _ = env.timeout(Duration::from_secs(1), publish).await;
        assert_eq!(aws.requests("PutEvents").len(), 3);
    });
}

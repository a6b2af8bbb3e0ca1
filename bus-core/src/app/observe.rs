//! Numbers that nobody produces by itself: how far groups are behind, and which breakers are open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::admin::Lag;
use crate::dispatch::Group;
use crate::middleware::BreakerState;
use crate::{Error, error_chain};

/// How often the gauges are set.
const EVERY: Duration = Duration::from_secs(10);

/// Sets the gauges `jitney_lag` and `jitney_breaker_open` again and again, until the future is dropped.
pub(super) async fn observe(groups: Vec<Arc<Group>>) {
    let Some(env) = groups.first().map(|group| group.bus.env().clone()) else { return };
    loop {
        env.sleep(EVERY).await;
        for group in &groups {
            set_breakers(group);
            match lag_of(group).await {
                Ok(lag) => lag.iter().for_each(|lag| set_lag(group, lag)),
                Err(error) => {
                    let error = error_chain(&error);
                    tracing::debug!(group = group.name, error, "asking for the lag failed");
                }
            }
        }
    }
}

/// How far each group is behind, where its bus can tell.
pub(super) async fn lag(groups: &[Arc<Group>]) -> Result<BTreeMap<String, Vec<Lag>>, Error> {
    let mut all = BTreeMap::new();
    for group in groups {
        all.insert(group.label.clone(), lag_of(group).await?);
    }
    Ok(all)
}

async fn lag_of(group: &Group) -> Result<Vec<Lag>, Error> {
    match group.bus.transport().admin() {
        Some(admin) if group.bus.capabilities().lag => admin.lag(&group.name).await,
        _ => Ok(Vec::new()),
    }
}

#[allow(clippy::cast_precision_loss)]
fn set_lag(group: &Group, lag: &Lag) {
    let labels = [
        ("group", group.label.clone()),
        ("topic", lag.topic.clone()),
        ("partition", lag.partition.to_string()),
    ];
    metrics::gauge!("jitney_lag", &labels).set(lag.events as f64);
}

fn set_breakers(group: &Group) {
    for route in group.router.routes() {
        if let Some(breaker) = &route.breaker {
            let labels = [("group", group.label.clone()), ("handler", route.name.clone())];
            let open = breaker.state() != BreakerState::Closed;
            metrics::gauge!("jitney_breaker_open", &labels).set(if open { 1.0 } else { 0.0 });
        }
    }
}

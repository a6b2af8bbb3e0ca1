//! What an application needs on its buses: made before anything runs.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Plan;
use crate::admin::TopicSpec;
use crate::publish::Bus;
use crate::transport::Subscription;
use crate::{Error, ErrorKind};

impl Plan {
    /// Makes topics and groups that are missing, bus by bus.
    pub(super) async fn provision(self) -> Result<(), Error> {
        let mut buses: BTreeMap<Option<String>, (Bus, Vec<Subscription>)> = BTreeMap::new();
        for planned in self.groups {
            let of = buses.entry(planned.bus).or_insert_with(|| (planned.group.bus.clone(), Vec::new()));
            of.1.push(planned.subscription);
        }
        for (bus, groups) in buses.into_values() {
            let admin = bus.admin()?;
            let topics: BTreeSet<_> =
                groups.iter().flat_map(|group| &group.interests).map(|it| &*it.topic).collect();
            let topics: Vec<_> = topics.into_iter().map(TopicSpec::new).collect();
            match admin.ensure_topics(&topics).await {
                // Nothing to be made where a backend has no such thing.
                Err(error) if error.kind() == ErrorKind::Unsupported => {}
                made => made?,
            }
            admin.ensure_groups(&groups).await?;
        }
        Ok(())
    }
}

//! Followers for what is kept of events: read models, and the snapshots of a store.
//!
//! ```no_run
//! use jitney_privacy::{KeyManagement, KeyStore, Vault, read_models, snapshots};
//! use jitney_sourcing::MemoryStore;
//! use jitney_sourcing::projection::Rebuilds;
//!
//! # async fn example(keys: impl KeyStore, master: impl KeyManagement, store: MemoryStore) -> Result<(), jitney_privacy::Error> {
//! let vault = Vault::builder(keys, master)
//!     .also(snapshots(store))
//!     .also(read_models(Rebuilds::new())) // with each projector: `.of(move || Projector::new(…))`
//!     .open()
//!     .await?;
//! # Ok(()) }
//! ```

use std::fmt::{self, Debug};
use std::sync::Arc;

use async_trait::async_trait;
use jitney_sourcing::projection::Rebuilds;
use jitney_sourcing::{EventStore, IntoEventStore};

use crate::{FollowerError, Forgetting, Subject};

/// Deletes the snapshots of `store` that have personal data of the subject, under the name `snapshots`. A store that keeps none has nothing
/// to delete.
pub fn snapshots(store: impl IntoEventStore) -> impl Forgetting {
    Snapshots(store.into_event_store())
}

/// Makes the read models of `rebuilds` anew, under the name `read models`.
pub fn read_models(rebuilds: Rebuilds) -> impl Forgetting {
    ReadModels(rebuilds)
}

struct Snapshots(Arc<dyn EventStore>);

impl Debug for Snapshots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshots({})", self.0.describe())
    }
}

#[async_trait]
impl Forgetting for Snapshots {
    fn name(&self) -> &str {
        "snapshots"
    }

    async fn forget(&self, subject: &Subject) -> Result<String, FollowerError> {
        let Some(snapshots) = self.0.snapshots() else { return Ok("none are kept".to_owned()) };
        let deleted = snapshots.delete_snapshots_of(subject.as_str()).await?;
        Ok(format!("{deleted} deleted in {}", self.0.describe()))
    }
}

#[derive(Debug)]
struct ReadModels(Rebuilds);

#[async_trait]
impl Forgetting for ReadModels {
    fn name(&self) -> &str {
        "read models"
    }

    async fn forget(&self, _: &Subject) -> Result<String, FollowerError> {
        let made = self.0.run().await?;
        let names: Vec<_> = made.iter().map(|made| format!("`{}`", made.projection)).collect();
        Ok(match names.as_slice() {
            [] => "none was there to be made anew".to_owned(),
            names => format!("{} made anew", names.join(", ")),
        })
    }
}

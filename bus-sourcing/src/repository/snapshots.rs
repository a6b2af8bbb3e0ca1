//! Snapshots of what a repository loads and saves.

use std::any::type_name;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use jitney_core::personal::{Place, Sealer, has_sealed, tellable, written};
use jitney_core::{Id, error_chain};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Repository;
use super::load::{AsOf, PAGE, Replay};
use crate::aggregate_root::Loaded;
use crate::sealing::{open_state, seal_state};
use crate::{Aggregate, AggregateRoot, Error, ErrorKind, SnapshotPolicy, StoredSnapshot, StreamId};

/// A command is not answered before its snapshot is saved, and has no reason to wait for longer.
const SAVE_WITHIN: Duration = Duration::from_secs(2);

/// When to make snapshots, and how a state is written and read.
pub(super) struct Snapshots<A> {
    policy: SnapshotPolicy,
    schema: Uuid,
    write: Write<A>,
    read: fn(&[u8]) -> Result<A, serde_json::Error>,
}

/// Writes a state, as JSON text in which personal data is open.
type Write<A> = fn(&A) -> Result<Vec<u8>, Box<dyn StdError + Send + Sync>>;

// A derived impl would ask for the same of `A`.
impl<A> Clone for Snapshots<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Snapshots<A> {}

impl<A> fmt::Debug for Snapshots<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshots").field("policy", &self.policy).field("schema", &self.schema).finish()
    }
}

impl<A: Aggregate> Repository<A> {
    /// Makes snapshots by `policy`, in the store, and loads from them. One that is damaged, was made by another schema of
    /// the state, or is not of the stream as it is, is passed over with a warning, and replaced by the next one.
    ///
    /// # Errors
    ///
    /// Of kind [`Unsupported`](ErrorKind::Unsupported) when the store keeps no snapshots.
    #[cfg(feature = "snapshots")]
    pub fn with_snapshots(self, policy: SnapshotPolicy) -> Result<Self, Error>
    where
        A: crate::SnapshotState,
    {
        self.with_snapshots_of(policy, &crate::schema_hash::schema_text::<A>())
    }

    /// Makes snapshots by `policy` of a state without a schema that the program knows: `schema` says what the state looks like, and is to be
    /// changed whenever that changes. A forgotten change makes snapshots that may be read as something else.
    ///
    /// # Errors
    ///
    /// Of kind [`Unsupported`](ErrorKind::Unsupported) when the store keeps no snapshots.
    pub fn with_snapshots_of(mut self, policy: SnapshotPolicy, schema: &str) -> Result<Self, Error>
    where
        A: Serialize + DeserializeOwned,
    {
        if self.store.snapshots().is_none() {
            let what =
                format!("making snapshots: {} keeps none; load from events alone", self.store.describe());
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        // Two aggregates over one stream may have states of one shape.
        let stamp = format!("{} {} {schema}", type_name::<A>(), A::STATE_VERSION);
        self.snapshots = Some(Snapshots {
            policy,
            schema: Uuid::new_v5(&Uuid::NAMESPACE_OID, stamp.as_bytes()),
            write: |state| {
                let mut json = Vec::new();
                written(&mut json, |out| serde_json::to_writer(out, state))?;
                Ok(json)
            },
            read: |json| serde_json::from_slice(json),
        });
        Ok(self)
    }

    pub(super) async fn replay(&self, stream: &StreamId) -> Result<Replay<A>, Error> {
        let start = match &self.snapshots {
            Some(snapshots) => self.replay_behind_snapshot(stream, snapshots).await?,
            None => None,
        };
        match start {
            Some((replay, true)) => Ok(replay),
            Some((replay, false)) => self.replay_until(stream, replay, AsOf::NOW).await,
            None => self.replay_until(stream, Replay::from_the_start(), AsOf::NOW).await,
        }
    }

    /// The state of the newest snapshot, where there is one that proves to be of this stream, taken through the next events;
    /// and whether these were all.
    async fn replay_behind_snapshot(
        &self,
        stream: &StreamId,
        snapshots: &Snapshots<A>,
    ) -> Result<Option<(Replay<A>, bool)>, Error> {
        let passed_over = |wrong: &str| {
            tracing::warn!(%stream, wrong, "passing over a snapshot; reading the stream from its start");
        };
        let (mut replay, last) = match self.intact_snapshot(stream, snapshots).await {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => return Ok(None),
            Err(Unusable::Failed(error)) => return Err(error),
            Err(Unusable::PassedOver(wrong)) => {
                passed_over(&wrong);
                return Ok(None);
            }
        };
        // With the event that it was made behind, which says whether the stream is still that one.
        let events = self.page(stream, replay.sequence).await?;
        if events.first().is_none_or(|event| event.head().event_id != last) {
            let sequence = replay.sequence;
            passed_over(&format!("event {sequence} of the stream is not the one that it was made behind"));
            return Ok(None);
        }
        for event in &events[1..] {
            replay.follow(event)?;
        }
        Ok(Some((replay, events.len() < PAGE)))
    }

    /// The newest snapshot of the stream, and the id of the event that it was made behind.
    ///
    /// # Errors
    ///
    /// What is wrong with the snapshot; or that a key cannot be had, which is no fault of it.
    async fn intact_snapshot(
        &self,
        stream: &StreamId,
        snapshots: &Snapshots<A>,
    ) -> Result<Option<(Replay<A>, Id)>, Unusable> {
        let Some(store) = self.store.snapshots() else { return Ok(None) };
        let loaded = store.load_snapshot(stream).await;
        let Some(snapshot) = loaded.map_err(|error| error_chain(&error))? else { return Ok(None) };
        if !snapshot.is_intact() {
            return Err("it is damaged: its checksum is not that of its content".to_owned().into());
        }
        if snapshot.schema != snapshots.schema {
            return Err("it was made by another version of the state".to_owned().into());
        }
        let sealer = self.store.sealer();
        if sealer.is_none() && has_sealed(&snapshot.state) {
            let why = "its personal data is sealed, and the store was given nothing that opens it";
            return Err(why.to_owned().into());
        }
        let name = name_of(snapshot.sequence, &snapshot.event_id);
        let place = Place::state(stream.aggregate_type(), stream.aggregate_id(), &name);
        let what = format!("the state in the snapshot of stream {stream}");
        let state = match open_state(sealer, place, &what, snapshot.state.into()).await {
            Ok(state) => state,
            // The events would want the same keys.
            Err(error) if error.is_retryable() || error.kind() == ErrorKind::Config => {
                return Err(Unusable::Failed(error));
            }
            Err(error) => return Err(error_chain(&error).into()),
        };
        let state = (snapshots.read)(&state).map_err(|error| error_chain(&*tellable(&state, error)))?;
        let loaded = Loaded { snapshot_sequence: snapshot.sequence, since: Some(snapshot.time) };
        Ok(Some((Replay { state, sequence: snapshot.sequence, loaded }, snapshot.event_id)))
    }

    /// Makes a snapshot of `root`, whose last event is `last`, where one is due. What goes wrong is a warning: the events
    /// are stored.
    pub(super) async fn snapshot_if_due(&self, root: &mut AggregateRoot<A>, last: Id) {
        let (Some(snapshots), Some(store)) = (&self.snapshots, self.store.snapshots()) else { return };
        let (events, now) = (root.sequence() - root.snapshot.snapshot_sequence, self.env.now());
        let since = *root.snapshot.since.get_or_insert(now);
        if !snapshots.policy.is_due(events, since, now) {
            return;
        }
        let saved = match (snapshots.write)(root.state()) {
            Ok(state) => {
                let saving = async {
                    let (stream, sequence) = (root.stream(), root.sequence());
                    let state = sealed(self.store.sealer(), stream, sequence, &last, state).await?;
                    let snapshot = StoredSnapshot::new(sequence, last, snapshots.schema, now, state);
                    store.save_snapshot(stream, snapshot).await
                };
                match self.env.timeout(SAVE_WITHIN, saving).await {
                    Ok(saved) => saved.map_err(|error| error_chain(&error)),
                    Err(elapsed) => Err(elapsed.to_string()),
                }
            }
            Err(error) => Err(error_chain(&*error)),
        };
        let stream = root.stream();
        match saved {
            Ok(()) => root.snapshot = Loaded { snapshot_sequence: root.sequence(), since: Some(now) },
            Err(error) => tracing::warn!(%stream, error, "making a snapshot failed; the events are stored"),
        }
    }
}

/// Why a snapshot is not loaded from.
enum Unusable {
    /// This is wrong with it, and the events say the same.
    PassedOver(String),
    /// The load has failed.
    Failed(Error),
}

impl From<String> for Unusable {
    fn from(wrong: String) -> Self {
        Unusable::PassedOver(wrong)
    }
}

/// A state as it is stored. What is sealed in it opens in this snapshot alone.
async fn sealed(
    sealer: Option<&dyn Sealer>,
    stream: &StreamId,
    sequence: u64,
    event_id: &Id,
    state: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    let name = name_of(sequence, event_id);
    let place = Place::state(stream.aggregate_type(), stream.aggregate_id(), &name);
    seal_state(sealer, place, &format!("the state in a snapshot of stream {stream}"), state).await
}

fn name_of(sequence: u64, event_id: &Id) -> String {
    format!("snapshot {sequence} {event_id}")
}

//! A store with one fault, around one that has none.

mod appending;
mod opening;
mod reading;
mod sealing;
mod snapshots;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jitney_core::Id;
use jitney_core::personal::Sealer;
use jitney_sourcing::{
    Append, Appended, Error, EventStore, Expected, Filter, ListStreams, MemoryStore, Page, Position,
    ReadStream, Sealing, SnapshotStore, StoreCapabilities, StoredEvent, StreamId, StreamInfo, StreamState,
    StreamsPerAppend,
};

/// The password that must not leak.
pub(crate) const SECRET: &str = "hunter2";

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    // Expectations and answers.
    AnswersOtherSequences,
    AnswersEarlierPositions,
    IgnoresNew,
    TakesExactAsAtLeast,
    IgnoresExists,
    TakesAnyAsExists,
    MisstatesConflicts,
    AnswersConflictsAsStored,
    // Ids.
    ChecksExpectationsFirst,
    AnswersDuplicatesAsStored,
    KnowsIdsInAllStreams,
    GivesIdsOfItsOwn,
    // Atomicity.
    StoresEventByEvent,
    StoresStreamByStream,
    AnswersPartsInReverse,
    TakesNonsense,
    TakesWhatDoesNotGoTogether,
    // What comes back.
    NumbersFromZero,
    FoldsIds,
    TruncatesIds,
    FoldsTypes,
    RewritesPayloads,
    TruncatesPayloads,
    TruncatesBatches,
    DropsMinorVersions,
    FoldsEventIds,
    DropsPairs,
    DropsTraces,
    KeepsSeconds,
    ForgetsVersions,
    DropsWhatIsTooNew,
    // Stream reads.
    BeginsBehindFrom,
    ReadsForwardOnly,
    FindsSimilarStreams,
    FindsInAllStreams,
    // Global reads.
    MissesEachSecondEvent,
    RepeatsBetweenPages,
    SkipsBetweenPages,
    MisplacesEvents,
    IgnoresEventTypes,
    StaysBeforeWhatIsFilteredOut,
    IsAlwaysAtTheEnd,
    IsNeverAtTheEnd,
    EndsTooEarly,
    ForgetsPositionsOnceUsed,
    TakesForeignPositions,
    NeverWakes,
    HearsOnlyWhatIsNew,
    WaitsForEver,
    PassesOverSlowCommits,
    ConfusesLongCorrelations,
    ForgetsWhatBeginsACorrelation,
    EndsCorrelationsAtTheEnd,
    // Streams.
    KeepsTheFirstTime,
    ListsByLanguage,
    ListsInAnyState,
    TakesEventsWhenArchived,
    ForgetsEventsWhenClosed,
    ArchivesWhatWasEnded,
    ReadsArchived,
    HidesArchived,
    EndsNothing,
    EndsAnywhere,
    // Snapshots.
    KeepsTheHighestSnapshot,
    KeepsDeletedSnapshots,
    DropsDamagedSnapshots,
    LosesSnapshots,
    RepairsSnapshots,
    LosesSnapshotsOnRestore,
    // Personal data.
    TakesOpenPersonalData,
    StoresPersonalDataOpen,
    LeavesPersonalDataSealed,
    DropsWhatItCannotOpen,
    ReadsOnWithoutKeys,
    KeepsSnapshotsOfASubject,
    // Races.
    ChecksThenAppends,
    // Handles and servers.
    RestoresOnReopening,
    LosesSnapshotsOnReopening,
    AcknowledgesWhileShaken,
    StoresAgainAfterUnknown,
    // Secrets.
    LeaksThePassword,
    LeaksThePasswordInErrors,
}

impl Fault {
    /// Whether it shows by something that never comes.
    pub(crate) fn keeps_waiting(self) -> bool {
        matches!(
            self,
            Fault::StaysBeforeWhatIsFilteredOut
                | Fault::IsNeverAtTheEnd
                | Fault::NeverWakes
                | Fault::HearsOnlyWhatIsNew
                | Fault::WaitsForEver
        )
    }
}

/// What the handles on one store have in common.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    memory: MemoryStore,
    /// So many appends are not answered, since the server was disturbed.
    pub(crate) shaken: AtomicUsize,
    appends: AtomicUsize,
    streams: Mutex<HashSet<StreamId>>,
    event_ids: Mutex<HashSet<Id>>,
    /// Events that a slow commit hides until so many appends were made.
    hidden: Mutex<HashMap<Id, usize>>,
    positions: Mutex<HashSet<String>>,
}

pub(crate) struct Broken {
    pub(crate) shared: Arc<Shared>,
    pub(crate) fault: Option<Fault>,
    pub(crate) streams: StreamsPerAppend,
    pub(crate) sealing: Sealing,
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Broken")
    }
}

impl Broken {
    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn memory(&self) -> &MemoryStore {
        &self.shared.memory
    }

    /// The stream as it is kept.
    fn kept(&self, stream: &StreamId) -> StreamId {
        let (of, id) = (stream.aggregate_type(), stream.aggregate_id());
        match self.fault {
            Some(Fault::FoldsIds) => StreamId::new(of.to_owned(), id.to_lowercase()),
            Some(Fault::TruncatesIds) if id.len() > 255 && id.is_ascii() => {
                StreamId::new(of.to_owned(), &id[..255])
            }
            Some(Fault::FoldsTypes) => StreamId::new(of.to_lowercase(), id),
            _ => stream.clone(),
        }
    }
}

#[async_trait]
impl EventStore for Broken {
    fn capabilities(&self) -> StoreCapabilities {
        let mut capabilities = self.memory().capabilities();
        (capabilities.durable, capabilities.streams_per_append) = (true, self.streams);
        capabilities
    }

    fn describe(&self) -> String {
        match self.fault {
            Some(Fault::LeaksThePassword) => format!("the store at user:{SECRET}@localhost"),
            _ => self.memory().describe(),
        }
    }

    async fn append(&self, append: Append) -> Result<Appended, Error> {
        self.append_broken(self.seal_broken(append).await?).await
    }

    async fn read_stream(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        self.open_broken(self.read_stream_broken(stream, read).await?).await
    }

    async fn find_event(&self, stream: &StreamId, event_id: &Id) -> Result<Option<StoredEvent>, Error> {
        let found = self.find_event_broken(stream, event_id).await?;
        Ok(self.open_broken(found.into_iter().collect()).await?.pop())
    }

    async fn read_all(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        let page = self.read_all_broken(after, filter, limit).await?;
        Ok(Page::new(self.open_broken(page.events).await?, page.position, page.at_end))
    }

    async fn end(&self) -> Result<Position, Error> {
        let end = self.memory().end().await?;
        Ok(if self.is(Fault::EndsTooEarly) { reading::moved(&end, -1) } else { end })
    }

    async fn end_of_correlation(&self, correlation_id: &Id) -> Result<Option<Position>, Error> {
        self.end_of_correlation_broken(correlation_id).await
    }

    async fn wait(&self, after: &Position, at_most: Duration) -> Result<(), Error> {
        match self.fault {
            Some(Fault::WaitsForEver) => std::future::pending().await,
            Some(Fault::NeverWakes) => {
                jitney_core::Env::system().sleep(at_most).await;
                Ok(())
            }
            Some(Fault::HearsOnlyWhatIsNew) => {
                let end = self.memory().end().await?;
                self.memory().wait(&end, at_most).await
            }
            _ => self.memory().wait(after, at_most).await,
        }
    }

    async fn stream_info(&self, stream: &StreamId) -> Result<Option<StreamInfo>, Error> {
        let mut info = self.memory().stream_info(&self.kept(stream)).await?;
        if let (Some(info), true) = (&mut info, self.is(Fault::KeepsTheFirstTime)) {
            let first = self.memory().read_stream(stream, ReadStream::forward().limit(1)).await?;
            info.last_time = first[0].head().time;
        }
        Ok(info)
    }

    async fn list_streams(&self, list: &ListStreams) -> Result<Vec<StreamInfo>, Error> {
        match self.fault {
            Some(Fault::ListsInAnyState) => {
                let mut list = list.clone();
                list.state = None;
                self.memory().list_streams(&list).await
            }
            Some(Fault::ListsByLanguage) => {
                let mut all =
                    self.memory().list_streams(&ListStreams::of(list.aggregate_type.clone())).await?;
                all.sort_by_key(|info| info.stream.aggregate_id().to_lowercase());
                let after = list.after.as_ref().map(|after| after.to_lowercase());
                all.retain(|info| Some(info.stream.aggregate_id().to_lowercase()) > after);
                all.truncate(list.limit);
                Ok(all)
            }
            _ => self.memory().list_streams(list).await,
        }
    }

    async fn archive(&self, stream: &StreamId) -> Result<(), Error> {
        let archived = self.memory().archive(&self.kept(stream)).await;
        if self.is(Fault::ArchivesWhatWasEnded) { Ok(()) } else { archived }
    }

    async fn restore(&self, stream: &StreamId) -> Result<(), Error> {
        if self.is(Fault::LosesSnapshotsOnRestore) {
            self.memory().delete_snapshot(stream).await?;
        }
        self.memory().restore(&self.kept(stream)).await
    }

    async fn end_stream(&self, stream: &StreamId, expected: Expected) -> Result<(), Error> {
        let expected = match self.fault {
            Some(Fault::EndsNothing) => return Ok(()),
            Some(Fault::EndsAnywhere) => Expected::Any,
            _ => expected,
        };
        self.memory().end_stream(&self.kept(stream), expected).await
    }

    fn snapshots(&self) -> Option<&dyn SnapshotStore> {
        Some(self)
    }

    fn sealer(&self) -> Option<&dyn Sealer> {
        self.sealing.sealer()
    }
}

/// Whether a stream is closed.
async fn is_closed(memory: &MemoryStore, stream: &StreamId) -> Result<bool, Error> {
    let info = memory.stream_info(stream).await?;
    Ok(info.is_some_and(|info| info.state != StreamState::Open))
}

/// Counts up, and says where the count was.
fn count(counter: &AtomicUsize) -> usize {
    counter.fetch_add(1, Ordering::SeqCst)
}

//! Faults on the way out of the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jitney_core::Id;
use jitney_sourcing::{
    Error, EventStore, Filter, Page, Position, ReadStream, StoredEvent, StreamId, StreamState,
};

use super::{Broken, Fault, is_closed};

/// The position `by` events behind another one.
pub(super) fn moved(position: &Position, by: i64) -> Position {
    let [number, ..] = position.numbers().unwrap();
    Position::at([number.saturating_add_signed(by)])
}

impl Broken {
    pub(super) async fn read_stream_broken(
        &self,
        stream: &StreamId,
        read: ReadStream,
    ) -> Result<Vec<StoredEvent>, Error> {
        let (mut read, kept) = (read, self.kept(stream));
        match self.fault {
            Some(Fault::BeginsBehindFrom) => read.from = read.from.saturating_add(u64::from(read.from > 1)),
            Some(Fault::ReadsForwardOnly) => read.direction = ReadStream::forward().direction,
            Some(Fault::ForgetsEventsWhenClosed) if is_closed(self.memory(), &kept).await? => {
                return Ok(Vec::new());
            }
            _ => {}
        }
        let mut events = self.memory().read_stream(&kept, read).await?;
        if events.is_empty() && self.is(Fault::FindsSimilarStreams) {
            let id = stream.aggregate_id().trim_end();
            let similar = StreamId::new(stream.shared_aggregate_type(), id);
            events = self.memory().read_stream(&similar, read).await?;
        }
        Ok(self.damaged(events))
    }

    fn damaged(&self, mut events: Vec<StoredEvent>) -> Vec<StoredEvent> {
        match self.fault {
            Some(Fault::NumbersFromZero) => {
                let renumber = |event: &StoredEvent| {
                    let mut head = event.head().clone();
                    head.sequence = head.sequence.map(|sequence| sequence - 1);
                    StoredEvent::new(Arc::new(head), event.payload_json().clone(), event.position().clone())
                };
                events = events.iter().map(renumber).collect();
            }
            Some(Fault::DropsWhatIsTooNew) => events.retain(|event| event.head().version.major < 9),
            _ => {}
        }
        events
    }

    pub(super) async fn find_event_broken(
        &self,
        stream: &StreamId,
        event_id: &Id,
    ) -> Result<Option<StoredEvent>, Error> {
        if !self.is(Fault::FindsInAllStreams) {
            return self.memory().find_event(&self.kept(stream), event_id).await;
        }
        let streams: Vec<_> = self.shared.streams.lock().unwrap().iter().cloned().collect();
        for stream in streams {
            if let Some(found) = self.memory().find_event(&stream, event_id).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(super) async fn end_of_correlation_broken(&self, id: &Id) -> Result<Option<Position>, Error> {
        let end = self.memory().end_of_correlation(id).await?;
        let Some(found) = &end else { return Ok(None) };
        match self.fault {
            Some(Fault::EndsCorrelationsAtTheEnd) => Ok(Some(self.memory().end().await?)),
            Some(Fault::ForgetsWhatBeginsACorrelation) => {
                let before = self.memory().read_all(&moved(found, -1), &Filter::all(), 1).await?;
                Ok(end.filter(|_| before.events[0].head().metadata.correlation_id.is_some()))
            }
            Some(Fault::ConfusesLongCorrelations) => {
                let cut = |id: &Id| id.to_string().chars().take(100).collect::<String>();
                let all = self.memory().read_all(&Position::START, &Filter::all(), usize::MAX).await?;
                let of_it =
                    all.events.iter().rev().find(|event| cut(event.head().correlation_id()) == cut(id));
                Ok(of_it.map(|event| event.position().clone()))
            }
            _ => Ok(end),
        }
    }

    pub(super) async fn read_all_broken(
        &self,
        after: &Position,
        filter: &Filter,
        limit: usize,
    ) -> Result<Page, Error> {
        let (mut after, mut filter) = (after.clone(), filter.clone());
        match self.fault {
            Some(Fault::TakesForeignPositions) if after.numbers().is_none() => after = Position::START,
            Some(Fault::IgnoresEventTypes) => filter.event_types.clear(),
            Some(Fault::ReadsArchived) => filter.archived = true,
            Some(Fault::HidesArchived) => filter.archived = false,
            Some(Fault::ForgetsPositionsOnceUsed) if after != Position::START => {
                let known = !self.shared.positions.lock().unwrap().insert(after.to_string());
                after = if known { self.memory().end().await? } else { after };
            }
            _ => {}
        }
        let Page { mut events, mut position, mut at_end, .. } =
            self.memory().read_all(&after, &filter, limit).await?;
        match self.fault {
            Some(Fault::MissesEachSecondEvent) => events.retain(|event| event.sequence() % 2 == 1),
            Some(Fault::RepeatsBetweenPages) if limit > 2 && events.len() == limit => {
                position = moved(&position, -1)
            }
            Some(Fault::SkipsBetweenPages) if !at_end => position = moved(&position, 1),
            Some(Fault::MisplacesEvents) => {
                let misplaced = |event: &StoredEvent| {
                    let position = moved(event.position(), 1);
                    StoredEvent::new(Arc::new(event.head().clone()), event.payload_json().clone(), position)
                };
                events = events.iter().map(misplaced).collect();
            }
            Some(Fault::StaysBeforeWhatIsFilteredOut) if events.is_empty() => position = after,
            Some(Fault::IsAlwaysAtTheEnd) => at_end = true,
            Some(Fault::IsNeverAtTheEnd) => at_end = false,
            Some(Fault::PassesOverSlowCommits) => {
                let appends = self.shared.appends.load(Ordering::SeqCst);
                let hidden = self.shared.hidden.lock().unwrap();
                events
                    .retain(|event| hidden.get(&event.head().event_id).is_none_or(|until| *until <= appends));
            }
            Some(Fault::ForgetsEventsWhenClosed) => {
                let mut open = Vec::new();
                for event in events {
                    let info = self.memory().stream_info(&event.stream()).await?;
                    if info.is_some_and(|info| info.state != StreamState::Ended) {
                        open.push(event);
                    }
                }
                events = open;
            }
            _ => {}
        }
        Ok(Page::new(self.damaged(events), position, at_end))
    }
}

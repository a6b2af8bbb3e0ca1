//! Reading: streams by what is known of them, all events partition by partition.

use jitney_sourcing::{
    Direction, Error, ErrorKind, Filter, Page, Position, ReadStream, StoredEvent, StreamId,
};

use super::KafkaStore;
use super::log::{Log, Recent, Wanted};
use super::place::Follower;
use super::wire::{self, Found};

/// So many records are read again at once.
const AT_ONCE: usize = 1_000;

/// What was read of one partition.
#[derive(Default)]
struct Part {
    events: Vec<Recent>,
    /// Everything before it was looked at.
    offset: u64,
    /// A record that cannot be read is next.
    is_stopped: bool,
}

impl KafkaStore {
    pub(super) async fn read(&self, stream: &StreamId, read: ReadStream) -> Result<Vec<StoredEvent>, Error> {
        let (_, log) = self.locate(stream).await?;
        let end = self.read_up(&[&**log]).await?[0];
        let id = stream.aggregate_id();
        let wanted = {
            let known = log.known();
            known.check(&format!("reading stream {stream}"), id)?;
            let (last, most) = (known.count(id, end), u64::try_from(read.limit).unwrap_or(u64::MAX));
            let sequences = match read.direction {
                Direction::Forward => {
                    let first = read.from.max(1);
                    first..=last.min(first.saturating_add(most).saturating_sub(1))
                }
                Direction::Backward => {
                    let last = last.min(read.from);
                    last.saturating_sub(most).saturating_add(1)..=last
                }
            };
            if most == 0 { Vec::new() } else { known.events(id, sequences, end) }
        };
        let mut events = self.gather(log, wanted).await?;
        if read.direction == Direction::Backward {
            events.reverse();
        }
        Ok(events)
    }

    /// The event of a stream that has the id.
    pub(super) async fn find(
        &self,
        stream: &StreamId,
        event_id: &jitney_core::Id,
    ) -> Result<Option<StoredEvent>, Error> {
        let (_, log) = self.locate(stream).await?;
        let end = self.read_up(&[&**log]).await?[0];
        let wanted = {
            let known = log.known();
            let sequence = known.sequence_of(stream.aggregate_id(), event_id);
            sequence
                .map_or(Vec::new(), |sequence| known.events(stream.aggregate_id(), sequence..=sequence, end))
        };
        Ok(self.gather(log, wanted).await?.pop())
    }

    /// Reads again what is no longer kept.
    async fn gather(&self, log: &Log, wanted: Vec<Wanted>) -> Result<Vec<StoredEvent>, Error> {
        let place = log.place();
        let missing = wanted.iter().filter_map(|wanted| match wanted {
            Wanted::At(offset) => Some(*offset),
            Wanted::Here(_) => None,
        });
        let missing: Vec<u64> = missing.collect();
        let count = missing.len();
        let read = if count == 0 { Vec::new() } else { self.inner.fetcher.these(place, missing).await? };
        let mut read = read.into_iter();
        let events = wanted.into_iter().map(|wanted| {
            let event = match wanted {
                Wanted::Here(event) => event,
                Wanted::At(offset) => {
                    let (found, message) = read.next().filter(|(found, _)| *found == offset).ok_or_else(|| {
                        let what = format!(
                            "reading the record at offset {offset} of {} again: it is gone; restore the topic",
                            place.name
                        );
                        Error::new(ErrorKind::Store, what).retryable(false)
                    })?;
                    decode(log, found, &message)?.ok_or_else(|| {
                        let what = format!("reading the record at offset {offset} of {} again: it is another one", place.name);
                        Error::new(ErrorKind::Decode, what)
                    })?
                }
            };
            let position = Position::offsets([(place.name.clone(), event.offset + 1)]);
            Ok(event.at(position))
        });
        events.collect()
    }

    pub(super) async fn page(&self, after: &Position, filter: &Filter, limit: usize) -> Result<Page, Error> {
        let logs = &self.inner.logs;
        let mut offsets = self.offsets(after)?;
        let places: Vec<_> = logs.iter().map(|log| log.place()).collect();
        let ends = self.ends(&places).await?;
        let is_wanted = |log: &Log| {
            filter.aggregate_types.is_empty()
                || filter.aggregate_types.iter().any(|one| *one == log.aggregate_type())
        };
        let mut wanted = Vec::new();
        for (index, log) in logs.iter().enumerate() {
            if !is_wanted(log) {
                offsets[index] = offsets[index].max(ends[index]);
            } else if offsets[index] < ends[index] {
                log.place().reached(ends[index], self.env(), self.inner.answer_within).await?;
                wanted.push(index);
            }
        }
        if limit == 0 {
            return Ok(Page::new(Vec::new(), self.position_of(&offsets), wanted.is_empty()));
        }
        // So that no partition waits for the end of another one, each has its share, and a page of few events begins with
        // another partition than the one before.
        let turns = offsets.iter().fold(0_u64, |sum, offset| sum.wrapping_add(*offset));
        let turn = turns.checked_rem(wanted.len() as u64).unwrap_or(0);
        wanted.rotate_left(turn as usize);
        let share = (limit / wanted.len().max(1)).max(1);
        let mut events = Vec::new();
        let mut stopped = None;
        for most in [share, limit] {
            for &index in &wanted {
                let left = limit.saturating_sub(events.len()).min(most);
                if left == 0 || offsets[index] >= ends[index] {
                    continue;
                }
                let part = self.part(&logs[index], (offsets[index], ends[index]), filter, left).await?;
                for event in part.events {
                    offsets[index] = event.offset + 1;
                    events.push(event.at(self.position_of(&offsets)));
                }
                offsets[index] = part.offset;
                if part.is_stopped {
                    stopped = Some(index);
                }
            }
        }
        let position = self.position_of(&offsets);
        if let (Some(index), true) = (stopped, events.is_empty()) {
            let (log, offset) = (&logs[index], offsets[index]);
            offsets[index] = offset + 1;
            let doing =
                format!("reading all events (go on behind `{}` to leave it out)", self.position_of(&offsets));
            return Err(log.known().wrong(&doing, offset));
        }
        let at_end = wanted.iter().all(|&index| offsets[index] >= ends[index]);
        Ok(Page::new(events, position, at_end))
    }

    /// The offsets of a position, one for each partition.
    pub(super) fn offsets(&self, position: &Position) -> Result<Vec<u64>, Error> {
        let offsets = self.inner.logs.iter().map(|log| position.offset(&log.place().name));
        offsets.collect::<Option<Vec<u64>>>().ok_or_else(|| {
            let what =
                format!("reading all events behind `{position}`: that is no position of a store on kafka");
            Error::new(ErrorKind::Invalid, what)
        })
    }

    /// Up to `limit` events of one partition.
    async fn part(
        &self,
        log: &Log,
        (mut from, end): (u64, u64),
        filter: &Filter,
        limit: usize,
    ) -> Result<Part, Error> {
        let mut part = Part::default();
        loop {
            let evicted = {
                let known = log.known();
                let wrong = known.first_wrong(from, end);
                let end = wrong.unwrap_or(end);
                let is_for = |event: &Recent| {
                    filter.is_for(log.aggregate_type(), &event.head.event_type)
                        && (filter.archived || !known.is_archived(&event.head.aggregate_id))
                };
                match known.evicted_from(from).filter(|_| from < end) {
                    None => {
                        let left = limit - part.events.len();
                        part.events.extend(
                            known.recent(from, end).filter(|event| is_for(event)).take(left).cloned(),
                        );
                        let is_full = part.events.len() == limit;
                        part.offset = match part.events.last() {
                            Some(last) if is_full => last.offset + 1,
                            _ => end,
                        };
                        part.is_stopped = !is_full && wrong.is_some();
                        return Ok(part);
                    }
                    Some(evicted) => evicted.min(end - 1),
                }
            };
            let read = self.inner.fetcher.some(log.place(), from, evicted, AT_ONCE).await?;
            from = if read.len() < AT_ONCE {
                evicted + 1
            } else {
                read.last().map_or(evicted, |(offset, _)| *offset) + 1
            };
            for (offset, message) in read {
                let Some(event) = decode(log, offset, &message)? else { continue };
                let is_for = filter.is_for(log.aggregate_type(), &event.head.event_type)
                    && (filter.archived || !log.known().is_archived(&event.head.aggregate_id));
                if is_for {
                    part.offset = offset + 1;
                    part.events.push(event);
                    if part.events.len() == limit {
                        return Ok(part);
                    }
                }
            }
        }
    }
}

/// The event of a record; none where it has none.
fn decode(log: &Log, offset: u64, message: &jitney_core::message::Message) -> Result<Option<Recent>, Error> {
    match wire::read(message) {
        Found::Event { head, payload } => Ok(Some(Recent { offset, head, payload })),
        Found::Mark { .. } | Found::Foreign => Ok(None),
        Found::Damaged(error) => {
            let doing = format!("reading the record at offset {offset} of {} again", log.place().name);
            Err(wire::unreadable(&doing, error))
        }
    }
}

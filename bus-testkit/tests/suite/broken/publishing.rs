//! Faults on the way to the broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jitney_core::message::{Message, Outbound, Topic};
use jitney_core::transport::Published;
use jitney_core::{Error, ErrorKind};

use super::{Broken, Fault, SECRET};

/// So many messages are buffered by a transport that acks before it stores.
const BUFFER: usize = 64;

impl Broken {
    pub(super) async fn publish_broken(&self, mut batch: Vec<Outbound>) -> Vec<Published> {
        let length = batch.len();
        match self.fault {
            Fault::LosesEach100th => {
                return self.publish_but(batch, |number| number.is_multiple_of(100)).await;
            }
            Fault::LosesThe7777th => return self.publish_but(batch, |number| number == 7_777).await,
            Fault::AcksBeforeStoring => return self.publish_later(batch).await,
            Fault::DroppedPublishTakesAnother => return self.publish_in_turn(batch).await,
            Fault::AcksAfterClose if self.closed.load(Ordering::SeqCst) => return acked(length),
            Fault::LeaksPasswordInErrors if self.closed.load(Ordering::SeqCst) => {
                let error =
                    || Error::new(ErrorKind::Closed, format!("sending to user:{SECRET}@localhost: closed"));
                return (0..length).map(|_| Published::Rejected(error())).collect();
            }
            Fault::SwapsOrder => batch.reverse(),
            Fault::MixesTopics => batch = self.for_all_topics(batch),
            _ => batch.iter_mut().for_each(|outbound| self.damage(&mut outbound.message)),
        }
        let mut outcomes = self.inner.publish(batch).await;
        outcomes.truncate(length);
        match self.fault {
            Fault::AnswersInReverse | Fault::SwapsOrder => outcomes.reverse(),
            Fault::AcceptsWhatIsTooLarge => outcomes = acked(length),
            _ => {}
        }
        outcomes
    }

    fn damage(&self, message: &mut Message) {
        match self.fault {
            Fault::DropsHeaders => message.headers.clear(),
            Fault::ShiftsTime => message.time += Duration::from_millis(1),
            Fault::TruncatesBodies if message.body.len() > 512 => message.body.truncate(512),
            Fault::TruncatesLargeBodies if message.body.len() > 32 << 10 => message.body.truncate(32 << 10),
            _ => {}
        }
    }

    async fn publish_but(&self, batch: Vec<Outbound>, lost: impl Fn(u64) -> bool) -> Vec<Published> {
        let length = batch.len();
        let first = self.published.fetch_add(length as u64, Ordering::SeqCst) + 1;
        let kept = (first..).zip(batch).filter(|(number, _)| !lost(*number)).map(|(_, outbound)| outbound);
        self.inner.publish(kept.collect()).await.into_iter().for_each(drop);
        acked(length)
    }

    async fn publish_later(&self, batch: Vec<Outbound>) -> Vec<Published> {
        let length = batch.len();
        let full = {
            let mut buffer = self.buffer.lock().unwrap();
            buffer.extend(batch);
            if buffer.len() >= BUFFER { std::mem::take(&mut *buffer) } else { Vec::new() }
        };
        self.inner.publish(full).await.into_iter().for_each(drop);
        acked(length)
    }

    /// A publish that is dropped while it waits for its turn takes the next one with it.
    async fn publish_in_turn(&self, batch: Vec<Outbound>) -> Vec<Published> {
        let mut turn = Turn { over: false, take_another: Arc::clone(&self.take_another) };
        tokio::task::yield_now().await;
        turn.over = true;
        if self.take_another.swap(false, Ordering::SeqCst) {
            return acked(batch.len());
        }
        self.inner.publish(batch).await
    }

    fn for_all_topics(&self, batch: Vec<Outbound>) -> Vec<Outbound> {
        let topics = self.wires.topics.lock().unwrap().clone();
        let mut copies = Vec::new();
        for outbound in &batch {
            for topic in topics.iter().filter(|topic| **topic != *outbound.message.topic) {
                let mut copy = outbound.clone();
                copy.message.topic = Topic::from(topic.clone());
                copies.push(copy);
            }
        }
        batch.into_iter().chain(copies).collect()
    }
}

struct Turn {
    over: bool,
    take_another: Arc<AtomicBool>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.over {
            self.take_another.store(true, Ordering::SeqCst);
        }
    }
}

fn acked(length: usize) -> Vec<Published> {
    (0..length).map(|_| Published::Acked).collect()
}

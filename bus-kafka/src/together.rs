//! Publishing several messages as one, to whatever topics they go.

use std::sync::{Arc, Mutex, PoisonError};

use jitney_core::message::{Message, Outbound};
use jitney_core::transport::Published;
use jitney_core::{Error, ErrorKind};

use crate::cluster::Cluster;
use crate::error;
use crate::transaction::{Failed, Transactions};

/// Stores batches in transactions, one after the other.
pub(crate) struct Together {
    cluster: Arc<Cluster>,
    transactions: Arc<Mutex<State>>,
}

enum State {
    NotNeededYet,
    Ready(Box<Transactions>),
    Closed,
}

impl Together {
    pub(crate) fn new(cluster: Arc<Cluster>) -> Self {
        Together { cluster, transactions: Arc::new(Mutex::new(State::NotNeededYet)) }
    }

    /// Stores all of `batch`, or nothing.
    pub(crate) async fn publish(&self, batch: Vec<Outbound>) -> Published {
        let doing =
            format!("publishing {} messages as one to {}", batch.len(), self.cluster.config.describe());
        let most = self.cluster.config.max_message_bytes;
        if let Some(large) = batch.iter().find(|outbound| outbound.message.size() > most) {
            let what = format!(
                "{doing}: that for topic `{}` has {} bytes with key and headers, and {most} are allowed; none was published: \
                 raise `max_message_bytes`, or publish a reference to large data",
                large.message.topic,
                large.message.size(),
            );
            return Published::Rejected(Error::new(ErrorKind::Rejected, what));
        }
        let mut topics: Vec<&str> = batch.iter().map(|outbound| &*outbound.message.topic).collect();
        topics.sort_unstable();
        topics.dedup();
        if let Err(source) = self.cluster.topics_exist(&topics).await {
            let rejected = Error::new(ErrorKind::Rejected, doing).retryable(source.is_retryable());
            return Published::Rejected(rejected.with_source(source));
        }
        let attributes = batch.iter().find_map(|outbound| outbound.attributes.as_ref());
        let service = attributes.map_or("jitney".into(), |about| Arc::clone(&about.service));
        let (cluster, transactions) = (Arc::clone(&self.cluster), Arc::clone(&self.transactions));
        let stored = tokio::task::spawn_blocking(move || {
            let mut state = transactions.lock().unwrap_or_else(PoisonError::into_inner);
            if let State::NotNeededYet = *state {
                let name = format!("{service}.{:016x}", cluster.env.random());
                *state = State::Ready(Box::new(cluster.transactions(name, &service)));
            }
            let State::Ready(transactions) = &mut *state else {
                return Err(Failed::Aborted(error::closed("publishing several messages as one"), None));
            };
            let messages: Vec<&Message> = batch.iter().map(|outbound| &outbound.message).collect();
            transactions.run(&messages, None)
        });
        match stored.await {
            Ok(Ok(())) => Published::Acked,
            Ok(Err(Failed::Aborted(error, _))) if error.kind() == ErrorKind::Closed => {
                Published::Rejected(error)
            }
            Ok(Err(Failed::Aborted(error, _))) => {
                let rejected = Error::new(ErrorKind::Rejected, doing).retryable(error.is_retryable());
                Published::Rejected(rejected.with_source(error))
            }
            Ok(Err(Failed::Unknown(error))) => {
                Published::Unknown(Error::new(ErrorKind::Unknown, doing).with_source(error))
            }
            Err(_) => {
                let what = format!("{doing}: the runtime is going down");
                Published::Unknown(Error::new(ErrorKind::Unknown, what))
            }
        }
    }

    /// Takes nothing more.
    pub(crate) async fn close(&self) {
        let transactions = Arc::clone(&self.transactions);
        let closing = tokio::task::spawn_blocking(move || {
            let mut state = transactions.lock().unwrap_or_else(PoisonError::into_inner);
            *state = State::Closed;
        });
        // It is the runtime that goes down, where this is not done.
        let _ = closing.await;
    }
}

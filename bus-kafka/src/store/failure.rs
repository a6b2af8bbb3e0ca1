//! What the store says when it cannot do what was asked.

use jitney_sourcing::{Error, ErrorKind};

/// `error` of the cluster, met while `doing` something.
pub(super) fn of_cluster(doing: &str, error: jitney_core::Error) -> Error {
    let kind = match error.kind() {
        jitney_core::ErrorKind::Config => ErrorKind::Config,
        jitney_core::ErrorKind::Closed => ErrorKind::Closed,
        _ => ErrorKind::Store,
    };
    let is_retryable = error.is_retryable();
    Error::new(kind, format!("{doing}: {error}")).retryable(is_retryable).with_source(error)
}

/// The store, or the part of it that was to answer, was closed.
pub(super) fn closed(doing: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{doing}: the store on kafka is closed; connect a new one"))
}

/// Partition `place`, which was to be written to, is not this store's.
pub(super) fn not_owner(doing: &str, place: &str, group: &str) -> Error {
    let what = format!(
        "{doing}: another process writes to partition {place}, or is about to; send the command there \
         (`kafka-consumer-groups.sh --describe --group {group}` names it), or try again"
    );
    Error::new(ErrorKind::NotOwner, what)
}

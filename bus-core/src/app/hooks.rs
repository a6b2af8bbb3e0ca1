//! What an application does before it handles anything, and when it has stopped.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use super::Settings;
use crate::publish::Bus;
use crate::{Error, error_chain};

/// A part of the start or of the stop.
pub(super) type Hook = Box<dyn FnOnce(Bus) -> BoxFuture<'static, Result<(), Error>> + Send>;

/// Runs the hooks of the start, and then `rest`, the rest of the start. Where it fails, whatever the hooks have begun is ended
/// by those of the stop, which are handed back otherwise.
pub(super) async fn started<T>(
    bus: &Bus,
    on_start: Vec<Hook>,
    on_stop: Vec<Hook>,
    rest: impl Future<Output = Result<T, Error>>,
) -> Result<(T, Vec<Hook>), Error> {
    let begin = async {
        for hook in on_start {
            hook(bus.clone()).await?;
        }
        rest.await
    };
    match begin.await {
        Ok(started) => Ok((started, on_stop)),
        Err(error) => {
            for hook in on_stop {
                if let Err(error) = hook(bus.clone()).await {
                    tracing::warn!(
                        error = error_chain(&error),
                        "an `on_stop` hook failed behind a start that failed"
                    );
                }
            }
            Err(error)
        }
    }
}

/// Runs the hooks of the stop, and closes the buses. Answers the first error; all of it is done nevertheless.
pub(super) async fn close(
    bus: &Bus,
    named: &BTreeMap<String, Bus>,
    on_stop: Vec<Hook>,
    settings: &Settings,
) -> Result<(), Error> {
    let mut first = None;
    for hook in on_stop {
        first = first.or(hook(bus.clone()).await.err());
    }
    if settings.close_buses {
        for bus in std::iter::once(bus).chain(named.values()) {
            first = first.or(bus.close(settings.drain_within).await.err());
        }
    }
    first.map_or(Ok(()), Err)
}

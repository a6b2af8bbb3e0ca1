//! One connection to the server, made again when it is lost.
//!
//! Whoever needs it asks for it, and waits while there is none: the first one who asks connects, with growing pauses between
//! attempts, and the others get what it made.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use jitney_core::{Env, Error, ErrorKind};
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::Mutex;

use crate::config::Config;
use crate::error;

/// The pause after the first attempt that failed, at most; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The largest frame of a server that was not asked yet, in bytes.
const USUAL_FRAME: usize = 128 << 10;

/// A connection for one purpose. Publishing and consuming have one each: a server in trouble stops reading from connections
/// that publish, and those that consume must go on.
pub(crate) struct Link {
    pub(crate) config: Arc<Config>,
    pub(crate) env: Env,
    purpose: &'static str,
    state: Mutex<State>,
    /// What went wrong last.
    trouble: StdMutex<Option<Error>>,
    is_closed: AtomicBool,
    /// The largest frame that the server takes.
    frame_max: AtomicUsize,
}

#[derive(Default)]
struct State {
    connection: Option<Arc<Connection>>,
    failures: u32,
}

impl Link {
    pub(crate) fn new(config: Arc<Config>, env: Env, purpose: &'static str) -> Self {
        Link {
            config,
            env,
            purpose,
            state: Mutex::default(),
            trouble: StdMutex::default(),
            is_closed: AtomicBool::new(false),
            frame_max: AtomicUsize::new(USUAL_FRAME),
        }
    }

    /// The connection; waits until there is one.
    ///
    /// # Errors
    ///
    /// When the server does not let this client in, or the transport was closed.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, Error> {
        let mut state = self.state.lock().await;
        loop {
            if self.is_closed.load(Ordering::Acquire) {
                return Err(error::closed(&self.doing()));
            }
            if let Some(connection) = state.connection.as_ref().filter(|made| made.status().connected()) {
                return Ok(Arc::clone(connection));
            }
            state.connection = None;
            match self.connect().await {
                Ok(made) => {
                    if std::mem::take(&mut state.failures) > 0 {
                        tracing::info!("there is a connection again");
                    }
                    let frame_max = usize::try_from(made.configuration().frame_max()).unwrap_or(usize::MAX);
                    self.frame_max.store(frame_max.min(USUAL_FRAME), Ordering::Relaxed);
                    return Ok(Arc::clone(state.connection.insert(Arc::new(made))));
                }
                Err(error) if !error.is_retryable() => return Err(error),
                Err(error) => {
                    match state.failures {
                        0 => {
                            tracing::warn!(%error, "there is no connection, and it is tried until there is one")
                        }
                        _ => tracing::debug!(%error, "there is still no connection"),
                    }
                    *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    state.failures = state.failures.saturating_add(1);
                    self.env.sleep(self.pause(state.failures)).await;
                }
            }
        }
    }

    /// A new channel; waits until there is a connection.
    pub(crate) async fn channel(&self) -> Result<Arc<Channel>, Error> {
        loop {
            let connection = self.connection().await?;
            match connection.create_channel().await {
                Ok(channel) => return Ok(Arc::new(channel)),
                // Lost just now.
                Err(_) if !connection.status().connected() => {}
                Err(error) => {
                    return Err(error::failed(&format!("opening a channel to {}", self.describe()), &error));
                }
            }
        }
    }

    /// Does `what` to the server, for no longer than the connect time-out.
    ///
    /// # Errors
    ///
    /// Those of `what`, and when it takes longer.
    pub(crate) async fn ask<T>(
        &self,
        doing: &str,
        what: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let limit = self.config.connect_timeout;
        self.env.timeout(limit, what).await.unwrap_or_else(|_| {
            let error = Error::new(
                ErrorKind::Transport,
                format!(
                    "{doing}: not done within {limit:?} (`connect_timeout`); see that the server is there"
                ),
            );
            Err(match self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(trouble) => error.with_source(trouble),
                None => error,
            })
        })
    }

    /// The largest frame that can be sent, in bytes.
    pub(crate) fn frame_max(&self) -> usize {
        self.frame_max.load(Ordering::Relaxed)
    }

    /// Where it leads, without credentials.
    pub(crate) fn describe(&self) -> String {
        self.config.describe()
    }

    /// How long to pause after so many attempts that failed, one at least: longer with each, and never all at once.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let longest = FIRST_PAUSE.saturating_mul(1 << (failures.clamp(1, 10) - 1)).min(LONGEST_PAUSE);
        longest / 2 + self.env.random_up_to(longest / 2)
    }

    /// Ends the connection, within `limit`, and makes none again.
    pub(crate) async fn close(&self, limit: Duration) {
        self.is_closed.store(true, Ordering::Release);
        let closing = async {
            if let Some(connection) = self.state.lock().await.connection.take() {
                // It is over in any case.
                let _ = connection.close(200, "closing".into()).await;
            }
        };
        let _ = self.env.timeout(limit, closing).await;
    }

    async fn connect(&self) -> Result<Connection, Error> {
        let limit = self.config.connect_timeout;
        let name = self.config.client_name.as_deref().unwrap_or("jitney");
        let name = format!("{name} ({})", self.purpose);
        let properties = ConnectionProperties::default().with_connection_name(name.as_str().into());
        let connecting = Connection::connect_uri(self.config.uri(), properties);
        match self.env.timeout(limit, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(error::failed(&self.doing(), &error)),
            Err(_) => {
                let what = format!("{}: no answer within {limit:?}", self.doing());
                Err(Error::new(ErrorKind::Transport, what))
            }
        }
    }

    fn doing(&self) -> String {
        format!("connecting to {}", self.describe())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("url", &self.describe())
            .field("purpose", &self.purpose)
            .finish_non_exhaustive()
    }
}

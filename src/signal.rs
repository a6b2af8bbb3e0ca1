//! The usual ways in which a process is asked to stop.

/// Waits for Ctrl-C, or on Unix for SIGTERM, for `App::run_until`.
///
/// Where the signals cannot be listened to, it waits for ever, and the process ends as it does without it.
///
/// # Cancellation
///
/// Dropping the future stops listening; the process then no longer ends at Ctrl-C by itself, since the listener of
/// tokio stays in place.
///
/// # Panics
///
/// Outside a tokio runtime with I/O enabled, which `#[tokio::main]` has.
pub async fn shutdown_signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminate() => {}
    }
}

#[cfg(unix)]
async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => drop(terminate.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending().await
}

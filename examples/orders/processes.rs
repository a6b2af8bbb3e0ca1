//! One process of several: some roles on a broker that others work on too.

use std::fs;
use std::io::BufRead;
use std::path::Path;

use jitney::app::RunningApp;
use jitney::prelude::*;
use jitney::{Env, Error, ErrorKind};

use super::app::Views;
use super::input::Reject;
use super::projection::files;
use super::role::Role;
use super::run::{Work, place};
use super::wait::Watch;

/// What the names of the files end with that say how many orders were placed.
const ENDING: &str = ".placed";

/// Runs `app`, which has `roles`, until it is told to stop; intake alone ends by itself, when all orders of `work` are
/// placed and created. What is in work then is finished, and the groups are left.
///
/// # Errors
///
/// When the input cannot be read, intake is stopped before its end, a group ends by itself, or the bus or the directory
/// `state` fails.
pub async fn serve<R: BufRead>(
    app: App,
    views: &Views,
    roles: &[Role],
    state: &Path,
    work: Work<'_, R>,
    rejected: impl FnMut(Reject),
    progressed: impl FnMut(usize, usize),
) -> jitney::Result<()> {
    let mut running = app.spawn().await?;
    let mut stop = std::pin::pin!(shutdown_signal());
    let mut ended = Ok(());
    if roles.contains(&Role::Intake) {
        ended = tokio::select! {
            done = take_in(&running, views, state, work, rejected, progressed) => done,
            () = &mut stop => Err(Error::new(ErrorKind::Closed, "placing the orders: stopped before all were placed")),
        };
    }
    if ended.is_ok() && roles.iter().any(|role| role.is_service()) {
        ended = tokio::select! {
            error = running.failed() => {
                Err(error.unwrap_or_else(|| Error::new(ErrorKind::Closed, "every group has ended")))
            }
            () = stop => Ok(()),
        };
    }
    let stopped = running.shutdown().await;
    ended.and(stopped)
}

/// Places the orders of `work`, says how many there are, and waits until they are created.
async fn take_in<R: BufRead>(
    running: &RunningApp,
    views: &Views,
    state: &Path,
    work: Work<'_, R>,
    rejected: impl FnMut(Reject),
    progressed: impl FnMut(usize, usize),
) -> jitney::Result<()> {
    let watch = Watch::new(running, &views.summary);
    let number = place(watch, views, work, rejected, progressed).await?;
    note_placed(state, running.bus().env(), number).map_err(|error| {
        Error::new(ErrorKind::Transport, "writing how many orders were placed").with_source(error)
    })?;
    match watch.quiet().await? {
        true => Ok(()),
        false => {
            Err(Error::new(ErrorKind::Transport, "waiting for intake: it does not get through the commands"))
        }
    }
}

/// Writes down that `number` orders were placed, in a file that is there whole or not at all.
fn note_placed(state: &Path, env: &Env, number: usize) -> std::io::Result<()> {
    let path = state.join(format!("{}{ENDING}", env.new_id()));
    let draft = path.with_extension("draft");
    fs::write(&draft, number.to_string())?;
    fs::rename(draft, path)
}

/// How many orders were placed by all processes of the role `intake`; none where no such process has got so far.
pub fn placed(state: &Path) -> Result<Option<usize>, String> {
    let numbers = files(state, ENDING)?.into_iter().map(|path| {
        let text = fs::read_to_string(&path).map_err(|error| error.to_string());
        let number = text.and_then(|text| text.parse::<usize>().map_err(|error| error.to_string()));
        number.map_err(|what| format!("reading {}: {what}", path.display()))
    });
    let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
    Ok((!numbers.is_empty()).then(|| numbers.iter().sum()))
}

//! Waiting, for what the read model says, and for all groups to be through.

use std::time::Duration;

use jitney::app::RunningApp;
use jitney::prelude::*;
use jitney::{Error, ErrorKind};

use super::carry::Carrier;
use super::summary::{OrderSummary, Tally};

/// Without any progress for so long, nothing is waited for any more.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked whether there is anything left to do.
pub const TICK: Duration = Duration::from_millis(250);
/// How long groups must have done nothing, on a bus that cannot tell how far they are behind.
const STILL: Duration = Duration::from_secs(1);

/// An application that is waited for.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    running: &'a RunningApp,
    summary: &'a OrderSummary,
    carrier: Option<&'a Carrier>,
}

impl<'a> Watch<'a> {
    pub fn new(running: &'a RunningApp, summary: &'a OrderSummary) -> Self {
        Watch { running, summary, carrier: None }
    }

    /// What `carrier` is to carry is on its way to the bus, too.
    pub fn with_carrier(self, carrier: Option<&'a Carrier>) -> Self {
        Watch { carrier, ..self }
    }

    pub fn bus(&self) -> &'a Bus {
        self.running.bus()
    }

    pub fn summary(&self) -> &'a OrderSummary {
        self.summary
    }

    /// Waits until the read model is as `reached` has it. Answers false when it will never be: nobody has anything left to
    /// do, or nothing has happened for too long.
    ///
    /// # Errors
    ///
    /// When a group has ended by itself, or the broker does not say how far one is behind.
    pub async fn until(&self, mut reached: impl FnMut(Tally) -> bool) -> jitney::Result<bool> {
        let env = self.bus().env();
        let mut tally = self.summary.tally();
        let mut last = env.instant();
        loop {
            let now = *tally.borrow_and_update();
            if reached(now) {
                return Ok(true);
            }
            if env.timeout(TICK, tally.changed()).await.is_ok() {
                last = env.instant();
            } else if self.is_quiet().await? || env.instant() - last > PATIENCE {
                let now = *tally.borrow_and_update();
                return Ok(reached(now));
            }
        }
    }

    /// Waits until no group has anything left to do. Answers false when nothing has happened for too long.
    ///
    /// # Errors
    ///
    /// As [`until`](Self::until).
    pub async fn quiet(&self) -> jitney::Result<bool> {
        let env = self.bus().env();
        let (mut stats, mut last) = (self.running.stats(), env.instant());
        let mut pause = Duration::from_millis(1);
        while !self.is_quiet().await? {
            let now = self.running.stats();
            if now != stats {
                (stats, last) = (now, env.instant());
            } else if env.instant() - last > PATIENCE {
                return Ok(false);
            }
            env.sleep(pause).await;
            pause = TICK.min(2 * pause);
        }
        Ok(true)
    }

    /// Whether no group is behind, and none has done anything while that was asked: one after the other, a group could be
    /// found through just before it is given more.
    async fn is_quiet(&self) -> jitney::Result<bool> {
        if let Some(group) = self.running.health().groups.iter().find(|group| !group.running) {
            let what = format!("waiting for the orders: the group `{}` has ended", group.name);
            return Err(Error::new(ErrorKind::Closed, what));
        }
        let before = self.running.stats();
        // An event is on the bus before it was carried there: looked for in this order, it is in one of the two places.
        if let Some(carrier) = self.carrier
            && carrier.is_behind().await?
        {
            return Ok(false);
        }
        if !self.bus().capabilities().lag {
            self.bus().env().sleep(STILL).await;
        }
        let lag = self.running.lag().await?;
        Ok(lag.values().flatten().all(|lag| lag.events == 0) && self.running.stats() == before)
    }
}

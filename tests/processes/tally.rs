//! A process manager that counts, sets deadlines as it is told, and fails as it is told.

use std::time::Duration;

use jitney::prelude::*;
use jitney::sourcing::process::{Actions, ProcessContext, ProcessManager};

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Tally", id = tally)]
pub(crate) struct Counted {
    pub(crate) tally: String,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum What {
    One,
    /// Sets the deadline for so many milliseconds later.
    Wait(u64),
    /// The same in microseconds.
    WaitMicros(u64),
    /// Sets a deadline that sets itself so many times.
    Repeat(u32),
    TakeBack,
    Fail,
    End,
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Tally", id = tally)]
pub(crate) struct Rang {
    pub(crate) tally: String,
    pub(crate) count: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Bell {
    Once,
    Repeat(u32),
}

#[derive(Debug, thiserror::Error)]
#[error("it was told to fail")]
pub(crate) struct Told;

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) count: u64,
}

/// In milliseconds.
pub(crate) const HOUR: u64 = 3_600_000;

impl ProcessManager for Tally {
    type Input = Counted;
    type Deadline = Bell;
    type Error = Told;
    const NAME: &'static str = "tally";
    const VERSION: u32 = 2;

    fn key(input: &Counted) -> Option<String> {
        Some(input.tally.clone())
    }

    fn starts(_: &Counted) -> bool {
        true
    }

    fn handle(&mut self, input: Counted, _: &ProcessContext<'_>) -> Result<Actions<Bell>, Told> {
        self.count += 1;
        Ok(match input.what {
            What::One => Actions::new(),
            What::Wait(ms) => Actions::new().schedule(Bell::Once, Duration::from_millis(ms)),
            What::WaitMicros(us) => Actions::new().schedule(Bell::Once, Duration::from_micros(us)),
            What::Repeat(times) => Actions::new().schedule(Bell::Repeat(times), Duration::ZERO),
            What::TakeBack => Actions::new().cancel(Bell::Once),
            What::Fail => return Err(Told),
            What::End => Actions::new().complete(),
        })
    }

    fn on_deadline(&mut self, bell: Bell, cx: &ProcessContext<'_>) -> Result<Actions<Bell>, Told> {
        let rang = Actions::new().publish(&Rang { tally: cx.key().to_owned(), count: self.count });
        Ok(match bell {
            Bell::Repeat(times) if times > 1 => rang.schedule(Bell::Repeat(times - 1), Duration::ZERO),
            _ => rang,
        })
    }

    fn upcast_state(
        version: u32,
        state: serde_json::Value,
    ) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>> {
        match version {
            1 => Ok(serde_json::json!({ "count": state })),
            _ => Err(format!("there was no version {version}").into()),
        }
    }
}

pub(crate) fn counted(tally: &str, what: What) -> Counted {
    Counted { tally: tally.to_owned(), what }
}

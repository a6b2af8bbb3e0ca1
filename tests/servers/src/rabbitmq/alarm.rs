//! The memory alarm of RabbitMQ, raised and ended by its watermark.

use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::http::Request;
use crate::rabbitmq::RabbitMq;
use crate::rabbitmq::settings::{LOGIN, WATERMARK};

const LIMIT: Duration = Duration::from_secs(120);

const HEALTH: Request<'_> =
    Request { method: "GET", path: "/api/health/checks/local-alarms", login: Some(LOGIN) };

/// Raises the alarm and waits until it is there.
pub(crate) fn raise(server: &RabbitMq) -> Result<(), Error> {
    set(server, "0")?;
    wait(server, true)
}

/// Ends the alarm and waits until it is gone.
pub(crate) fn clear(server: &RabbitMq) -> Result<(), Error> {
    if is_raised(server) == Ok(false) {
        return Ok(());
    }
    set(server, WATERMARK)?;
    wait(server, false)
}

fn set(server: &RabbitMq, watermark: &str) -> Result<(), Error> {
    server.control(&["set_vm_memory_high_watermark", watermark]).map(drop)
}

fn wait(server: &RabbitMq, raised: bool) -> Result<(), Error> {
    let mut last = Ok(raised);
    let done = Deadline::after(LIMIT).wait_until(|| {
        last = is_raised(server);
        last == Ok(raised)
    });
    if done {
        return Ok(());
    }
    let why = last
        .err()
        .unwrap_or_else(|| format!("a memory alarm is {}", if raised { "not there" } else { "still there" }));
    Err(Error::NotReady { what: "rabbitmq".into(), limit: LIMIT, why, log: server.log() })
}

/// Whether an alarm is there; an error while the server does not answer.
fn is_raised(server: &RabbitMq) -> Result<bool, String> {
    let answer = HEALTH.send(server.management_address(), LIMIT).map_err(|error| error.to_string())?;
    match answer.status {
        200 => Ok(false),
        503 => Ok(true),
        status => Err(format!("the management plugin answered with status {status}")),
    }
}

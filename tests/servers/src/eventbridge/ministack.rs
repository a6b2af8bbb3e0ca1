//! How ministack is fetched, started and asked.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::http::Request;
use crate::made::{Made, text};
use crate::place::Place;
use crate::ports::{self, Ports};
use crate::python;
use crate::single::Recipe;

/// Its version on PyPI, and of its image.
pub(crate) const VERSION: &str = "1.5.33";

const ONE_ANSWER: Duration = Duration::from_secs(2);

const HEALTH: Request<'_> = Request { method: "GET", path: "/_ministack/health", login: None };

/// The recipe.
pub(crate) static RECIPE: Ministack = Ministack;

/// Ministack from PyPI, or in a container.
#[derive(Debug)]
pub(crate) struct Ministack;

impl Recipe for Ministack {
    fn url(&self, ports: Ports) -> String {
        format!("eventbridge://default?endpoint=http://{}&region=us-east-1", ports::local(ports.client()))
    }

    fn ports(&self, ports: Ports) -> Vec<u16> {
        vec![ports.client()]
    }

    fn mark(&self, made: &Made) -> PathBuf {
        program(&made.place)
    }

    fn install(&self, place: &Place) -> Result<(), Error> {
        python::environment(place, &requirement()).map(drop)
    }

    fn prepare(&self, made: &Made) -> Result<(), Error> {
        made.write_environment(&environment(made))
    }

    fn command(&self, made: &Made) -> Result<Command, Error> {
        python::environment(&made.place, &requirement())?;
        let mut command = Command::new(program(&made.place));
        command.envs(environment(made)).current_dir(&made.folder);
        Ok(command)
    }

    fn ask(&self, made: &Made) -> Result<(), String> {
        let address = ports::local(made.ports.client());
        let answer = HEALTH.send(address, ONE_ANSWER).map_err(|error| format!("{address}: {error}"))?;
        let is_ministack = answer.status == 200 && answer.body.contains("\"services\"");
        if is_ministack {
            Ok(())
        } else {
            Err(format!("{address} is no ministack: status {}", answer.status))
        }
    }

    fn end_beside(&self, _: &Made) -> Result<(), Error> {
        Ok(())
    }
}

fn requirement() -> String {
    format!("ministack=={VERSION}")
}

fn program(place: &Place) -> PathBuf {
    python::folder(place, &requirement()).join("bin/ministack")
}

fn environment(made: &Made) -> Vec<(&'static str, String)> {
    vec![
        ("GATEWAY_PORT", made.ports.client().to_string()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        // It would listen on another port too.
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("TMPDIR", text(&made.data())),
    ]
}

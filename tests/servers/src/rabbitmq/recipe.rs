//! How a RabbitMQ is installed, started and asked.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::error::Error;
use crate::install::Tool;
use crate::made::{Made, text};
use crate::place::{self, Place};
use crate::ports::{self, Ports};
use crate::process::Process;
use crate::program;
use crate::rabbitmq::{probe, settings};
use crate::single::Recipe;

const TOOL: Tool = Tool {
    what: "RabbitMQ",
    package: "rabbitmq-server",
    formula: "rabbitmq",
    service: Some("rabbitmq-server"),
};

/// Where the programs are that run as whoever calls them; those on the `PATH` of Debian want to be root.
const FOLDERS: [&str; 3] = ["/usr/lib/rabbitmq/bin", "/opt/homebrew/sbin", "/usr/local/sbin"];

const ONE_ANSWER: Duration = Duration::from_secs(2);
const EPMD_STARTING: Duration = Duration::from_secs(60);

/// The recipe.
pub(crate) static RECIPE: RabbitMqRecipe = RabbitMqRecipe;

/// RabbitMQ from the system's packages, or in a container.
#[derive(Debug)]
pub(crate) struct RabbitMqRecipe;

impl Recipe for RabbitMqRecipe {
    fn url(&self, ports: Ports) -> String {
        settings::url(ports)
    }

    fn ports(&self, ports: Ports) -> Vec<u16> {
        vec![ports.client(), ports.tls(), ports.management(), ports.distribution()]
    }

    fn mark(&self, made: &Made) -> PathBuf {
        settings::name(made).into()
    }

    fn install(&self, place: &Place) -> Result<(), Error> {
        let _lock = place.lock("packages")?;
        if installed("rabbitmq-server").is_some() { Ok(()) } else { TOOL.install() }
    }

    fn prepare(&self, made: &Made) -> Result<(), Error> {
        let tls = settings::tls(made);
        tls.make()?;
        place::write(&made.file(settings::SETTINGS_FILE), &settings::settings(made.ports, &tls))?;
        place::write(&made.file(settings::PLUGINS_FILE), settings::PLUGINS)?;
        made.write_environment(&settings::environment(made))
    }

    fn command(&self, made: &Made) -> Result<Command, Error> {
        start_epmd(made)?;
        let mut command = tool(made, "rabbitmq-server")?;
        // The script hands its arguments on: they are there before it has become the server, and after.
        command.arg("-jitney").arg(settings::name(made));
        Ok(command)
    }

    fn ask(&self, made: &Made) -> Result<(), String> {
        probe::ask(ports::local(made.ports.client()), &settings::name(made), ONE_ANSWER)
    }

    fn end_beside(&self, made: &Made) -> Result<(), Error> {
        epmd(made).kill()
    }
}

/// A command for `rabbitmqctl` on this machine.
pub(crate) fn control(made: &Made) -> Result<Command, Error> {
    tool(made, "rabbitmqctl")
}

fn tool(made: &Made, name: &str) -> Result<Command, Error> {
    let mut command = Command::new(installed(name).ok_or_else(|| TOOL.missing())?);
    command.envs(settings::environment(made)).current_dir(&made.folder);
    Ok(command)
}

fn installed(name: &str) -> Option<PathBuf> {
    FOLDERS.iter().map(|folder| Path::new(folder).join(name)).find(|program| program.is_file())
}

/// The daemon that Erlang programs find each other by. It would be started by the server itself and outlive it unseen:
/// this one is known, and listens on this machine only.
fn epmd(made: &Made) -> Process {
    Process::new(made.file("epmd.pid"), Path::new(&made.ports.epmd().to_string()))
}

fn start_epmd(made: &Made) -> Result<(), Error> {
    let port = made.ports.epmd();
    let epmd = epmd(made);
    if epmd.pid().is_some() {
        return Ok(());
    }
    ports::check([port])?;
    let mut command = Command::new("epmd");
    command.args(["-address", "127.0.0.1", "-port", &port.to_string()]).current_dir(&made.folder);
    let log = made.file("epmd.log");
    epmd.start(command, &log)?;
    let names = ["-port", &port.to_string(), "-names"];
    if Deadline::after(EPMD_STARTING).wait_until(|| program::answer("epmd", &names).is_some()) {
        return Ok(());
    }
    let why = "it does not answer".to_owned();
    Err(Error::NotReady { what: "epmd".into(), limit: EPMD_STARTING, why, log: text(&log) })
}

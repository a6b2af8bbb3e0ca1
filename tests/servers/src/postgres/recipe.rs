//! How a PostgreSQL is installed, started and asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::install::{Tool, is_root};
use crate::kind::Kind;
use crate::made::Made;
use crate::place::{self, Place};
use crate::ports::{self, Ports};
use crate::program;
use crate::single::Recipe;

use super::{children, probe, settings, throw_away};

const TOOL: Tool =
    Tool { what: "PostgreSQL", package: "postgresql", formula: "postgresql@15", service: Some("postgresql") };

/// Where the folders of the versions are on Debian and its like; in each, the programs are in `bin`.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Where the programs are elsewhere.
const FOLDERS: [&str; 5] = [
    "/opt/homebrew/opt/postgresql@15/bin",
    "/usr/local/opt/postgresql@15/bin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/usr/bin",
];

const ONE_ANSWER: Duration = Duration::from_secs(2);

/// The recipe.
pub(crate) static RECIPE: PostgresRecipe = PostgresRecipe;

/// PostgreSQL from the system's packages, or in a container.
#[derive(Debug)]
pub(crate) struct PostgresRecipe;

impl Recipe for PostgresRecipe {
    fn url(&self, ports: Ports) -> String {
        settings::url(ports, "postgres")
    }

    fn ports(&self, ports: Ports) -> Vec<u16> {
        vec![ports.client()]
    }

    fn mark(&self, made: &Made) -> PathBuf {
        made.data()
    }

    fn install(&self, place: &Place) -> Result<(), Error> {
        let _lock = place.lock("packages")?;
        if folder().is_some() { Ok(()) } else { TOOL.install() }
    }

    fn prepare(&self, made: &Made) -> Result<(), Error> {
        made.write_environment(&settings::environment(made))?;
        // In a container the image sets it up at its first start.
        if made.state.kind == Kind::Docker {
            return Ok(());
        }
        if is_root() {
            program::run(Command::new("chown").arg(settings::USER).arg(made.data()))?;
        }
        let mut command = as_user("initdb")?;
        program::run(command.args(settings::SETTING_UP).arg("-D").arg(made.data())).map(drop)
    }

    fn command(&self, made: &Made) -> Result<Command, Error> {
        // A killed one leaves a file that keeps others from its data for as long as the system knows its id, which may be
        // longer than it lives. None of it is left: then nothing has to be kept from the data.
        if self.children(made).is_empty() {
            place::remove_file(&made.data().join("postmaster.pid"))?;
        }
        let mut command = as_user("postgres")?;
        command.arg("-D").arg(made.data()).args(settings::settings(made));
        Ok(command)
    }

    fn ask(&self, made: &Made) -> Result<(), String> {
        probe::ask(ports::local(made.ports.client()), &settings::name(made), ONE_ANSWER)
    }

    fn end_beside(&self, _: &Made) -> Result<(), Error> {
        Ok(())
    }

    fn children(&self, made: &Made) -> Vec<u32> {
        children::of(made, throw_away::process(&made.folder).pid())
    }
}

/// A command for the client program `name` on this machine.
pub(crate) fn tool(made: &Made, name: &str) -> Result<Command, Error> {
    let mut command = Command::new(installed(name)?);
    command.envs(settings::environment(made)).current_dir(&made.folder);
    Ok(command)
}

/// A command for the program `name` of the server, which root may not run: then as the package's user, who is let
/// through the folders on the way to the data as root is.
fn as_user(name: &str) -> Result<Command, Error> {
    let program = installed(name)?;
    let mut command = if is_root() {
        let user = settings::USER;
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        command.args(["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    Ok(command)
}

fn installed(name: &str) -> Result<PathBuf, Error> {
    folder().map(|folder| folder.join(name)).ok_or_else(|| TOOL.missing())
}

/// Where the programs of the newest version are.
fn folder() -> Option<PathBuf> {
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let entries = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let mut versions: Vec<_> = entries.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    let folders = versions.iter().map(|version| version.join("bin"));
    let has_server = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    folders.chain(FOLDERS.map(|folder| Path::new(folder).to_owned())).find(has_server)
}

//! Servers in containers, where a Docker engine answers. `compose.yaml` says what runs in them.

use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::place::Place;
use crate::process::Signal;
use crate::program;

/// The image that the nodes of a Kafka run in.
pub(crate) const KAFKA_IMAGE: &str = "apache/kafka:4.3.1";

/// Whether an engine answers, and not only its command line exists.
pub(crate) fn answers() -> bool {
    program::answer("docker", &["info"]).is_some()
        && program::answer("docker", &["compose", "version"]).is_some()
}

/// A container of `compose.yaml`.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    service: String,
}

impl Container {
    /// The container of `service`.
    pub(crate) fn new(service: String) -> Self {
        Self { service }
    }

    /// Its name in Docker.
    pub(crate) fn name(&self) -> String {
        format!("jitney-{}", self.service)
    }

    /// The process id that Docker shows for it, if it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        let pid = program::answer("docker", &["inspect", "-f", "{{.State.Pid}}", &self.name()])?;
        pid.trim().parse().ok().filter(|pid| *pid != 0)
    }

    /// Starts it, for the first time or again.
    pub(crate) fn start(&self, place: &Place) -> Result<(), Error> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose.yaml");
        program::run(
            Command::new("docker")
                .args(["compose", "-f"])
                .arg(file)
                .args(["up", "--detach", "--quiet-pull", &self.service])
                .env("JITNEY_SERVERS_FOLDER", place.root())
                .env("JITNEY_SERVERS_USER", user()),
        )
        .map(drop)
    }

    /// Sends `signal` to the server in it; false if it does not run.
    pub(crate) fn signal(&self, signal: Signal) -> Result<bool, Error> {
        if self.pid().is_none() {
            return Ok(false);
        }
        program::run(Command::new("docker").args(["kill", "-s", signal.name(), &self.name()])).map(|_| true)
    }

    /// A command for `program` inside it, with the variables that the file `environment` of its folder sets.
    pub(crate) fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", &self.name(), "sh", "-c", ". ./environment; exec \"$0\" \"$@\"", program]);
        command
    }

    /// Removes it with what runs in it; without an error if there is none.
    pub(crate) fn remove(&self) -> Result<(), Error> {
        program::run(Command::new("docker").args(["rm", "--force", "--volumes", &self.name()])).map(drop)
    }
}

/// A command for a program of Kafka's image that sees the folders of the servers.
pub(crate) fn tool(place: &Place, program: &str) -> Command {
    let root = place.root().display();
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--network", "host", "--user", &user(), "--entrypoint", program]).args([
        "--volume",
        &format!("{root}:{root}"),
        KAFKA_IMAGE,
    ]);
    command
}

fn user() -> String {
    let id = |option| program::answer("id", &[option]).unwrap_or_default().trim().to_owned();
    format!("{}:{}", id("-u"), id("-g"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eventbridge::ministack;

    #[test]
    fn compose_has_the_images_and_a_container_for_each_process() {
        let compose = include_str!("../compose.yaml");
        assert!(compose.contains(&format!("image: {KAFKA_IMAGE}\n")));
        assert!(compose.contains(&format!("image: ministackorg/ministack:{}\n", ministack::VERSION)));
        for service in ["kafka-1", "kafka3-1", "kafka3-2", "kafka3-3", "rabbitmq", "eventbridge", "postgres"]
        {
            let name = Container::new(service.into()).name();
            assert!(compose.contains(&format!("\n  {service}:\n")), "{service}");
            assert!(compose.contains(&format!("container_name: {name}\n")), "{name}");
        }
    }
}

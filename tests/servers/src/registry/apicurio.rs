//! How Apicurio is fetched, started and asked.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::error::Error;
use crate::http::Request;
use crate::java::Jdk;
use crate::made::{Made, text};
use crate::maven;
use crate::place::Place;
use crate::ports::{self, Ports};
use crate::single::Recipe;

const PACKAGE: &str = "apicurio-registry-3.3.3";
const ARTIFACT: &str = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all";

/// The oldest Java that it runs on.
const JAVA: u32 = 21;

/// Where its API is that is compatible with Confluent's.
const API: &str = "/apis/ccompat/v7";

const ONE_ANSWER: Duration = Duration::from_secs(2);

const SUBJECTS: Request<'_> = Request { method: "GET", path: "/apis/ccompat/v7/subjects", login: None };

/// The recipe.
pub(crate) static RECIPE: Apicurio = Apicurio;

/// Apicurio from Maven Central, on Java.
#[derive(Debug)]
pub(crate) struct Apicurio;

impl Recipe for Apicurio {
    fn url(&self, ports: Ports) -> String {
        format!("http://{}{API}", ports::local(ports.client()))
    }

    fn ports(&self, ports: Ports) -> Vec<u16> {
        vec![ports.client(), ports.management()]
    }

    fn mark(&self, made: &Made) -> PathBuf {
        format!("-Djitney.folder={}", text(&made.folder)).into()
    }

    fn install(&self, place: &Place) -> Result<(), Error> {
        Jdk::find_or_fetch(place, JAVA)?;
        maven::unpacked(place, PACKAGE, ARTIFACT).map(drop)
    }

    fn prepare(&self, _: &Made) -> Result<(), Error> {
        Ok(())
    }

    fn command(&self, made: &Made) -> Result<Command, Error> {
        let program = maven::unpacked(&made.place, PACKAGE, ARTIFACT)?;
        let mut command = Jdk::find_or_fetch(&made.place, JAVA)?.command("java");
        command
            .args(["-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .arg(self.mark(made))
            .arg("-Dquarkus.http.host=127.0.0.1")
            .arg(format!("-Dquarkus.http.port={}", made.ports.client()))
            .arg("-Dquarkus.management.host=127.0.0.1")
            .arg(format!("-Dquarkus.management.port={}", made.ports.management()))
            .args(["-Dapicurio.storage.kind=sql", "-Dapicurio.storage.sql.kind=h2"])
            .arg("-jar")
            .arg(program.join("quarkus-run.jar"))
            .current_dir(&made.folder);
        Ok(command)
    }

    fn ask(&self, made: &Made) -> Result<(), String> {
        let address = ports::local(made.ports.client());
        let answer = SUBJECTS.send(address, ONE_ANSWER).map_err(|error| format!("{address}: {error}"))?;
        if answer.status == 200 {
            Ok(())
        } else {
            Err(format!("{address} is no schema registry: status {}", answer.status))
        }
    }

    fn end_beside(&self, _: &Made) -> Result<(), Error> {
        Ok(())
    }
}

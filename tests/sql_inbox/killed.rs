//! Processes that are killed around their commit: this test program again, told by its environment what to do.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use jitney::prelude::*;

use crate::events::{Placed, message, placed};
use crate::scripted::{Scripted, delivery};
use crate::service::{Service, has_handled, settled, shop, take};
use crate::witness::Log;

const PLACE: &str = "JITNEY_INBOX_PLACE";
const ENDS: &str = "JITNEY_INBOX_HANDLER_ENDS";

/// What this process was started for, where it is a child.
pub(crate) struct Orders {
    place: String,
    /// Whether its handler ends.
    ends: bool,
}

pub(crate) fn child() -> Option<Orders> {
    let place = std::env::var(PLACE).ok()?;
    Some(Orders { place, ends: std::env::var(ENDS).is_ok_and(|ends| ends == "true") })
}

impl Orders {
    /// Handles one event, says how far it is, and waits to be killed.
    pub(crate) async fn obey<S: Service>(self) {
        let (service, broker, ends) = (S::at(&self.place).await, Scripted::new(), self.ends);
        let handler = move |order: Placed, mut tx: S::Tx| async move {
            S::write(&mut tx, order.number).await?;
            if !ends {
                say("written");
                std::future::pending::<()>().await;
            }
            Ok::<_, HandlerError>(())
        };
        let _app = shop(&service, &broker, take(1), handler).await;
        broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
        settled(&broker, 1).await;
        say("committed");
        std::future::pending().await
    }
}

fn say(word: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\nchild: {word}").unwrap();
    out.flush().unwrap();
}

/// Starts a process from inside of the test `test`, kills it when it has said `word`.
fn kill_at<S: Service>(service: &S, test: &str, ends: bool, word: &str) {
    let module = std::any::type_name::<S>().rsplit("::").nth(1).unwrap();
    let mut child: Child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::{test}"), "--nocapture"])
        .env(PLACE, service.place())
        .env(ENDS, ends.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let has_said = said.any(|line| line == format!("child: {word}"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has_said, "it has ended without a word");
}

/// The same event for a process that is not killed; answers what its handler was called with.
async fn handled_again<S: Service>(service: &S) -> Vec<u32> {
    let (broker, log) = (Scripted::new(), Log::<u32>::new());
    let handler = {
        let log = log.clone();
        move |order: Placed, mut tx: S::Tx| {
            log.add(order.number);
            async move { S::write(&mut tx, order.number).await }
        }
    };
    let app = shop(service, &broker, take(1), handler).await;
    broker.deliver([delivery(1, 0, message("e-0", &placed("a", 7)))]);
    settled(&broker, 1).await;
    app.shutdown().await.unwrap();
    log.all()
}

pub(crate) async fn before_the_commit<S: Service>(service: S) {
    kill_at(&service, "a_process_that_is_killed_before_the_commit_has_handled_nothing", false, "written");
    assert!(service.rows().await.is_empty() && !has_handled(&service, "e-0").await);
    assert_eq!((handled_again(&service).await, service.rows().await), (vec![7], vec![7]));
}

pub(crate) async fn behind_the_commit<S: Service>(service: S) {
    kill_at(&service, "a_process_that_is_killed_behind_the_commit_has_handled_its_event", true, "committed");
    assert_eq!(service.rows().await, [7]);
    assert_eq!((handled_again(&service).await, service.rows().await), (vec![], vec![7]));
}

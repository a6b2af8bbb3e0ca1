//! The read model that processes share: written by some, read by others, whatever became of the writers.

use std::fs;
use std::path::PathBuf;

use jitney::Env;
use jitney::memory::Memory;
use jitney::prelude::*;
use jitney_testkit::TestApp;

use crate::bench::{Bench, line};
use crate::orders::app::Views;
use crate::orders::gather::gather;
use crate::orders::report::Report;
use crate::orders::run::Ending;
use crate::orders::scope::Scope;

/// What the processes of a run share.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("jitney-orders-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    fn write(&self, name: &str, lines: &[String]) {
        fs::write(self.0.join(name), lines.concat()).unwrap();
    }

    async fn gather(&self) -> Result<(Ending, Report), String> {
        let bus = Bus::new(Memory::from_url("memory://").unwrap());
        gather(bus, &self.0, &Views::default(), |_, _| {}).await
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's directory for such files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The figures of one run in this process, and a line for each event of it.
async fn run(input: &str) -> (Report, Vec<String>) {
    let run = Bench::of(input).run().await;
    let messages = run.app.memory().messages("Order-events");
    let lines = messages.iter().map(|message| String::from_utf8(message.body.to_vec()).unwrap() + "\n");
    (run.report, lines.collect())
}

/// `report` without what is told of the process that prints it.
fn of_orders(report: Report) -> Report {
    Report { handled: 0, duplicates: 0, retries: 0, ..report }
}

#[jitney::test]
async fn the_figures_are_those_of_one_process_whoever_wrote_what_how_often() {
    let (report, lines) =
        run(&(line("A", 1, "1.00") + &line("B", 1, "20000.00") + &line("A", 1, "1.00"))).await;
    let state = Directory::new("whoever");
    let torn = lines[0][..lines[0].len() / 2].to_owned();
    state.write("1.events.jsonl", &[&lines[..5], &[torn]].concat());
    state.write("2.events.jsonl", &lines[3..]);
    state.write("1.placed", &["1".to_owned()]);
    state.write("2.placed", &["2".to_owned()]);
    let (ending, gathered) = state.gather().await.unwrap();
    assert_eq!(ending, Ending::Complete);
    assert_eq!((gathered.orders, gathered.refused, gathered.cancelled), (2, 1, 1));
    assert_eq!(of_orders(gathered), of_orders(report));
}

#[tokio::test(start_paused = true)]
async fn what_never_comes_is_said() {
    let (_, lines) = run(&line("A", 1, "1.00")).await;
    let state = Directory::new("missing");
    state.write("1.events.jsonl", &lines[..1]);
    let (ending, report) = state.gather().await.unwrap();
    let Ending::Missing(what) = ending else { panic!("nobody noticed") };
    assert!(what.contains("no process of the role `intake`"), "{what}");
    assert_eq!(report.orders, 1);
    state.write("1.placed", &["2".to_owned()]);
    let (ending, _) = state.gather().await.unwrap();
    let Ending::Missing(what) = ending else { panic!("nobody noticed") };
    assert!(what.contains("1 are not in the read model, 1 are not at their end: A"), "{what}");
}

#[jitney::test]
async fn a_line_that_is_no_event_is_an_error_with_its_place() {
    let (_, lines) = run(&line("A", 1, "1.00")).await;
    let state = Directory::new("damaged");
    state.write("1.events.jsonl", &[lines[0].clone(), "{}\n".to_owned()]);
    let error = state.gather().await.map(drop).unwrap_err();
    let place = format!("1.events.jsonl: byte {}: ", lines[0].len());
    assert!(error.contains(&place), "{error}");
}

#[test]
fn processes_that_share_a_directory_are_in_one_run_whoever_is_first() {
    let state = Directory::new("run");
    let scopes = std::thread::scope(|threads| {
        let join = || threads.spawn(|| Scope::shared(&Env::system(), &state.0).unwrap());
        let all: Vec<_> = (0..8).map(|_| join()).collect();
        all.into_iter().map(|one| format!("{:?}", one.join().unwrap())).collect::<Vec<_>>()
    });
    assert!(scopes.iter().all(|scope| *scope == scopes[0]), "{scopes:?}");
    let other = Directory::new("other-run");
    assert_ne!(format!("{:?}", Scope::shared(&Env::system(), &other.0).unwrap()), scopes[0]);
    let names: Vec<_> = fs::read_dir(&state.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["run"]);
    state.write("run", &["no run".to_owned()]);
    let error = Scope::shared(&Env::system(), &state.0).unwrap_err();
    assert!(error.contains("use a new directory"), "{error}");
}

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Order", id = id)]
struct Probed {
    id: String,
}

#[derive(Clone, Default)]
struct Seen(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

#[handler(group = "probe")]
async fn probe(probed: Probed, State(seen): State<Seen>) {
    seen.0.lock().unwrap().push(probed.id);
}

#[jitney::test]
async fn a_run_passes_over_the_events_of_others() {
    let (own, other) = (Scope::new(&Env::system(), []), Scope::new(&Env::system(), []));
    let (scope, seen) = (own.clone(), Seen::default());
    let state = seen.clone();
    let app = TestApp::run(move |bus| {
        scope.keep(App::new("probes", bus).state(state.clone()).handlers(handlers![probe]))
    });
    let app = app.await;
    let bus = app.running().bus();
    let probed = |id: &str| Probed { id: id.to_owned() };
    other.publisher(bus).publish(&probed("another's")).await.unwrap();
    bus.publish(&probed("nobody's")).await.unwrap();
    own.publisher(bus).publish(&probed("own")).await.unwrap();
    app.settled().await;
    assert_eq!(*seen.0.lock().unwrap(), ["own"]);
}

//! One run of one scenario: topics of its own, the records of all processes, and the judgement.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jitney::Env;
use jitney::app::RunningApp;
use jitney_testkit::history::{Expectations, Recorder, Summary, What};

use super::child::{self, Child, Orders, Role};
use super::events::{OUTPUTS, TOPIC};
use super::ledger::{Ledger, is_of};
use super::load::Load;
use super::log;
use super::watched::Topics;
use crate::backend;

/// Says how often each scenario is run.
const REPEAT: &str = "JITNEY_FAULTS_REPEAT";

/// Where it is set, this process logs as well as those that it starts.
const LOG: &str = "JITNEY_FAULTS_LOG";

/// How long anything may take that must come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// How long brokers may take to be back.
pub(crate) const HEALING: Duration = Duration::from_mins(5);

/// Faults of one scenario are not to be another's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    test: &'static str,
    seed: u64,
    pub(crate) env: Env,
    pub(crate) random: fastrand::Rng,
    /// Part of the names of its topics and groups.
    pub(crate) id: String,
    pub(crate) folder: PathBuf,
    /// Where processes connect to, with settings.
    pub(crate) url: String,
    pub(crate) ledger: Ledger,
    recorder: Recorder,
    processes: u32,
    /// How many events are to be published at least.
    planned: usize,
    /// How many more were, because what was to be broken took its time.
    extra: usize,
    /// Faults, and how many events were acked when each has landed.
    landed: Vec<(String, usize)>,
    notes: Vec<String>,
}

/// What this process publishes; see [`Run::over`].
#[derive(Debug)]
pub(crate) struct Publishing {
    planned: u64,
    over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<u64>,
}

/// Waits until no other scenario runs.
pub(crate) fn begin() -> MutexGuard<'static, ()> {
    if env::var_os(LOG).is_some() {
        log::begin();
    }
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Calls `run` as often as the environment says, each time with another seed.
pub(crate) fn each_seed(run: impl FnMut(u64)) {
    let times = env::var(REPEAT).map_or(1, |times| times.parse().expect("JITNEY_FAULTS_REPEAT is a number"));
    (1..=times).for_each(run);
}

/// Runs one run to its end.
pub(crate) fn in_runtime(run: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run);
}

impl Run {
    /// How far clocks of the processes of one machine may be apart; rounded.
    pub(crate) const CLOCK_SLACK: Duration = Duration::from_millis(5);

    /// A run of `test` on the broker at `url`, with its topics made.
    pub(crate) async fn new(test: &'static str, seed: u64, url: String) -> Self {
        let env = Env::system();
        let id = format!("{:012x}", env.random() & 0xffff_ffff_ffff);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{id}"));
        fs::create_dir_all(&folder).unwrap();
        let recorder = Recorder::to_file("faults", env.clone(), &folder.join("faults.jsonl")).unwrap();
        let mut run = Run {
            test,
            seed,
            random: fastrand::Rng::with_seed(seed),
            url,
            ledger: Ledger::new(&folder),
            env,
            id,
            folder,
            recorder,
            processes: 0,
            planned: 0,
            extra: 0,
            landed: Vec::new(),
            notes: Vec::new(),
        };
        run.make_topics().await;
        run
    }

    async fn make_topics(&mut self) {
        let orders = self.orders("topics", Role::Handle { least: 0, most: 0 });
        let bus = orders.bus().await.unwrap();
        let topic = |topic: &str| backend::topic(&self.on_broker(topic));
        bus.admin().unwrap().ensure_topics(&[topic(TOPIC), topic(OUTPUTS)]).await.unwrap();
        bus.close(PATIENCE).await.unwrap();
    }

    /// The name on the broker of an event type's topic.
    pub(crate) fn on_broker(&self, topic: &str) -> String {
        Topics::of(&self.id).on_broker(topic)
    }

    /// Orders for one more process, whose name begins with `kind`.
    pub(crate) fn orders(&mut self, kind: &str, role: Role) -> Orders {
        self.processes += 1;
        let (url, run, folder) = (self.url.clone(), self.id.clone(), self.folder.clone());
        Orders { name: format!("{kind}{}", self.processes), url, run, folder, role }
    }

    /// Starts one more process.
    pub(crate) fn child(&mut self, kind: &str, role: Role) -> Child {
        let orders = self.orders(kind, role);
        Child::start(self.test, &orders)
    }

    /// Starts one more application in this process.
    pub(crate) async fn app(&mut self, kind: &str, role: Role) -> RunningApp {
        self.orders(kind, role).start().await.unwrap()
    }

    /// Begins to publish from this process, at least until it is [`over`](Self::over).
    pub(crate) async fn publish(&mut self, load: Load) -> Publishing {
        let bus = self.orders("publisher", Role::Publish(load.clone())).bus().await.unwrap();
        let planned = load.events;
        self.planned += planned as usize;
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let task = self.env.spawn(async move {
            let published = load.publish(&bus, &told).await;
            bus.close(PATIENCE).await.unwrap();
            published
        });
        Publishing { planned, over, task }
    }

    /// Nothing more is broken: waits until the rest is published.
    pub(crate) async fn over(&mut self, publishing: Publishing) {
        publishing.over.store(true, Ordering::Relaxed);
        let published = publishing.task.await.unwrap();
        self.extra += (published - publishing.planned) as usize;
    }

    /// Events that others than [`publish`](Self::publish) are to publish.
    #[allow(dead_code, reason = "not every suite publishes by itself")]
    pub(crate) fn expect(&mut self, events: u64) {
        self.planned += events as usize;
    }

    /// Writes down that something is about to be broken, and how far the run is.
    pub(crate) fn fault(&mut self, fault: &str) {
        self.recorder.fault(fault);
        self.landmark(fault);
    }

    /// Kills a process in the middle of the run. What it took until the very end is behind the first record of it, and
    /// before the second.
    pub(crate) fn kill(&mut self, child: &mut Child) {
        let fault = format!("SIGKILL of {}", child.name);
        self.fault(&fault);
        child.kill();
        self.broken(&format!("{fault} is over"));
    }

    /// Writes down that something is broken now. Between [`fault`](Self::fault) and this it broke, while others went on.
    pub(crate) fn broken(&self, fault: &str) {
        self.recorder.fault(fault);
    }

    /// Notes how far the run is when something happens that is no fault.
    pub(crate) fn landmark(&mut self, what: &str) {
        self.ledger.refresh();
        self.landed.push((what.to_owned(), self.ledger.acked()));
    }

    /// Adds to the line that the run prints.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Waits until the records show something.
    pub(crate) async fn until(&mut self, what: &str, shows: impl Fn(&Ledger) -> bool) {
        let deadline = self.env.instant() + PATIENCE;
        loop {
            self.ledger.refresh();
            if shows(&self.ledger) {
                return;
            }
            let ledger = &self.ledger;
            assert!(
                self.env.instant() < deadline,
                "{}: waited {PATIENCE:?} in vain until {what}: {} acked, {} not acked, {} handled; see {}",
                self.test,
                ledger.acked(),
                ledger.not_acked(),
                ledger.handled(),
                self.folder.display(),
            );
            self.env.sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many hundredths of what is planned are acked.
    pub(crate) async fn until_acked(&mut self, percent: usize) {
        let enough = self.planned * percent / 100;
        self.until(&format!("{percent} % are acked"), |ledger| ledger.acked() >= enough).await;
    }

    /// Waits until everything was answered that is to be published, and all that was acked is handled.
    pub(crate) async fn until_handled(&mut self) {
        let total = self.planned + self.extra;
        self.until("all is published", |ledger| ledger.acked() + ledger.not_acked() >= total).await;
        self.until("all that was acked is handled", Ledger::all_handled).await;
    }

    /// Waits until a process that was stopped has ended well.
    pub(crate) async fn until_ended(&mut self, child: &mut Child) {
        let deadline = self.env.instant() + PATIENCE;
        let status = loop {
            if let Some(status) = child.ended() {
                break status;
            }
            assert!(self.env.instant() < deadline, "{} did not end within {PATIENCE:?}", child.name);
            self.env.sleep(Duration::from_millis(20)).await;
        };
        assert!(
            status.success(),
            "{} ended with {status}: {}",
            child.name,
            child::log(&self.folder, &child.name)
        );
    }

    /// Waits until so many more are acked, and so many more handled.
    pub(crate) async fn until_it_goes_on(&mut self, more: usize) {
        self.ledger.refresh();
        let (acked, handled) = (self.ledger.acked(), self.ledger.handled());
        self.until("all goes on", |ledger| {
            ledger.acked() > acked + more && ledger.handled() > handled + more
        })
        .await;
    }

    /// Waits until a process has handled something.
    pub(crate) async fn until_at_work(&mut self, name: &str) {
        self.until(&format!("{name} has handled something"), |ledger| ledger.settled_by(name) > 0).await;
    }

    /// What is expected of every history of this transport.
    pub(crate) fn expectations() -> Expectations {
        backend::expectations().clock_slack(Self::CLOCK_SLACK)
    }

    /// Judges the history, prints the numbers of the run, and demands that each fault landed in its middle.
    pub(crate) fn judge(&mut self, expectations: &Expectations) -> Summary {
        self.ledger.refresh();
        let checked = self.ledger.history().check(expectations);
        let summary = match &checked {
            Ok(summary) => summary,
            Err(violations) => &violations.summary,
        };
        self.print(summary);
        if let Err(violations) = checked {
            panic!("{}, seed {}: {violations}; see {}", self.test, self.seed, self.folder.display());
        }
        let (all, tenth) = (self.answered(), self.planned / 10);
        for (fault, acked) in &self.landed {
            assert!(
                (tenth..=all - tenth).contains(acked),
                "{fault} landed when {acked} of {all} events were acked, not in the middle of the run"
            );
        }
        summary.clone()
    }

    /// Demands that whatever came twice was with a process that was killed when it came first.
    pub(crate) fn only_these_gave_away(&self, killed: &[String]) {
        let mut with = HashMap::new();
        for record in self.ledger.records() {
            if let What::Delivered { member, arrival, .. } = &record.what {
                with.entry(&arrival.event).or_insert_with(Vec::new).push((record.millis, member));
            }
        }
        for (event, mut deliveries) in with {
            deliveries.sort_unstable();
            for (_, member) in &deliveries[..deliveries.len() - 1] {
                let is_dead = killed.iter().any(|name| is_of(member, name));
                assert!(is_dead, "{event} came again, though {member}, who had it, was never killed");
            }
        }
    }

    /// How many publishes were answered, this way or that.
    fn answered(&self) -> usize {
        self.ledger.acked() + self.ledger.not_acked()
    }

    /// One line, past the capture of output: it is there whether the test passes or not.
    fn print(&self, summary: &Summary) {
        let Summary { published, acked, duplicates, out_of_order, lost, longest_gap, .. } = summary;
        let percents = || self.landed.iter().map(|(_, acked)| acked * 100 / self.answered().max(1));
        let landed = match (&self.landed[..], percents().min(), percents().max()) {
            ([(fault, _)], Some(percent), _) => format!("{fault} at {percent} %"),
            (all, Some(first), Some(last)) => format!("{} faults at {first} to {last} %", all.len()),
            _ => "no fault".to_owned(),
        };
        let notes: String = self.notes.iter().map(|note| format!("; {note}")).collect();
        let line = format!(
            "faults: {}, seed {}: published {published}, acked {acked}, handled {}, duplicates {} ({duplicates} \
             delivered again), out of order {out_of_order}, lost {lost}, longest stall {} ms; {landed}{notes}",
            self.test,
            self.seed,
            self.ledger.handled(),
            self.ledger.handled_again(),
            longest_gap.as_millis(),
        );
        let mut err = std::io::stderr();
        writeln!(err, "{line}").unwrap();
    }

    /// Ends a run that was right.
    pub(crate) fn end(self) {
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

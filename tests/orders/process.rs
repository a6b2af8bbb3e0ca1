//! The example as processes: built once, started, fed, stopped and killed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;

/// The bound of everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(180);
/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(20);

/// A broker serves one test of many processes at a time.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The brokers and stores that are compiled in.
const FEATURES: &[&str] = &[
    #[cfg(feature = "eventbridge")]
    "eventbridge",
    #[cfg(feature = "kafka")]
    "kafka",
    #[cfg(feature = "postgres")]
    "postgres",
    #[cfg(feature = "rabbitmq")]
    "rabbitmq",
    #[cfg(feature = "sqlite")]
    "sqlite",
];

/// Kafka, which gives the events of a killed process to others within seconds.
#[cfg(feature = "kafka")]
pub fn kafka() -> String {
    let url = jitney_test_servers::kafka_url().unwrap_or_else(|error| panic!("{error}"));
    format!("{url}/?session.timeout.ms=6000&heartbeat.interval.ms=1000")
}

fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var("CARGO").unwrap();
        let arguments = ["build", "--example", "orders", "--message-format", "json", "--features"];
        let mut build = Command::new(cargo);
        build.args(arguments).arg(FEATURES.join(","));
        let built = build.stderr(Stdio::inherit()).output().unwrap();
        assert!(built.status.success(), "the example was not built");
        let lines = built.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        let made = messages.filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)));
        made.reduce(|_, later| later).unwrap()
    })
}

/// The example with these arguments, parted by spaces, on the bus that `url` leads to.
pub fn command(url: &str, arguments: &str) -> Command {
    let mut command = Command::new(program());
    command.args(arguments.split(' ')).env("JITNEY_URL", url).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn output(mut command: Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    within(move || child.wait_with_output().unwrap(), || signal(id, "KILL"))
}

/// Its figures.
pub fn figures(command: Command) -> Value {
    let Output { status, stdout, stderr } = output(command);
    assert!(status.success(), "{status}: {}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

/// `figures` without what is told of the process that prints it.
pub fn of_orders(mut figures: Value) -> Value {
    let fields = figures.as_object_mut().unwrap();
    fields.retain(|name, _| !["handled", "duplicates", "retries"].contains(&&**name));
    figures
}

/// A process that runs beside the test; it is killed where the test fails.
pub struct Process(Option<Child>);

impl Process {
    pub fn start(mut command: Command) -> Self {
        Process(Some(command.spawn().unwrap()))
    }

    /// Started with an input that the test writes.
    pub fn start_fed(mut command: Command) -> Self {
        Process::start({
            command.stdin(Stdio::piped());
            command
        })
    }

    pub fn feed(&mut self, text: &str) {
        let input = self.0.as_mut().and_then(|child| child.stdin.as_mut()).unwrap();
        input.write_all(text.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Waits for its end, which is to be a good one. Ends its input.
    pub fn end(mut self) {
        let mut child = self.0.take().unwrap();
        let id = child.id();
        let status = within(move || child.wait().unwrap(), || signal(id, "KILL"));
        assert!(status.success(), "{status}");
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        signal(self.0.as_ref().unwrap().id(), "TERM");
    }
}

impl Drop for Process {
    /// Ends it at once, as SIGKILL does.
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(process.to_string()).status().unwrap();
    assert!(sent.success(), "sending SIG{name} to {process}");
}

/// What `wait` answers, within the bound; behind that, `give_up` is called and the test fails.
fn within<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static, give_up: impl FnOnce()) -> T {
    let (tell, told) = channel();
    std::thread::spawn(move || drop(tell.send(wait())));
    told.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        give_up();
        panic!("a process has not ended within {PATIENCE:?}")
    })
}

/// Waits until `condition` holds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..PATIENCE.as_millis() / PAUSE.as_millis() {
        if condition() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("{what}: not within {PATIENCE:?}");
}

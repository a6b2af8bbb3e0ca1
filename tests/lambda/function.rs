//! A function of Lambda: this test program again, told by its environment which application it serves.

use std::env;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use jitney::Env;
use jitney_eventbridge::lambda;
use serde_json::Value;

use super::apps::app;
use super::runtime_api::{Heard, RuntimeApi};

const VARIABLE: &str = "JITNEY_LAMBDA_TEST_APP";
const API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Serves the application that this process was started for; false where it is no function.
pub(crate) fn served() -> bool {
    let Ok(name) = env::var(VARIABLE) else { return false };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async { lambda::run(app(&name).await).await });
    eprintln!("ended: {ended:?}");
    std::process::exit(i32::from(ended.is_err()));
}

/// Tells the test something, before anything else goes on.
pub(crate) fn say(line: impl Into<String>) {
    let (line, address) = (line.into(), env::var(API).unwrap());
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "POST /said HTTP/1.1\r\nContent-Length: {}\r\n\r\n{line}", line.len()).unwrap();
    // It has been heard when the answer begins.
    stream.read_exact(&mut [0]).unwrap();
}

/// A function with its Runtime API. Dropped, it is killed.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) api: RuntimeApi,
    child: Child,
    log: PathBuf,
}

impl Function {
    /// Starts the function that serves the application called `app`, from inside of a test that begins with [`served`].
    pub(crate) fn start(app: &str) -> Self {
        Function::start_with(app, |_| {})
    }

    /// The same in another environment.
    pub(crate) fn start_with(app: &str, change: impl FnOnce(&mut Command)) -> Self {
        let api = RuntimeApi::serve();
        let test = std::thread::current().name().unwrap().to_owned();
        let log = format!("lambda-{:016x}.log", Env::system().random());
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(log);
        let output = File::create(&log).unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command
            .args(["--exact", &test, "--nocapture", "--test-threads=2"])
            .env(VARIABLE, app)
            .env(API, api.address.to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", "test")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        change(&mut command);
        let child = command.spawn().unwrap();
        Function { api, child, log }
    }

    /// Invokes it with `payload` and time enough.
    pub(crate) fn invoke(&self, payload: Value) -> Heard {
        self.api.invoke(payload, Duration::from_secs(60))
    }

    /// Waits until it ends by itself; answers how, and what it printed.
    pub(crate) fn ended(&mut self) -> (ExitStatus, String) {
        (self.child.wait().unwrap(), std::fs::read_to_string(&self.log).unwrap())
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
        let _ = std::fs::remove_file(&self.log);
    }
}

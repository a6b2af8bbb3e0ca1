//! The Lambda Runtime API, served to one function; it also takes down what the function has to say, in one order with its
//! answers.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use jitney::Env;
use serde_json::Value;

/// How long to wait for anything.
const PATIENCE: Duration = Duration::from_secs(180);
const RUNTIME: &str = "/2018-06-01/runtime";

/// What came from the function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    /// A handler or a hook said something.
    Said(String),
    /// The answer to an invocation.
    Answered(Value),
    /// The error of an invocation.
    Failed(Value),
    /// The error of a start.
    NotStarted(Value),
}

#[derive(Debug)]
pub(crate) struct RuntimeApi {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Times and payloads.
    invocations: VecDeque<(Duration, Value)>,
    heard: Vec<Heard>,
}

impl RuntimeApi {
    pub(crate) fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let served = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&served);
                // A function that is gone takes its connection along.
                thread::spawn(move || drop(converse(stream, &shared)));
            }
        });
        RuntimeApi { address, shared }
    }

    /// Invokes the function with `payload`, which it has so much time for; answers what it answers.
    pub(crate) fn invoke(&self, payload: Value, time: Duration) -> Heard {
        let before = {
            let mut state = self.shared.state.lock().unwrap();
            state.invocations.push_back((time, payload));
            self.shared.changed.notify_all();
            state.heard.len()
        };
        self.wait_for(before, |heard| !matches!(heard, Heard::Said(_)))
    }

    /// The first thing behind so many others for which `wanted` holds.
    pub(crate) fn wait_for(&self, behind: usize, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let state = self.shared.state.lock().unwrap();
        let find = |state: &State| state.heard.iter().skip(behind).find(|heard| wanted(heard)).cloned();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, |state| find(state).is_none());
        let (state, _) = waited.unwrap();
        find(&state).unwrap_or_else(|| panic!("the function does not say it: {:?}", state.heard))
    }

    /// Everything that came, in its order.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.shared.state.lock().unwrap().heard.clone()
    }

    /// What handlers and hooks said.
    pub(crate) fn said(&self) -> Vec<String> {
        let said = |heard| match heard {
            Heard::Said(line) => Some(line),
            _ => None,
        };
        self.heard().into_iter().filter_map(said).collect()
    }
}

impl Shared {
    fn hear(&self, heard: Heard) {
        self.state.lock().unwrap().heard.push(heard);
        self.changed.notify_all();
    }

    /// The next invocation.
    fn next(&self) -> (Duration, Value) {
        let state = self.state.lock().unwrap();
        let mut state = self.changed.wait_while(state, |state| state.invocations.is_empty()).unwrap();
        state.invocations.pop_front().unwrap()
    }
}

/// One connection.
fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut output = stream;
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            input.read_line(&mut header)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body)?;
        let (head, body) = answer(&path, &body, shared);
        write!(output, "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    }
}

fn answer(path: &str, body: &[u8], shared: &Shared) -> (String, String) {
    let json = || serde_json::from_slice(body).unwrap_or(Value::Null);
    let accepted = ("202 Accepted".to_owned(), String::new());
    let Some(path) = path.strip_prefix(RUNTIME) else {
        shared.hear(Heard::Said(String::from_utf8_lossy(body).into_owned()));
        return accepted;
    };
    match path {
        "/invocation/next" => {
            let (time, payload) = shared.next();
            let deadline = Env::system().now() + time;
            let head = format!(
                "200 OK\r\nLambda-Runtime-Aws-Request-Id: r-{}\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:test\r\n\
                 Content-Type: application/json",
                shared.state.lock().unwrap().heard.len(),
                deadline.as_millisecond(),
            );
            return (head, payload.to_string());
        }
        "/init/error" => shared.hear(Heard::NotStarted(json())),
        _ if path.ends_with("/response") => shared.hear(Heard::Answered(json())),
        _ if path.ends_with("/error") => shared.hear(Heard::Failed(json())),
        _ => return ("404 Not Found".to_owned(), String::new()),
    }
    accepted
}

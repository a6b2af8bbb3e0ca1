//! A network that breaks when it is told to: a TCP proxy between clients and one broker.
//!
//! It listens where clients are told that the broker is, and passes bytes both ways. Connections can be cut, slowed down,
//! and left without a word.
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//! use jitney_testkit::proxy::Proxy;
//!
//! # fn main() -> std::io::Result<()> {
//! let broker = TcpListener::bind("127.0.0.1:0")?;
//! let proxy = Proxy::new("127.0.0.1:0".parse().expect("an address"), broker.local_addr()?)?;
//! let mut client = TcpStream::connect(proxy.address())?;
//! client.write_all(b"hello")?;
//! let mut arrived = [0; 5];
//! broker.accept()?.0.read_exact(&mut arrived)?;
//! assert_eq!(&arrived, b"hello");
//!
//! proxy.cut();
//! assert_eq!(client.read(&mut arrived).unwrap_or(0), 0); // the connection has ended
//! # Ok(()) }
//! ```

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A proxy in front of one address. Dropped, it cuts its connections and listens no more.
///
/// Each connection has two threads, which end with it. No call blocks for longer than it takes to close sockets.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    mode: Mode,
    delay: Duration,
    is_over: bool,
    /// What begins with the first request that is such.
    trigger: Option<(Trigger, Mode)>,
    connections: Vec<TcpStream>,
}

type Trigger = Box<dyn Fn(&[u8]) -> bool + Send>;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Passing,
    Cut,
    Stalled,
    AnswersHeld,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

impl Proxy {
    /// Listens at `listen` (port 0 takes a free one) and connects to `target` for each client.
    ///
    /// # Errors
    ///
    /// When `listen` cannot be bound. A target that does not answer is no error: its clients are hung up on.
    pub fn new(listen: SocketAddr, target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { target, state: Mutex::default(), changed: Condvar::new() });
        let accepting = Arc::clone(&shared);
        thread::Builder::new().name("proxy".to_owned()).spawn(move || accepting.accept(&listener))?;
        Ok(Proxy { address, shared })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and each new one as soon as it comes, until [`restore`](Proxy::restore).
    pub fn cut(&self) {
        let mut state = self.shared.lock();
        state.mode = Mode::Cut;
        state.hang_up();
        self.shared.changed.notify_all();
    }

    /// Accepts connections and keeps those that are there, but passes nothing, until [`restore`](Proxy::restore). What
    /// arrives meanwhile is passed on then.
    pub fn stall(&self) {
        self.shared.set(|state| state.mode = Mode::Stalled);
    }

    /// Passes on what clients send and nothing of what they are answered, until [`restore`](Proxy::restore) or
    /// [`cut`](Proxy::cut): what a client asked for is done, and it does not learn so.
    pub fn hold_answers(&self) {
        self.shared.set(|state| state.mode = Mode::AnswersHeld);
    }

    /// As [`hold_answers`](Proxy::hold_answers), from the next request on that `is_it` says: the answer to that one is the
    /// first that is held. It is asked about each piece that a client sends, which is mostly one request, but may be a part
    /// of one, or several.
    pub fn hold_answers_from(&self, is_it: impl Fn(&[u8]) -> bool + Send + 'static) {
        self.shared.set(|state| state.trigger = Some((Box::new(is_it), Mode::AnswersHeld)));
    }

    /// As [`stall`](Proxy::stall), from the next request on that `is_it` says: that one is the first that is not passed on. It is
    /// asked as in [`hold_answers_from`](Proxy::hold_answers_from). What is kept back is lost when the connections are
    /// [`cut`](Proxy::cut).
    pub fn stall_from(&self, is_it: impl Fn(&[u8]) -> bool + Send + 'static) {
        self.shared.set(|state| state.trigger = Some((Box::new(is_it), Mode::Stalled)));
    }

    /// Whether connections are cut or stalled, or answers held, now.
    pub fn is_disturbed(&self) -> bool {
        self.shared.lock().mode != Mode::Passing
    }

    /// Waits for `delay` before each piece that is passed on, either way. Stays in force until it is set to zero.
    pub fn delay(&self, delay: Duration) {
        self.shared.set(|state| state.delay = delay);
    }

    /// Ends [`cut`](Proxy::cut), [`stall`](Proxy::stall) and [`hold_answers`](Proxy::hold_answers), also those that would
    /// still come.
    pub fn restore(&self) {
        self.shared.set(|state| {
            state.mode = Mode::Passing;
            state.trigger = None;
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.cut();
        // Wakes the thread that accepts, where it can be reached.
        let _ = TcpStream::connect(self.address);
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Proxy { address, shared } = self;
        f.debug_struct("Proxy")
            .field("address", address)
            .field("target", &shared.target)
            .finish_non_exhaustive()
    }
}

impl State {
    fn look_at(&mut self, request: &[u8]) {
        if let Some((_, mode)) = self.trigger.take_if(|(is_it, _)| is_it(request)) {
            self.mode = mode;
        }
    }

    fn hang_up(&mut self) {
        for connection in self.connections.drain(..) {
            // It may have ended.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.lock().is_over {
                return;
            }
            // A client that cannot be served is hung up on.
            let _ = client.and_then(|client| self.connect(client));
        }
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        if self.lock().mode == Mode::Cut {
            return Ok(());
        }
        let broker = TcpStream::connect(self.target)?;
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        let ways = [
            (client.try_clone()?, broker.try_clone()?, Way::Request),
            (broker.try_clone()?, client.try_clone()?, Way::Answer),
        ];
        let mut state = self.lock();
        state.connections.extend([client, broker]);
        if state.mode == Mode::Cut {
            // It was cut meanwhile.
            state.hang_up();
        }
        drop(state);
        for (from, to, way) in ways {
            let shared = Arc::clone(self);
            thread::Builder::new().name("proxied".to_owned()).spawn(move || shared.pass(from, to, way))?;
        }
        Ok(())
    }

    /// Passes on what comes until one of the two ends.
    fn pass(&self, mut from: TcpStream, mut to: TcpStream, way: Way) {
        let mut piece = [0; 64 << 10];
        loop {
            let length = match from.read(&mut piece) {
                Ok(0) | Err(_) => break,
                Ok(length) => length,
            };
            if way == Way::Request {
                self.lock().look_at(&piece[..length]);
            }
            thread::sleep(self.wait(way));
            if to.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        for end in [from, to] {
            // The other direction ends with this one.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Waits while nothing is passed this way; answers how long the next piece is to wait.
    fn wait(&self, way: Way) -> Duration {
        let is_held = |state: &mut State| match state.mode {
            Mode::Stalled => true,
            Mode::AnswersHeld => way == Way::Answer,
            Mode::Passing | Mode::Cut => false,
        };
        self.changed.wait_while(self.lock(), is_held).unwrap_or_else(PoisonError::into_inner).delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: &str = "127.0.0.1:0";

    /// A broker that sends back what it gets, in capital letters.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                thread::spawn(move || {
                    let mut letters = [0; 16];
                    while let Ok(length @ 1..) = connection.read(&mut letters) {
                        letters[..length].make_ascii_uppercase();
                        if connection.write_all(&letters[..length]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let client = TcpStream::connect(proxy.address()).unwrap();
        client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        client
    }

    fn ask(client: &mut TcpStream, letter: u8) -> Option<u8> {
        client.write_all(&[letter]).ok()?;
        answer(client)
    }

    fn answer(client: &mut TcpStream) -> Option<u8> {
        let mut answer = [0];
        client.read_exact(&mut answer).ok().map(|()| answer[0])
    }

    #[test]
    fn connections_are_cut_and_new_ones_pass_when_it_is_restored() {
        let proxy = Proxy::new(LOCAL.parse().unwrap(), echo()).unwrap();
        let mut before = connect(&proxy);
        assert_eq!(ask(&mut before, b'a'), Some(b'A'));
        proxy.cut();
        assert_eq!(ask(&mut before, b'b'), None);
        assert_eq!(ask(&mut connect(&proxy), b'c'), None);
        proxy.restore();
        assert_eq!(ask(&mut before, b'd'), None, "what was cut stays cut");
        assert_eq!(ask(&mut connect(&proxy), b'e'), Some(b'E'));
    }

    #[test]
    fn answers_are_held_from_the_request_on_that_was_named() {
        let proxy = Proxy::new(LOCAL.parse().unwrap(), echo()).unwrap();
        let mut client = connect(&proxy);
        proxy.hold_answers_from(|request| request == b"b");
        assert_eq!(ask(&mut client, b'a'), Some(b'A'));
        assert!(!proxy.is_disturbed());
        assert_eq!(ask(&mut client, b'b'), None);
        assert!(proxy.is_disturbed());
        proxy.restore();
        assert_eq!(answer(&mut client), Some(b'B'));
    }

    #[test]
    fn what_is_stalled_or_held_arrives_when_it_is_restored() {
        let proxy = Proxy::new(LOCAL.parse().unwrap(), echo()).unwrap();
        let mut client = connect(&proxy);
        for hold in [Proxy::stall, Proxy::hold_answers] {
            hold(&proxy);
            assert_eq!(ask(&mut client, b'a'), None);
            proxy.restore();
            assert_eq!(answer(&mut client), Some(b'A'));
        }
    }
}

//! Asking a server of ours by HTTP: one request on a connection of its own, written by hand.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const LONGEST_ANSWER: u64 = 1024 * 1024;

/// A request without a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    /// `GET`, `POST` and so on.
    pub(crate) method: &'a str,
    /// The path, with what follows it.
    pub(crate) path: &'a str,
    /// The user and the password, as base 64 of `USER:PASSWORD`.
    pub(crate) login: Option<&'a str>,
}

/// What a server said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    /// The status, as 200.
    pub(crate) status: u16,
    /// The body, as it came on the wire.
    pub(crate) body: String,
}

impl Request<'_> {
    /// Sends it to `address`; a server that is silent for `limit` is an error.
    pub(crate) fn send(self, address: SocketAddr, limit: Duration) -> io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.write_all(self.text(address).as_bytes())?;
        let mut bytes = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut bytes)?;
        answer(&String::from_utf8_lossy(&bytes))
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not one of HTTP"))
    }

    fn text(self, address: SocketAddr) -> String {
        let Self { method, path, login } = self;
        let login = login.map_or_else(String::new, |login| format!("Authorization: Basic {login}\r\n"));
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{login}Content-Length: 0\r\nConnection: close\r\n\r\n"
        )
    }
}

fn answer(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const REQUEST: Request<'_> = Request { method: "GET", path: "/health", login: Some("abc") };

    #[test]
    fn a_request_is_answered_with_status_and_body() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = vec![0; REQUEST.text(address).len()];
            stream.read_exact(&mut seen).unwrap();
            stream.write_all(b"HTTP/1.1 503 Unavailable\r\nA: b\r\n\r\nno").unwrap();
            String::from_utf8(seen).unwrap()
        });
        let answer = REQUEST.send(address, Duration::from_secs(10)).unwrap();
        assert_eq!(answer, Answer { status: 503, body: "no".into() });
        let seen = server.join().unwrap();
        assert!(seen.starts_with("GET /health HTTP/1.1\r\n"), "{seen}");
        assert!(seen.contains("\r\nAuthorization: Basic abc\r\n"), "{seen}");
    }

    #[test]
    fn what_is_cut_short_or_something_else_is_no_answer() {
        for text in ["", "HTTP/1.1 200 OK\r\n", "AMQP\0\0\u{9}\u{1}", "HTTP/1.1 2\r\n\r\n", "SSH-2.0\r\n\r\n"]
        {
            assert_eq!(answer(text), None, "{text}");
        }
    }
}

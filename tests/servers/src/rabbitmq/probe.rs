//! Asking a RabbitMQ whether it serves: the beginning of an AMQP connection, written by hand.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const GREETING: &[u8; 8] = b"AMQP\x00\x00\x09\x01";

/// The type of the frame, its channel, its length.
const HEAD: usize = 7;

/// The class and the method of `connection.start`.
const START: [u8; 4] = [0, 10, 0, 10];

const LONGEST_FRAME: usize = 128 * 1024;

/// Greets the server at `address`, and finds the node called `name` there.
pub(crate) fn ask(address: SocketAddr, name: &str, limit: Duration) -> Result<(), String> {
    let start = greet(address, limit).map_err(|error| format!("{address}: {error}"))?;
    // Among the properties that the server tells is its cluster's name: that of the node with the machine's own behind.
    let is_ours = start.windows(name.len()).any(|part| part == name.as_bytes());
    if is_ours { Ok(()) } else { Err(format!("{address} is a RabbitMQ that is not ours")) }
}

fn greet(address: SocketAddr, limit: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(GREETING)?;
    let mut head = [0; HEAD];
    stream.read_exact(&mut head)?;
    let length = payload_length(head).ok_or_else(damaged)?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    if payload.starts_with(&START) { Ok(payload) } else { Err(damaged()) }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not that of a RabbitMQ")
}

/// The length of the payload of a frame that begins with `head`, if it is one that has a method.
fn payload_length(head: [u8; HEAD]) -> Option<usize> {
    const METHOD: u8 = 1;
    let [METHOD, _, _, length @ ..] = head else { return None };
    usize::try_from(u32::from_be_bytes(length)).ok().filter(|length| *length <= LONGEST_FRAME)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// What `ask` makes of a server that answers with `bytes`.
    fn asked(bytes: &'static [u8], name: &str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut greeting = [0; GREETING.len()];
            stream.read_exact(&mut greeting).unwrap();
            stream.write_all(bytes).unwrap();
        });
        let answer = ask(address, name, LIMIT);
        server.join().unwrap();
        answer
    }

    #[test]
    fn the_node_that_is_asked_for_serves_and_another_is_a_stranger() {
        let start = b"\x01\x00\x00\x00\x00\x00\x0b\x00\x0a\x00\x0a\x00rabbit";
        asked(start, "rabbit").unwrap();
        assert!(asked(start, "other").unwrap_err().ends_with("is a RabbitMQ that is not ours"));
    }

    #[test]
    fn what_is_cut_short_or_answers_something_else_is_an_error() {
        for bytes in [
            &b""[..],
            b"\x01\x00\x00\x00\x00\x00\x09\x00",
            b"AMQP\x00\x00\x09\x01",
            b"\x01\x00\x00\xff\xff\xff\xff",
        ] {
            assert!(asked(bytes, "").is_err(), "{bytes:?}");
        }
    }
}

//! Asking a PostgreSQL whether it serves: a connection and one query, written by hand.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::settings::USER;

/// Version 3.0 of the protocol.
const VERSION: u32 = 3 << 16;

const QUERY: &[u8] = b"show cluster_name\0";

const LONGEST_MESSAGE: usize = 64 * 1024;

/// Connects to the server at `address`, and finds it to be called `name`.
pub(crate) fn ask(address: SocketAddr, name: &str, limit: Duration) -> Result<(), String> {
    let row = query(address, limit).map_err(|error| format!("{address}: {error}"))?;
    let is_ours = row.ends_with(name.as_bytes());
    if is_ours { Ok(()) } else { Err(format!("{address} is a PostgreSQL that is not ours")) }
}

/// The one row that the query gives.
fn query(address: SocketAddr, limit: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    let start = format!("user\0{USER}\0database\0postgres\0\0");
    stream.write_all(&[&VERSION.to_be_bytes(), start.as_bytes()].concat().framed())?;
    find(&mut stream, b'Z')?;
    stream.write_all(&[b"Q".as_slice(), &QUERY.framed()].concat())?;
    find(&mut stream, b'D')
}

/// The first message of `kind`; one that says why there is none is an error.
fn find(stream: &mut TcpStream, kind: u8) -> io::Result<Vec<u8>> {
    loop {
        let (found, body) = message(stream)?;
        match found {
            b'E' => return Err(io::Error::other(reason(&body))),
            _ if found == kind => return Ok(body),
            _ => {}
        }
    }
}

fn message(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let [kind, length @ ..] = head;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    let length = length.checked_sub(4).filter(|length| *length <= LONGEST_MESSAGE);
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not that of a PostgreSQL");
    let mut body = vec![0; length.ok_or_else(damaged)?];
    stream.read_exact(&mut body)?;
    Ok((kind, body))
}

/// The field of an error that is its message.
fn reason(body: &[u8]) -> String {
    let message = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"M"));
    String::from_utf8_lossy(message.unwrap_or_default()).into_owned()
}

trait Framed {
    fn framed(&self) -> Vec<u8>;
}

impl Framed for [u8] {
    /// The bytes behind their length, which counts itself.
    fn framed(&self) -> Vec<u8> {
        let length = u32::try_from(self.len() + 4).expect("what is sent is short");
        [&length.to_be_bytes(), self].concat()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn sent(kind: u8, body: &[u8]) -> Vec<u8> {
        [&[kind], body.framed().as_slice()].concat()
    }

    /// What `ask` makes of a server that answers with `bytes`.
    fn asked(bytes: Vec<u8>, name: &str) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut length = [0; 4];
            stream.read_exact(&mut length).unwrap();
            let mut start = vec![0; u32::from_be_bytes(length) as usize - 4];
            stream.read_exact(&mut start).unwrap();
            stream.write_all(&bytes).unwrap();
            // Until the other side hangs up, with all that it still wants to say: else the answer might never arrive.
            let _ =
                stream.shutdown(std::net::Shutdown::Write).and_then(|()| stream.read_to_end(&mut Vec::new()));
        });
        let answer = ask(address, name, LIMIT);
        server.join().unwrap();
        answer
    }

    #[test]
    fn the_server_that_is_asked_for_serves_and_another_is_a_stranger() {
        let row = [0, 1, 0, 0, 0, 4, b'm', b'i', b'n', b'e'];
        let answer = [sent(b'R', &[0; 4]), sent(b'Z', b"I"), sent(b'T', b"..."), sent(b'D', &row)].concat();
        asked(answer.clone(), "mine").unwrap();
        assert!(asked(answer, "other").unwrap_err().ends_with("is a PostgreSQL that is not ours"));
    }

    #[test]
    fn one_that_starts_says_so() {
        let error = sent(b'E', b"SFATAL\0C57P03\0Mthe database system is starting up\0\0");
        assert!(asked(error, "").unwrap_err().ends_with(": the database system is starting up"));
    }

    #[test]
    fn what_is_cut_short_or_something_else_is_an_error() {
        for bytes in [&b""[..], b"R\0\0\0\x08\0", b"HTTP/1.1 400", b"Z\0\0\0\0", b"Z\xff\xff\xff\xff"] {
            assert!(asked(bytes.to_vec(), "").is_err(), "{bytes:?}");
        }
    }
}

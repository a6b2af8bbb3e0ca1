//! Asking a broker whether it serves: one metadata request, written by hand.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const METADATA: i16 = 3;
const VERSION: i16 = 2;
const CORRELATION: i32 = 7;
const LONGEST_ANSWER: usize = 1024 * 1024;

/// What a broker knows of its cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    /// The numbers of the brokers that are alive, in rising order.
    pub(crate) brokers: Vec<i32>,
    /// The cluster's id.
    pub(crate) cluster_id: String,
}

/// Asks the broker at `address`; a frozen one is an error after `limit`.
pub(crate) fn ask(address: SocketAddr, limit: Duration) -> io::Result<Answer> {
    exchange(address, limit).map_err(|error| match error.kind() {
        // What a read that takes too long says differs from system to system.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, format!("{address} did not answer in time"))
        }
        _ => error,
    })
}

fn exchange(address: SocketAddr, limit: Duration) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.write_all(&request())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST_ANSWER {
        return Err(damaged());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    answer(&body).ok_or_else(damaged)
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not that of a Kafka broker")
}

/// Length; key, version and correlation id of the request; the client's name; an empty list of topics.
fn request() -> Vec<u8> {
    const CLIENT: &[u8; 6] = b"jitney";
    let mut body = Vec::new();
    body.extend(METADATA.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(CORRELATION.to_be_bytes());
    body.extend((CLIENT.len() as i16).to_be_bytes());
    body.extend(CLIENT);
    body.extend(0_i32.to_be_bytes());
    let mut request = (body.len() as i32).to_be_bytes().to_vec();
    request.extend(body);
    request
}

/// Correlation id; brokers (number, host, port, rack); the cluster's id.
fn answer(body: &[u8]) -> Option<Answer> {
    let mut rest = body;
    if int32(&mut rest)? != CORRELATION {
        return None;
    }
    let count = int32(&mut rest)?;
    let mut brokers = Vec::new();
    for _ in 0..count {
        brokers.push(int32(&mut rest)?);
        string(&mut rest)?;
        int32(&mut rest)?;
        string(&mut rest)?;
    }
    brokers.sort_unstable();
    let cluster_id = String::from_utf8(string(&mut rest)?.to_vec()).ok()?;
    Some(Answer { brokers, cluster_id })
}

fn int32(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

/// A string; one that is null reads as empty.
fn string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (bytes, after) = rest.split_first_chunk()?;
    let length = usize::try_from(i16::from_be_bytes(*bytes)).unwrap_or(0);
    let (text, after) = after.split_at_checked(length)?;
    *rest = after;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(brokers: &[i32]) -> Vec<u8> {
        let mut body = CORRELATION.to_be_bytes().to_vec();
        body.extend((brokers.len() as i32).to_be_bytes());
        for id in brokers {
            body.extend(id.to_be_bytes());
            body.extend([0, 1, b'h']);
            body.extend(9092_i32.to_be_bytes());
            body.extend((-1_i16).to_be_bytes());
        }
        body.extend([0, 2, b'i', b'd']);
        body
    }

    #[test]
    fn an_answer_has_the_brokers_and_the_cluster() {
        let answer = answer(&body(&[3, 1])).unwrap();
        assert_eq!(answer, Answer { brokers: vec![1, 3], cluster_id: "id".into() });
    }

    #[test]
    fn what_is_cut_short_or_answers_something_else_is_no_answer() {
        let whole = body(&[1]);
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end]), None, "cut at {end}");
        }
        assert_eq!(answer(&[0; 64]), None);
    }

    #[test]
    fn a_server_that_takes_the_connection_and_is_silent_is_an_error() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let error = ask(silent.local_addr().unwrap(), Duration::from_millis(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_request_says_its_length_first() {
        let request = request();
        assert_eq!(request[..4], (request.len() as i32 - 4).to_be_bytes());
    }
}

//! Records that no client writes, in a produce request made by hand: header names that are not UTF-8, no time at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::broker::plain_url;

/// A record as bytes.
pub(crate) struct Odd<'a> {
    pub(crate) value: &'a [u8],
    pub(crate) headers: &'a [(&'a [u8], &'a [u8])],
    /// In milliseconds; -1 is none.
    pub(crate) time: i64,
}

/// Writes `odd` to partition 0 of `topic`, with the key `a`; blocks.
pub(crate) fn write(topic: &str, odd: &Odd<'_>) {
    let url = plain_url();
    let address = url.trim_start_matches("kafka://").split(',').next().unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(&sized(&request(topic, &batch(odd)))).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    // Behind correlation id, one topic with its name, and one partition with its number.
    let code = &answer[4 + 4 + 2 + topic.len() + 4 + 4..][..2];
    assert_eq!(code, [0, 0], "the broker has taken it");
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as i32).to_be_bytes()[..], bytes].concat()
}

/// Produce, version 3: acks of all, within 30 s, one topic, one partition.
fn request(topic: &str, batch: &[u8]) -> Vec<u8> {
    let mut request = Vec::new();
    request.extend([0, 0, 0, 3, 0, 0, 0, 1]);
    request.extend((-1_i16).to_be_bytes());
    request.extend((-1_i16).to_be_bytes());
    request.extend((-1_i16).to_be_bytes());
    request.extend(30_000_i32.to_be_bytes());
    request.extend(1_i32.to_be_bytes());
    request.extend((topic.len() as i16).to_be_bytes());
    request.extend(topic.as_bytes());
    request.extend(1_i32.to_be_bytes());
    request.extend(0_i32.to_be_bytes());
    request.extend(sized(batch));
    request
}

/// A record batch of version 2 with one record.
fn batch(odd: &Odd<'_>) -> Vec<u8> {
    let mut record = vec![0, 0, 0];
    bytes(&mut record, b"a");
    bytes(&mut record, odd.value);
    varint(&mut record, odd.headers.len() as i64);
    for (name, value) in odd.headers {
        bytes(&mut record, name);
        bytes(&mut record, value);
    }
    let mut checked = Vec::new();
    checked.extend(0_i16.to_be_bytes());
    checked.extend(0_i32.to_be_bytes());
    checked.extend(odd.time.to_be_bytes());
    checked.extend(odd.time.to_be_bytes());
    checked.extend((-1_i64).to_be_bytes());
    checked.extend((-1_i16).to_be_bytes());
    checked.extend((-1_i32).to_be_bytes());
    checked.extend(1_i32.to_be_bytes());
    bytes(&mut checked, &record);
    let mut rest = Vec::new();
    rest.extend((-1_i32).to_be_bytes());
    rest.push(2);
    rest.extend(crc32c(&checked).to_be_bytes());
    rest.extend(checked);
    [&0_i64.to_be_bytes()[..], &sized(&rest)].concat()
}

fn bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    varint(to, bytes.len() as i64);
    to.extend(bytes);
}

/// Zigzag, seven bits a byte.
fn varint(to: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

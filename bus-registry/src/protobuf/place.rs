//! Where a message is in its file: the numbers of the messages around it and its own, as Confluent's format has it before the
//! message. A zero alone is short for the first message.

use prost_reflect::{FileDescriptor, MessageDescriptor};

use super::payload;
use crate::{Error, MAX_PAYLOAD_DEPTH};

/// The place of `message`.
pub(super) fn written(message: &MessageDescriptor) -> Vec<u8> {
    let mut numbers = vec![number(message)];
    let mut inner = message.parent_message();
    while let Some(outer) = inner {
        numbers.push(number(&outer));
        inner = outer.parent_message();
    }
    numbers.reverse();
    if numbers == [0] {
        return vec![0];
    }
    let mut out = Vec::new();
    long(numbers.len() as i64, &mut out);
    for number in numbers {
        long(number as i64, &mut out);
    }
    out
}

/// The message that the place at the start of `bytes` leads to, and the bytes behind it.
pub(super) fn read<'b>(
    file: &FileDescriptor,
    mut bytes: &'b [u8],
) -> Result<(MessageDescriptor, &'b [u8]), Error> {
    let depth = take(&mut bytes)?;
    if !(0..=MAX_PAYLOAD_DEPTH as i64).contains(&depth) {
        return Err(payload(format!("a message {depth} deep in its file is none")));
    }
    let nowhere =
        |number| payload(format!("its file has no message of the number {number} where one is named"));
    let find = |number: i64, mut among: Box<dyn Iterator<Item = MessageDescriptor> + '_>| {
        usize::try_from(number).ok().and_then(|number| among.nth(number)).ok_or_else(|| nowhere(number))
    };
    let first = if depth == 0 { 0 } else { take(&mut bytes)? };
    let mut message = find(first, Box::new(file.messages()))?;
    for _ in 1..depth {
        let number = take(&mut bytes)?;
        let inner = message.child_messages().collect::<Vec<_>>();
        message = find(number, Box::new(inner.into_iter()))?;
    }
    Ok((message, bytes))
}

/// Which message it is of those beside it.
fn number(message: &MessageDescriptor) -> usize {
    let is_it = |other: MessageDescriptor| other == *message;
    let found = match message.parent_message() {
        Some(outer) => outer.child_messages().position(is_it),
        None => message.parent_file().messages().position(is_it),
    };
    found.expect("a message is among those of its parent")
}

fn long(number: i64, out: &mut Vec<u8>) {
    let mut number = (number << 1 ^ number >> 63) as u64;
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Result<i64, Error> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
        }
    }
    Err(payload("the place of the message in its file is cut short"))
}

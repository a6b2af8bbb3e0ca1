//! Decimals between their text and their bytes: a whole number of two's complement, the highest byte first.

use super::payload;
use crate::Error;

/// The digits of `text` as a whole number, with `scale` of them behind the point.
pub(super) fn unscaled(text: &str, scale: usize) -> Result<i128, Error> {
    let refuse = || payload(format!("`{text}` is no decimal with at most {scale} digits behind the point"));
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) || fraction.len() > scale {
        return Err(refuse());
    }
    format!("{sign}{whole}{fraction:0<scale$}").parse().map_err(|_| refuse())
}

/// The text of `unscaled`, with `scale` digits behind the point.
pub(super) fn text(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The number in `size` bytes, or in as few as it takes.
pub(super) fn to_bytes(unscaled: i128, size: Option<usize>) -> Result<Vec<u8>, Error> {
    let all = unscaled.to_be_bytes();
    let filler = if unscaled < 0 { 0xff } else { 0 };
    let is_needless = |pair: &&[u8; 2]| pair[0] == filler && (pair[1] ^ filler) & 0x80 == 0;
    let needless = all.array_windows().take_while(is_needless).count();
    let shortest = &all[needless..];
    match size {
        None => Ok(shortest.to_vec()),
        Some(size) if size >= shortest.len() => {
            let mut bytes = vec![filler; size - shortest.len()];
            bytes.extend_from_slice(shortest);
            Ok(bytes)
        }
        Some(size) => Err(payload(format!("a decimal does not fit into {size} bytes"))),
    }
}

/// The number in `bytes`.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<i128, Error> {
    let filler = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    let needless = bytes.len().saturating_sub(16);
    let (fill, number) = bytes.split_at(needless);
    let mut all = [filler; 16];
    all[16 - number.len()..].copy_from_slice(number);
    let number = i128::from_be_bytes(all);
    if fill.iter().any(|byte| *byte != filler) || (number < 0) != (filler == 0xff) {
        return Err(payload("a decimal has more than 38 digits"));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_read_and_written() {
        for (written, scale, number, again) in [
            ("12.34", 2, 1234, "12.34"),
            ("12.3", 2, 1230, "12.30"),
            ("-0.05", 2, -5, "-0.05"),
            ("7", 0, 7, "7"),
            ("0", 3, 0, "0.000"),
        ] {
            assert_eq!(unscaled(written, scale).unwrap(), number);
            assert_eq!(text(number, scale), again);
        }
        for (bad, scale) in [("1.234", 2), ("", 2), (".5", 2), ("1e3", 2), ("--1", 2), ("+1", 2), ("1.-5", 2)]
        {
            assert!(unscaled(bad, scale).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_take_as_few_bytes_as_they_can() {
        for (number, bytes) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0, 128]),
            (-1, &[255]),
            (-128, &[128]),
            (-129, &[255, 127]),
        ] {
            assert_eq!(to_bytes(number, None).unwrap(), bytes);
        }
        assert!(to_bytes(128, Some(1)).is_err());
        assert!(from_bytes(&[1; 17]).is_err());
        assert!(from_bytes(&[0x80; 16]).is_ok());
        assert!(from_bytes(&[&[0][..], &[0x80; 16]].concat()).is_err(), "it would become negative");
    }

    proptest! {
        #[test]
        fn bytes_come_back(number: i128, more in 0_usize..5) {
            let bytes = to_bytes(number, None).unwrap();
            prop_assert_eq!(from_bytes(&bytes).unwrap(), number);
            let padded = to_bytes(number, Some(bytes.len() + more)).unwrap();
            prop_assert_eq!(from_bytes(&padded).unwrap(), number);
        }
    }
}

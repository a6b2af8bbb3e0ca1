//! Lengths of time in attributes: `"100ms"`, `"30s"`, `"5m"`, `"1h"`.

use std::time::Duration;

use proc_macro2::Ident;
use syn::parse::ParseStream;

use crate::keys;

/// Reads `= "30s"`, which must be longer than zero.
pub(crate) fn read(key: &Ident, input: ParseStream<'_>) -> syn::Result<Duration> {
    keys::equals(key, input, "\"30s\"")?;
    let wrong = || {
        format!("`{key}` takes a time with its unit (ms, s, m, h), longer than zero: write `{key} = \"30s\"`")
    };
    let text: syn::LitStr = input.parse().map_err(|error| syn::Error::new(error.span(), wrong()))?;
    parse(&text.value()).ok_or_else(|| syn::Error::new(text.span(), wrong()))
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(millis)?;
    (millis > 0).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let read = ["100ms", "30s", "5m", "1h"].map(parse);
        let expected = [100, 30_000, 300_000, 3_600_000].map(|millis| Some(Duration::from_millis(millis)));
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "30", "s", "0s", "-1s", "1.5s", "30 s", "1d", "30S", "99999999999999999999h", "é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

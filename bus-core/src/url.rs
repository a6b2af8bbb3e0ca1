//! The query of a transport's URL: a table of parameters, read into a backend's set-up.
//!
//! ```
//! use std::time::Duration;
//! use jitney_core::url::{DURATION, Parameter, duration, read_query, set};
//!
//! #[derive(Default)]
//! struct Config { linger: Duration }
//!
//! const PARAMETERS: &[Parameter<Config>] =
//!     &[Parameter { name: "linger", allowed: DURATION, read: |c, v| set(&mut c.linger, duration(v)) }];
//!
//! let mut config = Config::default();
//! read_query("kafka", "linger=5ms", PARAMETERS, &mut config)?;
//! assert_eq!(config.linger, Duration::from_millis(5));
//! let error = read_query("kafka", "linger=5", PARAMETERS, &mut config).unwrap_err();
//! assert!(error.to_string().contains("must be a duration such as 500ms"));
//! # Ok::<(), jitney_core::Error>(())
//! ```

use std::str::FromStr;
use std::time::Duration;

use crate::Error;

/// What [`name`] takes, for [`Parameter::allowed`].
pub const NAME: &str = "a name";
/// What [`positive`] takes, for [`Parameter::allowed`].
pub const COUNT: &str = "a number from 1";
/// What a truth value may be, for [`Parameter::allowed`].
pub const BOOLEAN: &str = "true or false";
/// What [`duration`] takes, for [`Parameter::allowed`].
pub const DURATION: &str = "a duration such as 500ms, 30s or 5m";

/// One parameter of a backend's URL.
#[derive(Debug)]
pub struct Parameter<C> {
    /// Its name.
    pub name: &'static str,
    /// What its value may be, for messages.
    pub allowed: &'static str,
    /// Reads a value into the set-up; `None` for one that it may not have. See [`set`].
    pub read: fn(&mut C, &str) -> Option<()>,
}

/// Reads `query`, the part of a URL behind the question mark, into `config`.
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config) for a parameter that is unknown, comes twice or has a value that it may
/// not have; the message names what is right. Values are shown in messages: secrets do not belong into a query.
pub fn read_query<C>(
    scheme: &str,
    query: &str,
    parameters: &[Parameter<C>],
    config: &mut C,
) -> Result<(), Error> {
    read_query_with(scheme, query, parameters, config, |_, _, _| Ok(false))
}

/// The same for backends that take other names too: `other` is asked first, and answers whether the parameter is its.
///
/// # Errors
///
/// As [`read_query`], and those of `other`.
pub fn read_query_with<C>(
    scheme: &str,
    query: &str,
    parameters: &[Parameter<C>],
    config: &mut C,
    mut other: impl FnMut(&mut C, &str, &str) -> Result<bool, Error>,
) -> Result<(), Error> {
    let mut seen = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if seen.contains(&name) {
            return Err(Error::config(format!(
                "reading the {scheme}:// url: the parameter `{name}` comes twice"
            )));
        }
        seen.push(name);
        if other(config, name, value)? {
            continue;
        }
        let Some(parameter) = parameters.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
            let names = names.join(", ");
            return Err(Error::config(format!(
                "reading the {scheme}:// url: there is no parameter `{name}`; there are {names}"
            )));
        };
        (parameter.read)(config, value).ok_or_else(|| {
            let allowed = parameter.allowed;
            Error::config(format!(
                "reading the {scheme}:// url: `{name}` is `{value}`, but must be {allowed}"
            ))
        })?;
    }
    Ok(())
}

/// Sets `field` to the value that was read, where one was.
pub fn set<T>(field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    Some(())
}

/// A name, percent-encoded where it must be.
pub fn name(value: &str) -> Option<String> {
    percent_decoded("", value).ok().filter(|name| !name.is_empty())
}

/// Undoes percent-encoding (RFC 3986, section 2.1) in a part of a URL.
///
/// # Errors
///
/// [`ErrorKind::Config`](crate::ErrorKind::Config) where a `%` is not followed by two hexadecimal digits, or the bytes are not
/// UTF-8. The text is not in the message: it may be a secret.
pub fn percent_decoded(scheme: &str, text: &str) -> Result<String, Error> {
    let bad = |what: &str| Error::config(format!("reading the {scheme}:// url: {what}"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(match byte {
            b'%' => match (digit(rest.next()), digit(rest.next())) {
                (Some(high), Some(low)) => (high * 16 + low) as u8,
                _ => {
                    return Err(bad("a `%` must be followed by two hexadecimal digits; write `%25` for `%`"));
                }
            },
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| bad("percent-encoded bytes must be UTF-8"))
}

/// A number above zero.
pub fn positive<T: FromStr + PartialOrd + Default>(value: &str) -> Option<T> {
    value.parse().ok().filter(|number| *number > T::default())
}

/// A number with a unit: `ms`, `s`, `m`, `h` or `d`.
pub fn duration(value: &str) -> Option<Duration> {
    let digits = value.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = (value[..digits].parse::<u64>().ok()?, &value[digits..]);
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

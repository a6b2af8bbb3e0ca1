//! Names of aggregates and events as names of folders.

use std::fmt::Write;

/// `name` with everything that a file system may not take as `%` and its bytes in hexadecimal digits.
pub(crate) fn folder(name: &str) -> String {
    let mut folder = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => folder.push(char::from(byte)),
            b'.' if index > 0 => folder.push('.'),
            _ => write!(folder, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::folder;

    #[test]
    fn no_name_leads_elsewhere() {
        assert_eq!(folder("OrderCreated"), "OrderCreated");
        assert_eq!(folder("aws.s3"), "aws.s3");
        assert_eq!(folder("../x"), "%2E.%2Fx");
        assert_eq!(folder("Object Created"), "Object%20Created");
    }
}

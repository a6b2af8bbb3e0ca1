//! As much JSON as the files of the lock folder need.

use std::iter::Peekable;
use std::str::Chars;

/// Deeper files are refused.
const DEPTH: u32 = 200;

/// A JSON value. Numbers are kept as nothing, since none is looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json {
    Other,
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(super) fn read(text: &str) -> Option<Json> {
        let mut reader = Reader(text.chars().peekable());
        let value = reader.value(0)?;
        reader.space();
        reader.0.next().is_none().then_some(value)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(members) => members,
            _ => &[],
        }
    }
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn space(&mut self) {
        while self.0.next_if(|letter| letter.is_ascii_whitespace()).is_some() {}
    }

    /// Whether the next sign is `sign`, which is then behind.
    fn takes(&mut self, sign: char) -> bool {
        self.space();
        self.0.next_if_eq(&sign).is_some()
    }

    fn value(&mut self, depth: u32) -> Option<Json> {
        if depth > DEPTH {
            return None;
        }
        if self.takes('{') {
            return self.members(depth).map(Json::Object);
        }
        if self.takes('[') {
            return self.items(depth).map(Json::List);
        }
        if self.takes('"') {
            return self.text().map(Json::Text);
        }
        let mut any = false;
        while self.0.next_if(|letter| letter.is_ascii_alphanumeric() || "+-.".contains(*letter)).is_some() {
            any = true;
        }
        any.then_some(Json::Other)
    }

    fn members(&mut self, depth: u32) -> Option<Vec<(String, Json)>> {
        let mut members = Vec::new();
        if self.takes('}') {
            return Some(members);
        }
        loop {
            let name = if self.takes('"') { self.text()? } else { return None };
            if !self.takes(':') {
                return None;
            }
            members.push((name, self.value(depth + 1)?));
            if self.takes('}') {
                return Some(members);
            }
            self.takes(',').then_some(())?;
        }
    }

    fn items(&mut self, depth: u32) -> Option<Vec<Json>> {
        let mut items = Vec::new();
        if self.takes(']') {
            return Some(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.takes(']') {
                return Some(items);
            }
            self.takes(',').then_some(())?;
        }
    }

    /// The rest of a text, behind its first quote.
    fn text(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            match self.0.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escaped()?),
                letter => text.push(letter),
            }
        }
    }

    fn escaped(&mut self) -> Option<char> {
        Some(match self.0.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let digits: String = self.0.by_ref().take(4).collect();
                // Half of a pair stands for what no name here has.
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            letter => letter,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Json;

    #[test]
    fn a_file_is_read_and_a_damaged_one_is_not() {
        let read =
            Json::read(r#" { "a": [1, -2.5e3, true, null], "b\n\u0041": {"c": "d"}, "e": {}, "f": [] } "#)
                .unwrap();
        assert_eq!(read.get("a").unwrap().list().len(), 4);
        assert_eq!(read.get("b\nA").unwrap().get("c").unwrap().text(), Some("d"));
        for damaged in ["", "{", "{\"a\"}", "{\"a\":}", "[1,]", "\"a", "{} x", "<<<<", &"[".repeat(1000)] {
            assert_eq!(Json::read(damaged), None, "{damaged}");
        }
    }
}

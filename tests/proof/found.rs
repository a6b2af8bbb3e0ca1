//! What to look for: a text in each of the ways in which bytes may have it.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The bytes that a text may be there as.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let hex = |upper: bool| -> Vec<u8> {
        let digits = |byte: &u8| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
        text.as_bytes().iter().map(digits).collect::<String>().into()
    };
    let wide: Vec<u16> = text.encode_utf16().collect();
    let escaped: String = text
        .encode_utf16()
        .map(|unit| match unit {
            0x20..0x7f => char::from_u32(unit.into()).unwrap().to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect();
    let mut forms = vec![
        text.into(),
        serde_json::to_string(text).unwrap().trim_matches('"').into(),
        escaped.into(),
        hex(false),
        hex(true),
        wide.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        wide.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
    ];
    for engine in [&STANDARD_NO_PAD as &dyn Base64, &URL_SAFE_NO_PAD] {
        forms.extend((0..3).map(|offset| engine.inside(text, offset)));
    }
    forms.sort();
    forms.dedup();
    forms
}

trait Base64 {
    /// The digits that `text` surely has where it begins so many bytes behind a group of three.
    fn inside(&self, text: &str, offset: usize) -> Vec<u8>;
}

impl<E: Engine> Base64 for E {
    fn inside(&self, text: &str, offset: usize) -> Vec<u8> {
        let bytes = [&vec![0; offset][..], text.as_bytes()].concat();
        let digits = self.encode(&bytes);
        let (first, last) = ([0, 2, 3][offset], bytes.len() / 3 * 4);
        digits[first..last].into()
    }
}

/// Which of `texts` is somewhere in `bytes`, in whatever form.
pub fn found<'a>(bytes: &[u8], texts: &'a [String]) -> Vec<&'a str> {
    let forms: Vec<_> =
        texts.iter().flat_map(|text| forms(text).into_iter().map(move |form| (text, form))).collect();
    let any = AhoCorasick::new(forms.iter().map(|(_, form)| form)).unwrap();
    let there: BTreeSet<_> =
        any.find_overlapping_iter(bytes).map(|form| forms[form.pattern()].0.as_str()).collect();
    texts.iter().map(String::as_str).filter(|text| there.contains(text)).collect()
}

#[test]
fn a_text_is_found_in_every_form() {
    let name = ["Christina Berglünd".to_owned()];
    let plain = &name[0];
    let wide: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut hidden: Vec<Vec<u8>> = vec![
        format!("before {plain} behind").into(),
        b"\"Christina Bergl\\u00fcnd\"".into(),
        [b"odd", &wide[..]].concat(),
        b"x436872697374696e6120426572676cc3bc6e64".into(),
    ];
    for before in ["", "1", "12", "123"] {
        hidden.push(STANDARD_NO_PAD.encode(format!("{before}{plain} and more")).into());
        hidden.push(URL_SAFE_NO_PAD.encode(format!("{before}{plain}")).into());
    }
    for bytes in hidden {
        assert_eq!(found(&bytes, &name), [plain], "{}", bytes.escape_ascii());
    }
    assert!(found(b"Christina Berglund", &name).is_empty());
}

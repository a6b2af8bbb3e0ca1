//! Values that a schema lists: `const` and `enum`.

use serde_json::Value;

use super::branches::{Atom, Branch};

/// What keeps `branch` from taking the value, or all values, of `atom`.
pub(super) fn compare(atom: &Atom<'_>, branch: &Branch<'_>) -> Option<String> {
    let allowed = branch.values.as_ref()?;
    match atom.value {
        Some(value) if allowed.contains(&value) => None,
        Some(value) => Some(format!(
            "may be {} in what {{writer}} writes, and {{reader}} takes {}",
            short(value),
            listed(allowed)
        )),
        None => Some(format!(
            "may be any value in what {{writer}} writes, and {{reader}} takes {}",
            listed(allowed)
        )),
    }
}

fn listed(values: &[&Value]) -> String {
    let shown: Vec<_> = values.iter().take(8).map(|value| short(value)).collect();
    let more = if values.len() > shown.len() { ", …" } else { "" };
    format!("{}{more} alone", shown.join(", "))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

//! Arrays: how many items, and what is at each place.

use serde_json::{Map, Value};

use super::branches::{Atom, Branch, Types};
use super::text::{largest, smallest};
use super::{All, Comparison, Found, IncompatibilityKind, incompatible};
use crate::Error;

impl<'s> Comparison<'s> {
    pub(super) fn arrays(
        &mut self,
        atom: &Atom<'s>,
        branch: &Branch<'s>,
        path: &str,
        found: &mut Found,
    ) -> Result<(), Error> {
        if atom.types != Types::ARRAY {
            return Ok(());
        }
        let narrowed = |says: String| incompatible(path, IncompatibilityKind::Narrowed, says);
        let fewest = largest(&branch.schemas, "minItems").unwrap_or(0);
        if largest(&atom.schemas, "minItems").unwrap_or(0) < fewest {
            found.push(narrowed(format!(
                "may have fewer items in what {{writer}} writes than the {fewest} that {{reader}} needs"
            )));
        }
        let longest = smallest(&atom.schemas, "maxItems");
        if let Some(most) = smallest(&branch.schemas, "maxItems")
            && longest.is_none_or(|longest| longest > most)
        {
            found.push(narrowed(format!(
                "may have more items in what {{writer}} writes than the {most} that {{reader}} takes"
            )));
        }
        let places =
            atom.schemas.iter().chain(&branch.schemas).map(|schema| prefix(schema).len()).max().unwrap_or(0);
        for place in 0..places.saturating_add(1) {
            if longest.is_some_and(|longest| place as u64 >= longest) {
                break;
            }
            let shown = if place < places { format!("{path}[{place}]") } else { format!("{path}[*]") };
            let (written, read) = (items(&atom.schemas, place), items(&branch.schemas, place));
            found.extend(self.schemas(&written, &read, &shown)?);
        }
        Ok(())
    }
}

fn prefix(schema: &Map<String, Value>) -> &[Value] {
    let places = schema.get("prefixItems").or_else(|| schema.get("items").filter(|items| items.is_array()));
    places.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What holds for the item at `place`.
fn items<'s>(schemas: &[&'s Map<String, Value>], place: usize) -> All<'s> {
    let item = |schema: &&'s Map<String, Value>| {
        prefix(schema).get(place).or_else(|| schema.get("items").filter(|items| !items.is_array()))
    };
    schemas.iter().filter_map(item).collect()
}

//! How large and how deep a schema may be that is compiled, and where its references may lead.

use serde_json::Value;

use crate::compatibility::Root;
use crate::{Error, ErrorKind};

const PARTS: usize = 200_000;
const DEPTH: usize = 100;

/// Refuses a schema that is too large or too deep, or refers to what is not in it or, by references alone, to itself.
pub(crate) fn check(schema: &Value) -> Result<(), Error> {
    let (mut waiting, mut parts) = (vec![(schema, 0)], 0_usize);
    while let Some((part, depth)) = waiting.pop() {
        parts += 1;
        if parts > PARTS || depth > DEPTH {
            let context = format!(
                "a schema has more than {PARTS} parts, or more than {DEPTH} levels: part the event, or nest its payload less"
            );
            return Err(Error::new(ErrorKind::TooLarge, context));
        }
        match part {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    check_reference(Root(schema), reference)?;
                }
                waiting.extend(members.values().map(|part| (part, depth + 1)));
            }
            Value::Array(items) => waiting.extend(items.iter().map(|part| (part, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

fn check_reference(root: Root<'_>, reference: &str) -> Result<(), Error> {
    let mut seen = vec![reference];
    let mut leads_to = root.resolve(reference)?;
    while let Some(next) = leads_to.get("$ref").and_then(Value::as_str) {
        if seen.contains(&next) {
            let context =
                format!("a schema refers to `{next}`, which refers to itself: have it say what it is");
            return Err(Error::new(ErrorKind::Reference, context));
        }
        seen.push(next);
        leads_to = root.resolve(next)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind(schema: &Value) -> ErrorKind {
        check(schema).unwrap_err().kind()
    }

    #[test]
    fn what_refers_to_itself_through_something_is_taken_and_what_does_by_itself_is_not() {
        let tree = json!({
            "type": "object",
            "properties": { "children": { "type": "array", "items": { "$ref": "#" } }, "next": { "$ref": "#/$defs/next" } },
            "$defs": { "next": { "$ref": "#/$defs/last" }, "last": { "type": "integer" } },
        });
        assert!(check(&tree).is_ok());
        let ring = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } });
        assert_eq!(kind(&ring), ErrorKind::Reference);
        assert_eq!(kind(&json!({ "$ref": "#" })), ErrorKind::Reference);
        for elsewhere in ["#/$defs/none", "https://example.com/schema.json", "other.json"] {
            assert_eq!(kind(&json!({ "items": { "$ref": elsewhere } })), ErrorKind::Reference, "{elsewhere}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_large_is_refused() {
        let deep = (0..60).fold(json!({}), |inner, _| json!({ "items": { "not": inner } }));
        assert_eq!(kind(&deep), ErrorKind::TooLarge);
        let wide = json!({ "enum": (0..PARTS).collect::<Vec<_>>() });
        assert_eq!(kind(&wide), ErrorKind::TooLarge);
    }
}

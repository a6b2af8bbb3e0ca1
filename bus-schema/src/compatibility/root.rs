//! A whole schema, in which `$ref` is looked up.

use serde_json::Value;

use crate::{Error, ErrorKind};

/// A whole schema.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Root<'s>(pub(crate) &'s Value);

impl<'s> Root<'s> {
    /// What `reference` leads to: `#/$defs/Item`.
    ///
    /// # Errors
    ///
    /// When there is nothing, or when it leads elsewhere.
    pub(crate) fn resolve(self, reference: &str) -> Result<&'s Value, Error> {
        let missing = || {
            Error::new(
                ErrorKind::Reference,
                format!(
                    "a schema refers to `{reference}`, which is not in it: references lead into the same document, as in `#/$defs/Item`"
                ),
            )
        };
        let pointer = reference.strip_prefix('#').ok_or_else(missing)?;
        self.0.pointer(pointer).ok_or_else(missing)
    }

    /// What `schema` stands for, where it is a reference and nothing else; itself, where that leads nowhere.
    pub(super) fn followed(self, schema: &'s Value) -> &'s Value {
        let reference = |schema: &'s Value| {
            let members = schema.as_object()?;
            let alone = members.keys().all(|name| name == "$ref" || name == "$defs");
            members.get("$ref")?.as_str().filter(|_| alone)
        };
        let mut followed = schema;
        // Aliases in a ring are found where alternatives are made of them.
        for _ in 0..10 {
            match reference(followed).and_then(|reference| self.resolve(reference).ok()) {
                Some(next) => followed = next,
                None => break,
            }
        }
        followed
    }
}

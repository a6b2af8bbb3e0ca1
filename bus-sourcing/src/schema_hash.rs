//! States that snapshots can be made of, and what their schema says.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A state that snapshots can be made of: what serde can write and read, with a schema.
#[diagnostic::on_unimplemented(
    message = "no snapshots can be made of `{Self}`",
    label = "it cannot be written, read, or has no schema",
    note = "derive `Serialize`, `Deserialize` and `schemars::JsonSchema` for it"
)]
pub trait SnapshotState: Serialize + DeserializeOwned + JsonSchema {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + JsonSchema> SnapshotState for T {}

/// What the state looks like, as text. A change to what its documentation says changes nothing.
pub(crate) fn schema_text<T: SnapshotState>() -> String {
    let mut schema = Value::from(schemars::schema_for!(T));
    keep_shape(&mut schema);
    // Maps of `serde_json` may or may not be sorted; those of the standard library are.
    sorted(&schema)
}

fn keep_shape(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            // A member of the state may have these names too; its schema is then an object.
            for name in ["title", "description", "$schema"] {
                if members.get(name).is_some_and(Value::is_string) {
                    members.remove(name);
                }
            }
            members.values_mut().for_each(keep_shape);
        }
        Value::Array(items) => items.iter_mut().for_each(keep_shape),
        _ => {}
    }
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: std::collections::BTreeMap<_, _> =
                members.iter().map(|(name, value)| (name, sorted(value))).collect();
            format!("{members:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(sorted).collect::<Vec<_>>()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    mod before {
        use super::*;

        /// An account.
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(super) struct Account {
            description: String,
            cents: u64,
        }
    }

    mod reworded {
        use super::*;

        /// What a customer has with us.
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(super) struct Account {
            /// In the customer's own words.
            description: String,
            cents: u64,
        }
    }

    mod changed {
        use super::*;

        /// An account.
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub(super) struct Account {
            cents: u64,
        }
    }

    #[test]
    fn the_text_changes_with_the_shape_alone() {
        let text = schema_text::<before::Account>();
        assert!(text.contains("description") && text.contains("cents"), "{text}");
        assert_eq!(text, schema_text::<reworded::Account>());
        assert_ne!(text, schema_text::<changed::Account>());
    }
}

//! The schema that the store's tables are in.

use jitney_sourcing::{Error, ErrorKind};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// What PostgreSQL keeps of a name.
const MAX_BYTES: usize = 63;

/// The name of a schema that can stand in a statement.
#[derive(Debug, Clone)]
pub(super) struct Schema(String);

impl Schema {
    pub(super) const DEFAULT: &'static str = "jitney";

    /// `name`, where it is one that needs no quotes.
    pub(super) fn new(name: &str) -> Result<Self, Error> {
        let is_word = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
        let starts_well = name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase());
        if starts_well && name.len() <= MAX_BYTES && name.chars().all(is_word) && !name.starts_with("pg_") {
            return Ok(Schema(name.to_owned()));
        }
        let what = format!(
            "using schema `{name}` for an event store: choose a name of small letters, digits and `_`, of up to {MAX_BYTES}, \
             that starts with no digit and not with `pg_`"
        );
        Err(Error::new(ErrorKind::Config, what))
    }

    pub(super) fn name(&self) -> &str {
        &self.0
    }

    /// `template` with the name in place of `{schema}`.
    pub(super) fn sql(&self, template: &str) -> SqlStr {
        // In quotes, as it may be a word of SQL.
        AssertSqlSafe(template.replace("{schema}", &format!("\"{}\"", self.0))).into_sql_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_a_statement_in_quotes() {
        let schema = Schema::new("order").unwrap();
        assert_eq!(schema.sql("SELECT FROM {schema}.events").as_str(), "SELECT FROM \"order\".events");
    }

    #[test]
    fn what_is_no_plain_name_is_refused() {
        let long = "a".repeat(64);
        for name in ["", "1a", "A", "a-b", "a\"; DROP TABLE x; --", "pg_toast", "ü", &long] {
            assert_eq!(Schema::new(name).unwrap_err().kind(), ErrorKind::Config, "{name}");
        }
        Schema::new(&long[1..]).unwrap();
    }
}

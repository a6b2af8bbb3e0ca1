//! Whether a reader's JSON Schema takes everything that a writer's JSON Schema describes.
//!
//! ```
//! use jitney_schema::compatibility::compare;
//! use serde_json::json;
//!
//! let writer = json!({ "type": "object", "properties": { "cents": { "type": "integer" } } });
//! let reader = json!({ "type": "object", "properties": { "cents": { "type": "integer" } }, "required": ["cents"] });
//! let found = compare(&writer, &reader).unwrap();
//! assert_eq!(found[0].to_string(), "`$.cents` is required by the reader, and may be missing in what the writer writes");
//! ```
//!
//! Two readings make this fit what serde does, where JSON Schema by itself is stricter or looser:
//!
//! - A writer writes the properties that its schema names and no others, unless `additionalProperties` says so. A reader ignores
//!   properties that it does not know, unless it has `additionalProperties: false`.
//! - The `format` of integers (`uint8` … `int64`) is the range of that type; `oneOf` is read as `anyOf`.
//!
//! The answer is on the safe side. What is called compatible is. What cannot be decided (`not`, `if`, two patterns that may say the
//! same) counts as incompatible, unless both sides have the very same words.

mod array;
mod branches;
mod keywords;
mod limits;
mod number;
mod object;
mod pairs;
mod root;
mod text;
mod values;

use std::fmt;

use serde_json::Value;

use self::branches::{Atom, Branch, Types};
use self::limits::Budget;
use self::pairs::{Outcome, Pairs};
pub(crate) use self::root::Root;
use crate::Error;

/// A place where the reader does not take what the writer writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incompatibility {
    path: String,
    kind: IncompatibilityKind,
    says: String,
}

/// What is wrong in an [`Incompatibility`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IncompatibilityKind {
    /// The writer has a property that the reader has not; only where that was asked for.
    Removed,
    /// The reader needs a property that the writer may leave out.
    Required,
    /// The reader refuses a property that the writer has.
    Refused,
    /// The JSON types differ.
    Type,
    /// The reader takes fewer values of that type than the writer may write.
    Narrowed,
}

impl Incompatibility {
    /// Where: `$.items[*].price`; `$` is the payload.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong.
    pub fn kind(&self) -> IncompatibilityKind {
        self.kind
    }

    /// What is wrong, in words, where the two sides are called `writer` and `reader`.
    pub fn between(&self, writer: &str, reader: &str) -> String {
        self.says.replace("{writer}", writer).replace("{reader}", reader)
    }
}

impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.between("the writer", "the reader"))
    }
}

/// Every place where a reader with the schema `reader` does not take what is valid under the schema `writer`; none where it takes all
/// of it. Schemas may refer to themselves.
///
/// # Errors
///
/// When a schema refers to something that is not in it, or when the comparison takes more than 200,000 steps or goes deeper than 100
/// levels.
pub fn compare(writer: &Value, reader: &Value) -> Result<Vec<Incompatibility>, Error> {
    Comparison::new(writer, reader, false).run()
}

/// The same; also every property of the writer that the reader does not name, which it would drop.
///
/// # Errors
///
/// Those of [`compare`].
pub fn compare_and_keep(writer: &Value, reader: &Value) -> Result<Vec<Incompatibility>, Error> {
    Comparison::new(writer, reader, true).run()
}

/// Schemas that all hold.
type All<'s> = Vec<&'s Value>;

type Found = Vec<Incompatibility>;

struct Comparison<'s> {
    writer: Root<'s>,
    reader: Root<'s>,
    /// Whether the reader has to name what the writer names.
    keep: bool,
    budget: Budget,
    pairs: Pairs,
}

impl<'s> Comparison<'s> {
    fn new(writer: &'s Value, reader: &'s Value, keep: bool) -> Self {
        let budget = Budget::default();
        Comparison { writer: Root(writer), reader: Root(reader), keep, budget, pairs: Pairs::default() }
    }

    fn run(mut self) -> Result<Found, Error> {
        let (writer, reader) = (vec![self.writer.0], vec![self.reader.0]);
        let mut found = self.schemas(&writer, &reader, "$")?;
        let mut seen = std::collections::HashSet::new();
        found.retain(|one| seen.insert((one.path.clone(), one.says.clone())));
        Ok(found)
    }

    /// Whether what is valid under all of `writer` is valid under all of `reader`. A pair that is being compared further out is taken
    /// for compatible: if it is not, that is found there.
    fn schemas(&mut self, writer: &All<'s>, reader: &All<'s>, path: &str) -> Result<Found, Error> {
        self.budget.step()?;
        let writer = &writer.iter().map(|schema| self.writer.followed(schema)).collect::<All<'_>>();
        let reader = &reader.iter().map(|schema| self.reader.followed(schema)).collect::<All<'_>>();
        let pair = match self.pairs.enter(writer, reader) {
            Outcome::Known => return Ok(Vec::new()),
            Outcome::New(pair) => pair,
        };
        self.budget.check_depth(self.pairs.depth())?;
        let found = self.alternatives(writer, reader, path)?;
        self.pairs.leave(pair, found.is_empty());
        Ok(found)
    }

    fn alternatives(&mut self, writer: &All<'s>, reader: &All<'s>, path: &str) -> Result<Found, Error> {
        let written = branches::of(writer, self.writer, &mut self.budget)?;
        let read = branches::of(reader, self.reader, &mut self.budget)?;
        let mut found = Vec::new();
        let mut others = Types::NONE;
        for branch in &written {
            for atom in branch.atoms() {
                match self.covered(&atom, &read, path)? {
                    Some(differences) => found.extend(differences),
                    None => others = others.and(atom.types),
                }
            }
        }
        if others != Types::NONE {
            let takes = branches::described(&read);
            let says = format!("is {others} in what {{writer}} writes, and {{reader}} takes {takes}");
            found.insert(0, incompatible(path, IncompatibilityKind::Type, says));
        }
        Ok(found)
    }

    /// What keeps the best of `read` from taking `atom`; none where none of them is of its type.
    fn covered(&mut self, atom: &Atom<'s>, read: &[Branch<'s>], path: &str) -> Result<Option<Found>, Error> {
        let mut best: Option<Found> = None;
        for branch in read.iter().filter(|branch| branch.types.has(atom.types)) {
            self.budget.step()?;
            let found = self.leaf(atom, branch, path)?;
            if found.is_empty() {
                return Ok(Some(found));
            }
            if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
        }
        Ok(best)
    }

    fn leaf(&mut self, atom: &Atom<'s>, branch: &Branch<'s>, path: &str) -> Result<Found, Error> {
        let mut found = Vec::new();
        let says = values::compare(atom, branch)
            .or_else(|| number::compare(atom, branch))
            .or_else(|| text::compare(atom, branch))
            .or_else(|| keywords::compare(atom, branch, self.writer.0 == self.reader.0));
        if let Some(says) = says {
            found.push(incompatible(path, IncompatibilityKind::Narrowed, says));
        }
        self.arrays(atom, branch, path, &mut found)?;
        self.objects(atom, branch, path, &mut found)?;
        Ok(found)
    }
}

fn incompatible(path: &str, kind: IncompatibilityKind, says: impl Into<String>) -> Incompatibility {
    Incompatibility { path: path.to_owned(), kind, says: says.into() }
}

#[cfg(test)]
mod tests;

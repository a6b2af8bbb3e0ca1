//! A schema as a list of alternatives, each of certain JSON types.

use std::fmt;

use serde_json::{Map, Value};

use super::All;
use super::limits::Budget;
use super::root::Root;
use crate::{Error, ErrorKind};

/// How far references and combinations lead on within one schema.
const CHAIN: usize = 60;

/// JSON types. Numbers are integers or have a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Types = Types(1);
    pub(super) const BOOLEAN: Types = Types(2);
    pub(super) const OBJECT: Types = Types(4);
    pub(super) const ARRAY: Types = Types(8);
    pub(super) const STRING: Types = Types(16);
    pub(super) const INTEGER: Types = Types(32);
    pub(super) const NUMBER: Types = Types(32 | 64);
    pub(super) const NONE: Types = Types(0);
    const ANY: Types = Types(127);
    const SEPARATE: [(Types, &'static str); 6] = [
        (Types::NULL, "null"),
        (Types::BOOLEAN, "a boolean"),
        (Types::OBJECT, "an object"),
        (Types::ARRAY, "an array"),
        (Types::STRING, "a string"),
        (Types::NUMBER, "a number"),
    ];

    pub(super) fn has(self, other: Types) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn and(self, other: Types) -> Types {
        Types(self.0 | other.0)
    }

    fn both(self, other: Types) -> Types {
        Types(self.0 & other.0)
    }

    fn named(name: &str) -> Types {
        match name {
            "null" => Types::NULL,
            "boolean" => Types::BOOLEAN,
            "object" => Types::OBJECT,
            "array" => Types::ARRAY,
            "string" => Types::STRING,
            "integer" => Types::INTEGER,
            "number" => Types::NUMBER,
            _ => Types(0),
        }
    }

    pub(super) fn of(value: &Value) -> Types {
        match value {
            Value::Null => Types::NULL,
            Value::Bool(_) => Types::BOOLEAN,
            Value::Object(_) => Types::OBJECT,
            Value::Array(_) => Types::ARRAY,
            Value::String(_) => Types::STRING,
            Value::Number(number) if number.as_f64().is_some_and(|number| number.fract() == 0.0) => {
                Types::INTEGER
            }
            Value::Number(_) => Types(64),
        }
    }

    fn keyword(value: &Value) -> Types {
        match value {
            Value::String(name) => Types::named(name),
            Value::Array(names) => {
                let names = names.iter().filter_map(Value::as_str);
                names.fold(Types(0), |types, name| Types(types.0 | Types::named(name).0))
            }
            _ => Types::ANY,
        }
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Types::ANY {
            return f.write_str("any value");
        }
        let mut first = true;
        for (types, name) in Types::SEPARATE {
            let both = self.both(types);
            if both.0 == 0 {
                continue;
            }
            let name = if both == Types::INTEGER { "an integer" } else { name };
            write!(f, "{}{name}", if first { "" } else { " or " })?;
            first = false;
        }
        if first { f.write_str("nothing") } else { Ok(()) }
    }
}

/// One alternative: what is of these types, and valid under all of these schemas, of which combinations and references have been
/// taken out.
#[derive(Debug, Clone)]
pub(super) struct Branch<'s> {
    pub(super) types: Types,
    pub(super) schemas: Vec<&'s Map<String, Value>>,
    /// One of these, where it must be one of some values.
    pub(super) values: Option<Vec<&'s Value>>,
}

/// A part of an alternative with one JSON type and, where it has values, one value.
#[derive(Debug)]
pub(super) struct Atom<'s> {
    pub(super) types: Types,
    pub(super) schemas: Vec<&'s Map<String, Value>>,
    pub(super) value: Option<&'s Value>,
}

static TRUE: Value = Value::Bool(true);
static FALSE: Value = Value::Bool(false);

impl<'s> Branch<'s> {
    /// The parts that have to be taken one by one.
    pub(super) fn atoms(&self) -> Vec<Atom<'s>> {
        let atom = |types, value| Atom { types, schemas: self.schemas.clone(), value };
        if let Some(values) = &self.values {
            return values.iter().map(|value| atom(Types::of(value), Some(*value))).collect();
        }
        let mut atoms = Vec::new();
        for (types, _) in Types::SEPARATE {
            let types = types.both(self.types);
            if types == Types::BOOLEAN {
                atoms.extend([&TRUE, &FALSE].map(|value| atom(types, Some(value))));
            } else if types.0 != 0 {
                atoms.push(atom(types, None));
            }
        }
        atoms
    }

    fn of_types(mut self, types: Types) -> Option<Self> {
        self.types = self.types.both(types);
        if let Some(values) = &mut self.values {
            values.retain(|value| types.has(Types::of(value)));
        }
        let empty = self.types.0 == 0 || self.values.as_ref().is_some_and(Vec::is_empty);
        (!empty).then_some(self)
    }

    fn of_values(mut self, allowed: &'s [Value]) -> Option<Self> {
        let types = self.types;
        let values = match self.values.take() {
            None => allowed.iter().filter(|value| types.has(Types::of(value))).collect(),
            Some(values) => values.into_iter().filter(|value| allowed.contains(value)).collect::<Vec<_>>(),
        };
        (!values.is_empty()).then_some(Branch { values: Some(values), ..self })
    }
}

/// The alternatives of what is valid under all of `schemas`.
pub(super) fn of<'s>(
    schemas: &All<'s>,
    root: Root<'s>,
    budget: &mut Budget,
) -> Result<Vec<Branch<'s>>, Error> {
    let any = Branch { types: Types::ANY, schemas: Vec::new(), values: None };
    let mut branches = vec![any];
    for schema in schemas {
        branches = narrowed(branches, schema, root, budget, 0)?;
    }
    Ok(branches)
}

/// What is left of `branches` under `schema` as well.
fn narrowed<'s>(
    mut branches: Vec<Branch<'s>>,
    schema: &'s Value,
    root: Root<'s>,
    budget: &mut Budget,
    chain: usize,
) -> Result<Vec<Branch<'s>>, Error> {
    budget.step()?;
    if chain > CHAIN {
        let context = "a schema leads to itself without anything between, or through more than 60 references: remove the alias";
        return Err(Error::new(ErrorKind::Reference, context));
    }
    let members = match schema {
        Value::Object(members) => members,
        Value::Bool(false) => return Ok(Vec::new()),
        _ => return Ok(branches),
    };
    if let Some(types) = members.get("type").map(Types::keyword) {
        branches = branches.into_iter().filter_map(|branch| branch.of_types(types)).collect();
    }
    if let Some(value) = members.get("const") {
        branches =
            branches.into_iter().filter_map(|branch| branch.of_values(std::slice::from_ref(value))).collect();
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        branches = branches.into_iter().filter_map(|branch| branch.of_values(values)).collect();
    }
    branches.iter_mut().for_each(|branch| branch.schemas.push(members));
    if let Some(Value::String(reference)) = members.get("$ref") {
        branches = narrowed(branches, root.resolve(reference)?, root, budget, chain + 1)?;
    }
    for part in members.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        branches = narrowed(branches, part, root, budget, chain + 1)?;
    }
    for keyword in ["anyOf", "oneOf"] {
        if let Some(Value::Array(parts)) = members.get(keyword) {
            let mut alternatives = Vec::new();
            for part in parts {
                for _ in &branches {
                    budget.step()?;
                }
                alternatives.extend(narrowed(branches.clone(), part, root, budget, chain + 1)?);
            }
            branches = alternatives;
        }
    }
    Ok(branches)
}

/// What `branches` take, in words.
pub(super) fn described(branches: &[Branch<'_>]) -> String {
    Types(branches.iter().fold(0, |types, branch| types | branch.types.0)).to_string()
}

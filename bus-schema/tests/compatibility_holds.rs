//! What the comparison calls compatible is: payloads of a writer's schema are valid under the reader's, as another validator has it.

#![allow(clippy::unwrap_used)]

use jitney_schema::compatibility::compare;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Map, Value, json};

/// A type as serde and schemars know them.
#[derive(Debug, Clone)]
enum Type {
    Bool,
    Integer(&'static str, i64, i64),
    Double,
    Text(Option<u64>),
    State(Vec<&'static str>),
    Option(Box<Type>),
    List(Box<Type>),
    Map(Box<Type>),
    Pair(Box<Type>, Box<Type>),
    Struct {
        fields: Vec<(&'static str, bool, Type)>,
        closed: bool,
    },
    Enum(Vec<(&'static str, Type)>),
    /// The whole, again.
    Again,
}

const FIELDS: [&str; 4] = ["a", "b", "c", "d"];

impl Type {
    fn schema(&self) -> Value {
        match self {
            Type::Bool => json!({ "type": "boolean" }),
            Type::Integer(format, least, most) => {
                json!({ "type": "integer", "format": format, "minimum": least, "maximum": most })
            }
            Type::Double => json!({ "type": "number", "format": "double" }),
            Type::Text(None) => json!({ "type": "string" }),
            Type::Text(Some(most)) => json!({ "type": "string", "maxLength": most }),
            Type::State(names) => json!({ "type": "string", "enum": names }),
            Type::Option(inner) => json!({ "anyOf": [inner.schema(), { "type": "null" }] }),
            Type::List(inner) => json!({ "type": "array", "items": inner.schema() }),
            Type::Map(inner) => json!({ "type": "object", "additionalProperties": inner.schema() }),
            Type::Pair(one, other) => {
                json!({ "type": "array", "prefixItems": [one.schema(), other.schema()], "minItems": 2, "maxItems": 2 })
            }
            Type::Struct { fields, closed } => {
                let properties: Map<_, _> =
                    fields.iter().map(|(name, _, kind)| ((*name).to_owned(), kind.schema())).collect();
                let required: Vec<_> =
                    fields.iter().filter(|(_, required, _)| *required).map(|(name, ..)| name).collect();
                let mut schema = json!({ "type": "object", "properties": properties, "required": required });
                if *closed {
                    schema["additionalProperties"] = json!(false);
                }
                schema
            }
            Type::Enum(variants) => {
                let one = |(name, kind): &(&str, Type)| json!({ "type": "object", "properties": { *name: kind.schema() }, "required": [name], "additionalProperties": false });
                json!({ "oneOf": variants.iter().map(one).collect::<Vec<_>>() })
            }
            Type::Again => json!({ "anyOf": [{ "$ref": "#/$defs/Whole" }, { "type": "null" }] }),
        }
    }

    fn document(&self) -> Value {
        json!({ "$ref": "#/$defs/Whole", "$defs": { "Whole": self.schema() } })
    }

    /// A payload of this type, drawn by `draw`.
    fn payload(&self, whole: &Type, depth: u32, draw: &mut dyn FnMut(u64) -> u64) -> Value {
        match self {
            Type::Bool => json!(draw(2) == 0),
            Type::Integer(_, least, most) => match draw(3) {
                0 => json!(least),
                1 => json!(most),
                _ => json!(least + i64::try_from(draw(100)).unwrap()),
            },
            Type::Double => json!([0.5, -3.0, 1e9][usize::try_from(draw(3)).unwrap()]),
            Type::Text(most) => json!("x".repeat(usize::try_from(draw(most.unwrap_or(6) + 1)).unwrap())),
            Type::State(names) => json!(names[usize::try_from(draw(names.len() as u64)).unwrap()]),
            Type::Option(inner) if draw(2) == 0 => inner.payload(whole, depth, draw),
            Type::Again if depth > 0 && draw(2) == 0 => whole.payload(whole, depth - 1, draw),
            Type::Option(_) | Type::Again => Value::Null,
            Type::List(inner) => (0..draw(3)).map(|_| inner.payload(whole, depth, draw)).collect(),
            Type::Map(inner) => {
                let names = FIELDS.iter().take(usize::try_from(draw(4)).unwrap());
                names.map(|name| ((*name).to_owned(), inner.payload(whole, depth, draw))).collect()
            }
            Type::Pair(one, other) => {
                json!([one.payload(whole, depth, draw), other.payload(whole, depth, draw)])
            }
            Type::Struct { fields, .. } => {
                let mut payload = Map::new();
                for (name, required, kind) in fields {
                    if *required || draw(2) == 0 {
                        payload.insert((*name).to_owned(), kind.payload(whole, depth, draw));
                    }
                }
                payload.into()
            }
            Type::Enum(variants) => {
                let (name, kind) = &variants[usize::try_from(draw(variants.len() as u64)).unwrap()];
                json!({ *name: kind.payload(whole, depth, draw) })
            }
        }
    }

    /// The same with some places changed.
    fn changed(&self, draw: &mut dyn FnMut(u64) -> u64) -> Type {
        let boxed = |kind: &Type, draw: &mut dyn FnMut(u64) -> u64| Box::new(kind.changed(draw));
        if draw(9) == 0 {
            return match (draw(4), self) {
                (0, _) => Type::Option(Box::new(self.clone())),
                (1, Type::Option(inner)) => (**inner).clone(),
                (1, Type::Integer(..)) => Type::Double,
                (2, Type::Text(_)) => Type::Text(Some(3)),
                (2, Type::Integer(..)) => Type::Integer("uint8", 0, 255),
                (_, Type::Integer(..)) => Type::Integer("int64", i64::MIN, i64::MAX),
                (_, Type::State(names)) => Type::State(names[..1].to_vec()),
                (_, Type::Struct { fields, .. }) if draw(2) == 0 => {
                    fields.first().map_or(Type::Bool, |(.., kind)| Type::Map(Box::new(kind.clone())))
                }
                (_, Type::Pair(one, _)) => Type::List(one.clone()),
                _ => Type::Text(None),
            };
        }
        match self {
            Type::Option(inner) => Type::Option(boxed(inner, draw)),
            Type::List(inner) => Type::List(boxed(inner, draw)),
            Type::Map(inner) => Type::Map(boxed(inner, draw)),
            Type::Pair(one, other) => Type::Pair(boxed(one, draw), boxed(other, draw)),
            Type::Struct { fields, closed } => {
                let mut changed = Vec::new();
                for (name, required, kind) in fields {
                    if draw(8) > 0 {
                        changed.push((*name, *required && draw(6) > 0 || draw(10) == 0, kind.changed(draw)));
                    }
                }
                if draw(4) == 0
                    && let Some(name) =
                        FIELDS.iter().find(|name| fields.iter().all(|(there, ..)| there != *name))
                {
                    changed.push((name, draw(4) == 0, Type::Bool));
                }
                Type::Struct { fields: changed, closed: if draw(8) == 0 { !closed } else { *closed } }
            }
            Type::Enum(variants) => {
                let mut changed: Vec<_> =
                    variants.iter().map(|(name, kind)| (*name, kind.changed(draw))).collect();
                if draw(5) == 0 && changed.len() > 1 {
                    changed.pop();
                }
                Type::Enum(changed)
            }
            other => other.clone(),
        }
    }
}

fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        Just(Type::Bool),
        Just(Type::Integer("uint8", 0, 255)),
        Just(Type::Integer("int32", i32::MIN.into(), i32::MAX.into())),
        Just(Type::Double),
        Just(Type::Text(None)),
        Just(Type::Text(Some(5))),
        Just(Type::State(vec!["one", "two"])),
        Just(Type::Again),
    ];
    let inner = leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|kind| Type::Option(Box::new(kind))),
            inner.clone().prop_map(|kind| Type::List(Box::new(kind))),
            inner.clone().prop_map(|kind| Type::Map(Box::new(kind))),
            (inner.clone(), inner.clone())
                .prop_map(|(one, other)| Type::Pair(Box::new(one), Box::new(other))),
            fields(inner.clone()),
            proptest::collection::vec(inner, 1..3)
                .prop_map(|kinds| Type::Enum(["One", "Two"].into_iter().zip(kinds).collect())),
        ]
    });
    fields(inner)
}

fn fields(inner: impl Strategy<Value = Type>) -> impl Strategy<Value = Type> {
    (proptest::collection::vec((any::<bool>(), inner), 0..4), any::<bool>()).prop_map(|(fields, closed)| {
        Type::Struct {
            fields: FIELDS
                .into_iter()
                .zip(fields)
                .map(|(name, (required, kind))| (name, required, kind))
                .collect(),
            closed,
        }
    })
}

/// Numbers below a bound, by splitmix64.
fn drawing(mut seed: u64) -> impl FnMut(u64) -> u64 {
    move |below| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}

/// Whether they were called compatible; every payload that is drawn is then valid for the reader.
fn holds(writer: &Type, seed: u64) -> Result<bool, TestCaseError> {
    let mut draw = drawing(seed);
    let reader = writer.changed(&mut draw).document();
    let document = writer.document();
    prop_assert_eq!(compare(&document, &document).unwrap(), []);
    let found = compare(&document, &reader).unwrap();
    let (own, other) =
        (jsonschema::validator_for(&document).unwrap(), jsonschema::validator_for(&reader).unwrap());
    for _ in 0..20 {
        let payload = writer.payload(writer, 2, &mut draw);
        prop_assert!(own.is_valid(&payload), "{payload} of {document}");
        if found.is_empty() {
            prop_assert!(other.is_valid(&payload), "{payload} of {document} for {reader}");
        }
    }
    Ok(found.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn compatible_schemas_are_compatible(writer in types(), seed in any::<u64>()) {
        holds(&writer, seed)?;
    }
}

/// Both answers are given often enough for the other test to say something.
#[test]
fn both_answers_are_given() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut compatible = 0;
    for seed in 0..200 {
        let writer = types().new_tree(&mut runner).unwrap().current();
        compatible += u32::from(holds(&writer, seed).unwrap());
    }
    assert!((40..=160).contains(&compatible), "{compatible} of 200 were called compatible");
}

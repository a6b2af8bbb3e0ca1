//! What JSON a Rust type is written as, by its name.

use syn::{GenericArgument, PathArguments, Type};

/// A kind of JSON, where the name of a type says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    /// JSON Schema's `type`.
    pub(crate) json: &'static str,
    /// Its `format`, of numbers.
    pub(crate) format: Option<&'static str>,
}

/// The kind of `ty`; none where the name leaves it open.
pub(crate) fn of(ty: &Type) -> Option<Kind> {
    let plain = |json| Some(Kind { json, format: None });
    let number = |json, format| Some(Kind { json, format: Some(format) });
    let name = match ty {
        Type::Array(_) | Type::Tuple(_) => return plain("array"),
        Type::Paren(inner) => return of(&inner.elem),
        Type::Group(inner) => return of(&inner.elem),
        _ => last_name(ty)?,
    };
    match name.as_str() {
        "Option" | "Box" | "Arc" | "Rc" => of(argument(ty)?),
        "String" => plain("string"),
        "bool" => plain("boolean"),
        "u8" => number("integer", "uint8"),
        "u16" => number("integer", "uint16"),
        "u32" => number("integer", "uint32"),
        "u64" => number("integer", "uint64"),
        "u128" => number("integer", "uint128"),
        "usize" => number("integer", "uint"),
        "i8" => number("integer", "int8"),
        "i16" => number("integer", "int16"),
        "i32" => number("integer", "int32"),
        "i64" => number("integer", "int64"),
        "i128" => number("integer", "int128"),
        "isize" => number("integer", "int"),
        "f32" => number("number", "float"),
        "f64" => number("number", "double"),
        "Vec" | "VecDeque" | "BTreeSet" | "HashSet" => plain("array"),
        "BTreeMap" | "HashMap" => plain("object"),
        _ => None,
    }
}

/// Whether `ty` is an `Option`.
pub(crate) fn is_option(ty: &Type) -> bool {
    last_name(ty).is_some_and(|name| name == "Option")
}

fn last_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) if path.qself.is_none() => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

fn argument(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let PathArguments::AngleBracketed(arguments) = &path.path.segments.last()?.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

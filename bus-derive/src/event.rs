//! `#[derive(DomainEvent)]`: attributes → validate → expand.

mod attributes;
mod decode;
mod expand;
mod field_path;
mod model;
mod pseudonym;
mod stub;
mod validate;

pub(crate) use attributes::Schemas;
pub(crate) use field_path::FieldPath;
pub(crate) use model::{Event, EventType};

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput};

use self::attributes::{EventKeys, Place};
use crate::errors::Errors;
use crate::{locked, private};

/// The derive, behind the compiler's own types.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let place = if matches!(input.data, Data::Enum(_)) { Place::Enum } else { Place::Struct };
    let keys = EventKeys::read(&input.attrs, place, &mut errors);
    let private = private(keys.crate_path.get());
    if let Data::Union(data) = &input.data {
        errors.at(
            data.union_token.span,
            "a union cannot be an event: use a struct, or an enum with a type per variant",
        );
    }
    let schemas = keys.schemas.get().cloned();
    let event = validate::validate(&input, keys, &mut errors);
    let files = if errors.is_empty() {
        locked::check(&input, &event, schemas.as_ref(), &private, &mut errors)
    } else {
        TokenStream::new()
    };
    match errors.into_tokens() {
        None => {
            let mut expanded = expand::expand(&event, &private);
            expanded.extend(files);
            expanded
        }
        Some(mut errors) => {
            errors.extend(stub::stub(&input, &private));
            errors
        }
    }
}

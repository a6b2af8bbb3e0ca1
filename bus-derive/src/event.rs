//! `#[derive(DomainEvent)]`: attributes → validate → expand.

mod attributes;
mod expand;
mod field_path;
mod model;
mod stub;
mod validate;

pub(crate) use field_path::FieldPath;

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput};

use self::attributes::{EventKeys, Place};
use crate::errors::Errors;
use crate::private;

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
    let event = validate::validate(&input, keys, &mut errors);
    match errors.into_tokens() {
        None => expand::expand(&event, &private),
        Some(mut errors) => {
            errors.extend(stub::stub(&input, &private));
            errors
        }
    }
}

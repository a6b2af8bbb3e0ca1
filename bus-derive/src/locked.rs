//! What the lock folder says of an event, beside what its tokens say: a field that is gone, renamed, retyped or newly required without
//! a new version is a mistake at that field.
//!
//! Types are known by their names alone. What is inside of other types, `with` and `deserialize_with`, and everything that this leaves
//! open, the contract's test compares by the schemas themselves.

mod compare;
mod fields;
mod file;
mod json;
pub(crate) mod kind;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use self::compare::Place;
use self::file::{Found, Lookup};
use crate::errors::Errors;
use crate::event::{Event, EventType, Schemas};

/// Compares the event types of `event` with their files in the lock folder, which `schemas` names. Answers items that have rustc look at
/// the files that were read and at what is accepted, and that ask it what tokens do not say.
pub(crate) fn check(
    input: &DeriveInput,
    event: &Event,
    schemas: Option<&Schemas>,
    private: &TokenStream,
    errors: &mut Errors,
) -> TokenStream {
    if !event.generics.params.is_empty() {
        return TokenStream::new();
    }
    let Some(lookup) = Lookup::new(schemas) else { return TokenStream::new() };
    let (mut read, mut asked) = (Vec::new(), TokenStream::new());
    for (index, event_type) in event.types.iter().enumerate() {
        match lookup.find(&event.aggregate, event_type) {
            Ok(None) => {}
            Ok(Some(found)) => {
                if !lookup.accepts(&event.aggregate, event_type) {
                    asked.extend(compare(input, index, event_type, &found, private, errors));
                }
                read.extend(found.path.to_str().map(str::to_owned));
            }
            Err(why) => errors.at(input.ident.span(), why),
        }
    }
    if read.is_empty() {
        return asked;
    }
    quote! {
        const _: ::core::option::Option<&str> = ::core::option_env!("JITNEY_ACCEPT");
        #(const _: &[u8] = ::core::include_bytes!(#read);)*
        #asked
    }
}

fn compare(
    input: &DeriveInput,
    index: usize,
    event_type: &EventType,
    found: &Found,
    private: &TokenStream,
    errors: &mut Errors,
) -> TokenStream {
    let (ident, fields) = match &input.data {
        Data::Struct(data) => (&input.ident, fields::of_struct(input, &data.fields)),
        Data::Enum(data) => {
            let Some(variant) = data.variants.iter().nth(index) else { return TokenStream::new() };
            (&variant.ident, fields::of_variant(input, variant))
        }
        Data::Union(_) => return TokenStream::new(),
    };
    let Some(fields) = fields else { return TokenStream::new() };
    compare::compare(&Place { ident, event_type, found, private }, &fields, errors)
}

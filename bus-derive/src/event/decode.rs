//! Reading stored payloads: the current versions, and the old ones through their upcasters.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::Path;
use syn::spanned::Spanned;

use super::field_path::number;
use super::model::{Event, EventType, Upcaster};
use crate::spans;

/// The body of `decode`: the current versions by name and major, then the old ones.
pub(super) fn decode(event: &Event, private: &TokenStream) -> TokenStream {
    let arms = event.types.iter().map(|event_type| {
        let name = &event_type.name;
        let major = number(event_type.version.major);
        let read = read(event_type, &quote!(__payload), private);
        let upcast = json_arm(event_type, private);
        quote!((#name, #major) => #read, #upcast)
    });
    let typed: Vec<_> = event.types.iter().filter_map(typed_upcaster).collect();
    let old = match typed.split_last() {
        None => quote!(_ => ::core::result::Result::Err(__payload.unknown())),
        Some((last, others)) => {
            let last = upcast(last, private);
            let others = others.iter().map(|old| {
                let upcast = upcast(old, private);
                quote!(_ if #private::reads::<#old>(__payload) => #upcast,)
            });
            quote!(#(#others)* _ => #last)
        }
    };
    quote! {
        match (__payload.event_type(), __payload.version().major) {
            #(#arms)*
            #old,
        }
    }
}

/// The type that the versions before are read as.
pub(super) fn typed_upcaster(event_type: &EventType) -> Option<&syn::Type> {
    match &event_type.upcaster {
        Some(Upcaster::Typed(old)) => Some(old),
        _ => None,
    }
}

fn upcast(old: &syn::Type, private: &TokenStream) -> TokenStream {
    let read = spans::qualified(old, &quote!(#private::DomainEvent), &quote!(::decode(__payload)));
    let converted = spans::at(old.span(), &quote!(#private::converted));
    let (first, last) = spans::ends(old);
    let upcast_from = spans::at(first, &quote!(#private::UpcastFrom));
    let convert = quote_spanned!(first=> <Self as #upcast_from<#old>>);
    let method = quote_spanned!(last=> ::upcast_from);
    quote_spanned!(old.span()=> #converted(__payload, #read, #convert #method))
}

fn read(event_type: &EventType, payload: &TokenStream, private: &TokenStream) -> TokenStream {
    match &event_type.variant {
        None => quote!(#payload.read()),
        Some(variant) => {
            let name = &variant.serde_name;
            quote!(#private::read_variant(#payload, #name))
        }
    }
}

/// The arm that reads the majors from which functions on JSON lead to the current one.
fn json_arm(event_type: &EventType, private: &TokenStream) -> Option<TokenStream> {
    let Some(Upcaster::Json { first, steps }) = &event_type.upcaster else { return None };
    let name = &event_type.name;
    let (major, minor) = (number(event_type.version.major), number(event_type.version.minor));
    let (first, last) = (number(*first), number(event_type.version.major - 1));
    let steps = steps.iter().map(|function| step(function, private));
    let read = read(event_type, &quote!(current), private);
    Some(quote! {
        (#name, #first..=#last) => {
            let json = #private::upcast_json(__payload, #first, &[#(#steps),*])?;
            let version = #private::Version::new(#major, #minor);
            let current = &#private::StoredPayload::new(__payload.event_type(), version, &json);
            #read
        }
    })
}

/// A step with an error of any type; a function of another shape is an error at its path.
fn step(function: &Path, private: &TokenStream) -> TokenStream {
    let function_type = quote!(#private::JsonFunction);
    quote_spanned! {function.span()=> |__value| {
        let step: #function_type<_> = #function;
        ::core::result::Result::Ok(step(__value)?)
    }}
}

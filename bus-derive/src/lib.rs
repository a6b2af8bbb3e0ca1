//! Jitney's derive macro for events and attribute macros for handlers.

mod duration;
mod errors;
mod event;
mod handler;
mod handlers_list;
mod keys;
mod serde_names;
mod spans;
mod test_attribute;

use proc_macro::TokenStream;
use quote::quote;

/// Makes an event of a struct, or of an enum with an event type for each variant.
#[proc_macro_derive(DomainEvent, attributes(event))]
pub fn domain_event(input: TokenStream) -> TokenStream {
    event::derive(input.into()).into()
}

/// Makes a handler of an async function.
#[proc_macro_attribute]
pub fn handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(arguments.into(), item.into()).into()
}

/// Makes a list of handlers.
#[proc_macro]
pub fn handlers(input: TokenStream) -> TokenStream {
    handlers_list::handlers(input.into()).into()
}

/// Makes a test of an async function.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test_attribute::test(arguments.into(), item.into()).into()
}

/// Where expansions find the core: behind the facade, unless `crate = "…"` names another way.
fn private(crate_path: Option<&syn::Path>) -> proc_macro2::TokenStream {
    match crate_path {
        Some(path) => quote!(#path::__private),
        None => quote!(::jitney::__private),
    }
}

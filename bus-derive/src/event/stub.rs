//! Impls that stand in after a mistake, so that the rest of the program is not accused of missing them.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput};

use super::expand::with_bounds;

/// The impls, with no event types.
pub(crate) fn stub(input: &DeriveInput, private: &TokenStream) -> TokenStream {
    if matches!(input.data, Data::Union(_)) {
        return TokenStream::new();
    }
    let ident = &input.ident;
    let generics = with_bounds(&input.generics, private);
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #impl_generics #private::DomainEvent for #ident #ty_generics #where_clause {
            const TYPES: &'static [#private::EventType] = &[];
            fn event_type(&self) -> &'static #private::EventType { ::core::unreachable!() }
            fn decode(
                payload: &#private::StoredPayload<'_>,
            ) -> ::core::result::Result<Self, #private::DecodeError> {
                ::core::result::Result::Err(payload.unknown())
            }
        }

        #[automatically_derived]
        impl #impl_generics #private::Keyed for #ident #ty_generics #where_clause {
            fn aggregate_id(&self) -> ::std::string::String { ::core::unreachable!() }
        }
    }
}

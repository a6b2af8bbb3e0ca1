//! `#[derive(OneOf)]`: an enum with an event in each variant.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::parse::ParseStream;
use syn::{Attribute, Data, DeriveInput, Fields, Path, Type, Variant};

use crate::errors::Errors;
use crate::keys::{self, Slot};
use crate::private;

/// The derive, behind the compiler's own types.
pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let mut errors = Errors::default();
    let private = private(crate_path(&input.attrs, &mut errors).get());
    let events = events(&input, &mut errors);
    match errors.into_tokens() {
        None => expand(&input.ident, &events, &private),
        Some(errors) => errors,
    }
}

fn crate_path(attrs: &[Attribute], errors: &mut Errors) -> Slot<Path> {
    let mut crate_path = Slot::default();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("one_of")) {
        let read = attr.parse_args_with(|input: ParseStream<'_>| {
            keys::read_keys(input, errors, |key, input, _| match key.to_string().as_str() {
                "crate" => crate_path.set(key, keys::crate_path(key, input)?),
                _ => Err(keys::unknown(key, "one_of", &["crate"])),
            })
        });
        errors.ok(read);
    }
    crate_path
}

/// The variants with the event that each of them has.
fn events<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Vec<(&'a Ident, &'a Type)> {
    let Data::Enum(data) = &input.data else {
        errors.on(
            &input.ident,
            "one of several events is an enum with an event in each variant: `Placed(OrderPlaced)`",
        );
        return Vec::new();
    };
    if !input.generics.params.is_empty() {
        errors.on(&input.generics, "an enum of events has no parameters: name the events that it is of");
    }
    if data.variants.is_empty() {
        errors.on(&input.ident, "there is no event: add a variant such as `Placed(OrderPlaced)`");
    }
    data.variants.iter().filter_map(|variant| event(variant, errors)).collect()
}

fn event<'a>(variant: &'a Variant, errors: &mut Errors) -> Option<(&'a Ident, &'a Type)> {
    match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
            fields.unnamed.first().map(|field| (&variant.ident, &field.ty))
        }
        _ => {
            let ident = &variant.ident;
            errors.on(
                variant,
                format!("a variant has one event, without a name: write `{ident}(OrderPlaced)`"),
            );
            None
        }
    }
}

fn expand(ident: &Ident, events: &[(&Ident, &Type)], private: &TokenStream) -> TokenStream {
    let types = events.iter().map(|(_, event)| quote!(types.extend(<#event as #private::OneOf>::types());));
    let type_of = events.iter().map(
        |(variant, event)| quote!(Self::#variant(event) => <#event as #private::OneOf>::type_of(event),),
    );
    let read = events.iter().map(|(variant, event)| {
        quote! {
            if <#event as #private::OneOf>::reads(payload) {
                return <#event as #private::OneOf>::read(payload).map(Self::#variant);
            }
        }
    });
    let named = events.iter().map(|(_, event)| quote!(<#event as #private::OneOf>::reads(&by_name)));
    let read_named = events.iter().enumerate().map(|(index, (variant, event))| {
        quote! {
            if readers[#index] {
                return <#event as #private::OneOf>::read(&by_name).map(Self::#variant);
            }
        }
    });
    let reads = events.iter().map(|(_, event)| quote!(<#event as #private::OneOf>::reads(payload)));
    let from = events.iter().map(|(variant, event)| {
        quote! {
            #[automatically_derived]
            impl ::core::convert::From<#event> for #ident {
                fn from(event: #event) -> Self { Self::#variant(event) }
            }
        }
    });
    quote! {
        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #private::OneOf for #ident {
            fn types() -> ::std::vec::Vec<&'static #private::EventType> {
                let mut types = ::std::vec::Vec::new();
                #(#types)*
                types
            }

            fn type_of(&self) -> &'static #private::EventType {
                match self { #(#type_of)* }
            }

            fn read(
                payload: &#private::StoredPayload<'_>,
            ) -> ::core::result::Result<Self, #private::DecodeError> {
                #(#read)*
                // Of an aggregate that none of them has, as other programs may name it: by its name, where that says which.
                let by_name = payload.by_name();
                let readers = [#(#named),*];
                match readers.iter().filter(|reads| **reads).count() {
                    0 => return ::core::result::Result::Err(payload.unknown()),
                    1 => {}
                    _ => return ::core::result::Result::Err(payload.unclear()),
                }
                #(#read_named)*
                ::core::result::Result::Err(payload.unknown())
            }

            fn reads(payload: &#private::StoredPayload<'_>) -> bool {
                #(#reads)||*
            }
        }

        #(#from)*
    }
}

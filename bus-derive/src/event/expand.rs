//! The impls of `DomainEvent` and `Keyed`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Generics, WherePredicate, parse_quote};

use super::decode::{decode, typed_upcaster};
use super::field_path::{FieldPath, number};
use super::model::{Event, EventType, Upcaster};
use super::pseudonym;
use crate::spans;

/// Everything that the derive adds.
pub(crate) fn expand(event: &Event, private: &TokenStream) -> TokenStream {
    let domain_event = domain_event(event, private);
    let keyed = event.id.as_ref().map(|id| keyed(event, id, private));
    quote! {
        const _: () = {
            #domain_event
            #keyed
        };
    }
}

fn domain_event(event: &Event, private: &TokenStream) -> TokenStream {
    let ident = &event.ident;
    let mut generics = with_bounds(&event.generics, private);
    let bounds_check = bounds_check(event, private);
    if !generics.params.is_empty() {
        let old = event.types.iter().filter_map(typed_upcaster);
        generics.make_where_clause().predicates.extend(old.flat_map(|old| upcast_bounds(old, private)));
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let types = event.types.iter().map(|event_type| current_type(event, event_type, private));
    let (checks, checks_in_types) = match event.generics.params.is_empty() {
        true => (chain_checks(event, private), None),
        // A constant of its own cannot name type parameters.
        false => (None, chain_checks(event, private)),
    };
    let event_type = event_type(event, private);
    let decode = decode(event, private);
    let serialize_payload = serialize_payload(event, private);
    let accepts = accepts(event, private);
    quote! {
        #bounds_check
        #checks

        #[automatically_derived]
        #[diagnostic::do_not_recommend]
        #[allow(deprecated, clippy::pedantic)]
        impl #impl_generics #private::DomainEvent for #ident #ty_generics #where_clause {
            const TYPES: &'static [#private::EventType] = { #checks_in_types &[#(#types),*] };

            fn event_type(&self) -> &'static #private::EventType { #event_type }

            fn decode(
                __payload: &#private::StoredPayload<'_>,
            ) -> ::core::result::Result<Self, #private::DecodeError> { #decode }

            #serialize_payload
            #accepts
        }
    }
}

/// The type parameters of `generics`, with what an event needs as bounds on the whole type, so that they are exact.
/// Where a type without parameters does not meet them, the lifetime keeps rustc from complaining at every use of
/// them: [`bounds_check`] complains once.
pub(super) fn with_bounds(generics: &Generics, private: &TokenStream) -> Generics {
    let mut generics = generics.clone();
    let bounds = parse_quote! {
        for<'__event> Self: #private::Serialize + #private::DeserializeOwned
            + ::core::marker::Send + ::core::marker::Sync + 'static
    };
    generics.make_where_clause().predicates.push(bounds);
    generics
}

fn bounds_check(event: &Event, private: &TokenStream) -> Option<TokenStream> {
    let ident = &event.ident;
    let payload = spans::at(ident.span(), &quote!(#private::Payload));
    let shared = spans::check_shared(&parse_quote!(#ident));
    event.generics.params.is_empty().then(|| {
        quote_spanned! {ident.span()=>
            const _: () = <#ident as #payload>::CHECKED;
            #shared
        }
    })
}

/// What an upcast from `old` needs, where type parameters leave it open.
fn upcast_bounds(old: &syn::Type, private: &TokenStream) -> [WherePredicate; 2] {
    [parse_quote!(#old: #private::DomainEvent), parse_quote!(Self: #private::UpcastFrom<#old>)]
}

fn type_constant(event: &Event, event_type: &EventType, major: u32, private: &TokenStream) -> TokenStream {
    let Event { aggregate, topic, .. } = event;
    let EventType { name, version, .. } = event_type;
    let minor = if major == version.major { version.minor } else { 0 };
    let (major, minor) = (number(major), number(minor));
    let source = event.source.as_ref().map(|source| quote!(.with_source(#source)));
    quote!(#private::EventType::new(#name, #aggregate, #private::Version::new(#major, #minor), #topic) #source)
}

/// The constant of a current type, with its manifest. A constant cannot ask whether a type with parameters has a schema.
fn current_type(event: &Event, event_type: &EventType, private: &TokenStream) -> TokenStream {
    let constant = type_constant(event, event_type, event_type.version.major, private);
    if !event.generics.params.is_empty() {
        return constant;
    }
    let ident = &event.ident;
    let variant = match &event_type.variant {
        None => quote!(::core::option::Option::None),
        Some(variant) => {
            let name = &variant.serde_name;
            quote!(::core::option::Option::Some(#name))
        }
    };
    quote!(#private::with_manifest!(#constant, #ident, #variant))
}

/// Assertions that each typed upcaster starts at the major version before.
fn chain_checks(event: &Event, private: &TokenStream) -> Option<TokenStream> {
    let checks = event.types.iter().filter_map(|event_type| {
        let Some(Upcaster::Typed(old)) = &event_type.upcaster else { return None };
        let name = match &event_type.variant {
            Some(variant) => format!("{}::{}", event.ident.unraw(), variant.ident.unraw()),
            None => event.ident.unraw().to_string(),
        };
        let (major, minor) = (event_type.version.major, event_type.version.minor);
        let before = major - 1;
        let message = format!(
            "`{name}` {major}.{minor} upcasts from `{}`, which is not version {before}: write the upcaster from version {before}",
            old.to_token_stream().to_string().replace(' ', "")
        );
        let before = number(before);
        let types = spans::qualified(old, &quote!(#private::DomainEvent), &quote!(::TYPES));
        let assertion = quote_spanned!(old.span()=>
            ::core::assert!(#private::any_of_major(#types, #before), #message)
        );
        Some(if event.generics.params.is_empty() { quote!(const _: () = #assertion;) } else { quote!(#assertion;) })
    });
    Some(checks.collect())
}

fn event_type(event: &Event, private: &TokenStream) -> TokenStream {
    if !event.is_enum() {
        return quote!(&<Self as #private::DomainEvent>::TYPES[0]);
    }
    let arms = event.variants().enumerate().map(|(index, variant)| {
        let ident = &variant.ident;
        quote!(Self::#ident { .. } => &<Self as #private::DomainEvent>::TYPES[#index],)
    });
    quote!(match self { #(#arms)* })
}

/// Where a payload is another than what serde writes of the event.
fn serialize_payload(event: &Event, private: &TokenStream) -> Option<TokenStream> {
    let variant = || quote!(#private::Serialize::serialize(&#private::VariantPayload(self), serializer));
    let body = pseudonym::serialize_payload(event, private).or_else(|| event.is_enum().then(variant))?;
    Some(quote! {
        fn serialize_payload<__S: #private::Serializer>(
            &self,
            serializer: __S,
        ) -> ::core::result::Result<__S::Ok, __S::Error> {
            #body
        }
    })
}

/// The current types, then the old ones; the trait's own method does where there are no old ones.
fn accepts(event: &Event, private: &TokenStream) -> Option<TokenStream> {
    let old = event.types.iter().filter_map(|event_type| match event_type.upcaster.as_ref()? {
        Upcaster::Typed(old) => Some(quote!(types.extend(<#old as #private::DomainEvent>::accepts());)),
        Upcaster::Json { first, .. } => {
            let versions = (*first..event_type.version.major).rev();
            let types = versions.map(|major| type_constant(event, event_type, major, private));
            Some(quote!(types.extend(const { &[#(#types),*] });))
        }
    });
    let old: Vec<_> = old.collect();
    (!old.is_empty()).then(|| {
        quote! {
            fn accepts() -> ::std::vec::Vec<&'static #private::EventType> {
                let types = <Self as #private::DomainEvent>::TYPES.iter();
                let mut types: ::std::vec::Vec<&'static #private::EventType> = types.collect();
                #(#old)*
                types
            }
        }
    })
}

fn keyed(event: &Event, id: &FieldPath, private: &TokenStream) -> TokenStream {
    let ident = &event.ident;
    let mut generics = event.generics.clone();
    let where_clause = generics.make_where_clause();
    where_clause.predicates.push(parse_quote!(for<'__event> Self: #private::DomainEvent));
    if let (false, true, Some(ty)) = (event.generics.params.is_empty(), id.is_direct(), &event.id_type) {
        where_clause.predicates.push(parse_quote!(#ty: ::std::string::ToString));
    }
    let (impl_generics, ty_generics, where_clause) = generics.split_for_impl();
    let id = text_of(event, id);
    let key = event.key.as_ref().map(|key| {
        let key = text_of(event, key);
        quote! {
            fn key(&self) -> ::core::option::Option<::std::string::String> {
                ::core::option::Option::Some(#key)
            }
        }
    });
    quote! {
        #[automatically_derived]
        #[allow(deprecated, clippy::pedantic)]
        impl #impl_generics #private::Keyed for #ident #ty_generics #where_clause {
            fn aggregate_id(&self) -> ::std::string::String { #id }
            #key
        }
    }
}

/// The text of the field at `path`, whichever variant it is in.
fn text_of(event: &Event, path: &FieldPath) -> TokenStream {
    let first = path.first();
    if !event.is_enum() {
        let first = quote_spanned!(first.span()=> self.#first);
        return path.text_of(&first);
    }
    let text = path.text_of(&quote_spanned!(first.span()=> field));
    let arms = event.variants().map(|variant| {
        let ident = &variant.ident;
        quote!(Self::#ident { #first: field, .. } => #text,)
    });
    quote!(match self { #(#arms)* })
}

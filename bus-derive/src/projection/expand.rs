//! From the methods of a projection to its implementation of the trait.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ItemImpl;
use syn::spanned::Spanned;

use super::arguments::Arguments;
use super::methods::{Handler, Methods};

pub(super) fn expand(arguments: &Arguments, block: &ItemImpl, methods: &Methods) -> TokenStream {
    let facade = arguments.crate_path.get().map_or_else(|| quote!(::jitney), |path| quote!(#path));
    let sourcing = quote!(#facade::sourcing);
    let error = quote!(#facade::handler::HandlerError);
    let (name, version) = (arguments.name.get(), arguments.version.get().copied().unwrap_or(1));
    let (self_ty, connection) = (&block.self_ty, &methods.connection);
    let where_clause = &block.generics.where_clause;
    let accepts = methods.handlers.iter().map(|Handler { event, cfgs, .. }| {
        let accepts = quote_spanned!(event.span()=> <#event as #facade::event::DomainEvent>::accepts());
        quote!(#(#cfgs)* __types.extend(#accepts);)
    });
    let applies = methods.handlers.iter().map(|handler| apply(handler, &facade, &sourcing, &error));
    let into = quote!(#facade::handler::IntoHandlerError::into_handler_error);
    let prepare = methods.prepare.as_ref().map(|prepare| {
        quote! {
            async fn prepare(&self, __connection: &mut #connection) -> ::core::result::Result<(), #error> {
                Self::#prepare(self, __connection).await.map_err(#into)
            }
        }
    });
    let after_commit = methods.after_commit.as_ref().map(|after_commit| {
        quote! {
            async fn after_commit(&self, __events: &[#sourcing::StoredEvent]) {
                Self::#after_commit(self, __events).await
            }
        }
    });
    let cfgs = block.attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    quote! {
        #(#cfgs)*
        #[automatically_derived]
        #[allow(clippy::all, clippy::pedantic)]
        impl #sourcing::Projection for #self_ty #where_clause {
            type Connection = #connection;

            fn name(&self) -> &str {
                #name
            }

            fn version(&self) -> u32 {
                #version
            }

            fn filter(&self) -> #sourcing::Filter {
                #sourcing::Filter::of_types(&#sourcing::Projection::event_types(self))
            }

            fn event_types(&self) -> ::std::vec::Vec<&'static #facade::event::EventType> {
                let mut __types = ::std::vec::Vec::new();
                #(#accepts)*
                __types
            }

            #prepare

            async fn apply(
                &self,
                __event: &#sourcing::StoredEvent,
                __at: &mut #sourcing::Projecting<'_, #connection>,
            ) -> ::core::result::Result<(), #error> {
                #(#applies)*
                ::core::result::Result::Ok(())
            }

            #after_commit
        }
    }
}

/// The statement that runs a handler where the event is one of its.
fn apply(
    handler: &Handler,
    facade: &TokenStream,
    sourcing: &TokenStream,
    error: &TokenStream,
) -> TokenStream {
    let Handler { method, event, with_envelope, with_place, returns_nothing, cfgs } = handler;
    let read = match with_envelope {
        true => quote!(__event.to_envelope::<#event>()),
        false => quote!(__event.decode::<#event>()),
    };
    let at = if *with_place { quote!(__at) } else { quote!(__at.connection()) };
    let call = quote_spanned!(method.span()=> Self::#method(self, __read, #at).await);
    let done = match returns_nothing {
        true => quote!(#call;),
        false => quote!(#call.map_err(#facade::handler::IntoHandlerError::into_handler_error)?;),
    };
    quote! {
        #(#cfgs)*
        {
            static __ACCEPTS: ::std::sync::OnceLock<#sourcing::Filter> = ::std::sync::OnceLock::new();
            let __accepts = __ACCEPTS.get_or_init(#sourcing::Filter::of::<#event>);
            if __accepts.is_for(&__event.head().aggregate_type, &__event.head().event_type) {
                let __read = #read.map_err(#error::permanent)?;
                #done
            }
        }
    }
}

//! `#[handler]` on an impl block.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, ImplItem, ImplItemFn, ItemImpl, Meta, Type, parse_quote};

use super::arguments::Arguments;
use super::expand::{self, Handler};
use super::{Place, cfgs, read_arguments, signature};
use crate::errors::Errors;
use crate::{private, serde_names, spans};

/// The block as it is, and what makes a value of its type a set of handlers.
pub(super) fn expand(block_arguments: Arguments, mut block: ItemImpl, mut errors: Errors) -> TokenStream {
    if let Some((path, _)) = &block.trait_ {
        errors.on(path, "its handlers are methods of the type itself: write `impl Type { … }`");
    }
    let private = private(block_arguments.crate_path.get());
    let type_name = type_name(&block.self_ty).map(|name| serde_names::snake_case(&name));
    let type_name = type_name.unwrap_or_else(|| {
        errors.on(&block.self_ty, "`#[handler]` stands on the impl block of a struct or an enum");
        String::new()
    });
    let mut methods = Vec::new();
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        if let Some(own) = take_arguments(method, &mut errors) {
            let signature = signature::check(&method.sig, Place::Method, &mut errors);
            methods.push((method.attrs.clone(), own, signature));
        }
    }
    if methods.is_empty() {
        errors.on(
            &block.self_ty,
            "no method of this block has `#[handler]`: put it on the methods that handle events",
        );
    }
    let mut handlers = Vec::new();
    for (attrs, own, signature) in methods {
        let default_name = format!("{type_name}.{}", expand::name(&signature.ident));
        let default_group = Some(type_name.clone());
        let handler = Handler { signature, own, block: &block_arguments, default_name, default_group };
        handler.check(&mut errors);
        handlers.push((attrs, handler));
    }
    let errors = errors.into_tokens();
    let impls = block.trait_.is_none().then(|| {
        let adds = handlers
            .iter()
            .filter(|_| errors.is_none())
            .map(|(attrs, handler)| add(attrs, handler, &private));
        impls(&block, &adds.collect(), &private)
    });
    quote!(#errors #block #impls)
}

/// Takes `#[handler(…)]` off `method`, if it is there.
fn take_arguments(method: &mut ImplItemFn, errors: &mut Errors) -> Option<Arguments> {
    let is_handler =
        |attr: &Attribute| attr.path().segments.last().is_some_and(|last| last.ident == "handler");
    let index = method.attrs.iter().position(is_handler)?;
    let attr = method.attrs.remove(index);
    if let Some(second) = method.attrs.iter().find(|attr| is_handler(attr)) {
        errors.on(second.path(), "`#[handler]` is given twice: remove one");
    }
    method.attrs.retain(|attr| !is_handler(attr));
    method.attrs.push(parse_quote!(#[allow(clippy::unused_async, clippy::unused_self)]));
    let tokens = match attr.meta {
        Meta::List(list) => list.tokens,
        _ => TokenStream::new(),
    };
    Some(read_arguments(tokens, Place::Method, errors))
}

/// The statement that adds a method to the set.
fn add(attrs: &[Attribute], handler: &Handler<'_>, private: &TokenStream) -> TokenStream {
    let method = &handler.signature.ident;
    let state = quote!(#private::Arc::clone(&self));
    let add = handler.add(&state, &quote!(Self::#method), Some(&quote!(state)), private);
    let cfgs = cfgs(attrs);
    quote!(#(#cfgs)* { #add })
}

fn impls(block: &ItemImpl, adds: &TokenStream, private: &TokenStream) -> TokenStream {
    let self_ty = &block.self_ty;
    let mut generics = block.generics.clone();
    // Where a type without parameters cannot be shared, the check complains, and complains once.
    let bounds =
        parse_quote!(for<'__handlers> #self_ty: ::core::marker::Send + ::core::marker::Sync + 'static);
    generics.make_where_clause().predicates.push(bounds);
    let (impl_generics, _, where_clause) = generics.split_for_impl();
    let check = block.generics.params.is_empty().then(|| spans::check_shared(self_ty));
    let cfgs = cfgs(&block.attrs);
    quote! {
        #(#cfgs)*
        const _: () = {
            #check

            #[automatically_derived]
            #[allow(clippy::all, clippy::pedantic)]
            impl #impl_generics #private::SharedHandlers for #self_ty #where_clause {
                fn shared_handlers(self: #private::Arc<Self>) -> #private::HandlerSet {
                    #[allow(unused_mut)]
                    let mut set = #private::HandlerSet::new();
                    #adds
                    set
                }
            }

            #[automatically_derived]
            impl #impl_generics #private::IntoHandlers for #self_ty #where_clause {
                fn into_handlers(self) -> #private::HandlerSet {
                    #private::SharedHandlers::shared_handlers(#private::Arc::new(self))
                }
            }
        };
    }
}

fn type_name(ty: &Type) -> Option<String> {
    let Type::Path(path) = ty else { return None };
    path.path.segments.last().map(|last| expand::name(&last.ident))
}

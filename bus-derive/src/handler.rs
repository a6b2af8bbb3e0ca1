//! `#[handler]` on a function or an impl block: arguments, signature → check → expand.

mod arguments;
mod block;
mod expand;
mod signature;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Attribute, ItemFn};

use self::arguments::Arguments;
use self::expand::Handler;
use crate::errors::Errors;
use crate::private;

/// Where `#[handler]` stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a free function.
    Function,
    /// On an impl block, whose methods take its arguments as defaults.
    Block,
    /// On a method of such a block.
    Method,
}

/// The attribute, behind the compiler's own types. Functions and methods are left as they are.
pub(crate) fn handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if let Ok(block) = syn::parse2(item.clone()) {
        let arguments = read_arguments(arguments, Place::Block, &mut errors);
        return block::expand(arguments, block, errors);
    }
    let arguments = read_arguments(arguments, Place::Function, &mut errors);
    match syn::parse2(item.clone()) {
        Ok(function) => expand(arguments, &function, errors),
        Err(_) => {
            errors.at(Span::call_site(), "`#[handler]` stands on an `async fn`, or on an impl block of such");
            [errors.into_tokens().unwrap_or_default(), item].into_iter().collect()
        }
    }
}

fn expand(arguments: Arguments, function: &ItemFn, mut errors: Errors) -> TokenStream {
    let private = private(arguments.crate_path.get());
    let handler = Handler {
        signature: signature::check(&function.sig, Place::Function, &mut errors),
        own: arguments,
        block: &Arguments::default(),
        default_name: expand::name(&function.sig.ident),
        default_group: None,
    };
    handler.check(&mut errors);
    match errors.into_tokens() {
        // A type cannot stand in an impl block.
        Some(errors) if function.sig.receiver().is_some() => quote!(#errors #function),
        Some(errors) => {
            let item = item_of(function, &TokenStream::new(), &private);
            quote!(#errors #function #item)
        }
        None => {
            let ident = &function.sig.ident;
            let add = handler.add(&quote!(()), &quote!(#ident), None, &private);
            let item = item_of(function, &add, &private);
            quote!(#[allow(clippy::unused_async)] #function #item)
        }
    }
}

/// The type that stands for the function in `handlers![…]`: types have a namespace of their own, so it has the
/// function's name and is imported with it.
fn item_of(function: &ItemFn, add: &TokenStream, private: &TokenStream) -> TokenStream {
    let (vis, ident) = (&function.vis, &function.sig.ident);
    let cfgs: Vec<_> = cfgs(&function.attrs).collect();
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, missing_debug_implementations, unreachable_pub, clippy::all, clippy::pedantic)]
        #vis struct #ident {}

        #(#cfgs)*
        const _: () = {
            #[automatically_derived]
            #[diagnostic::do_not_recommend]
            #[allow(clippy::all, clippy::pedantic)]
            impl #private::IntoHandlers for #ident {
                fn into_handlers(self) -> #private::HandlerSet {
                    #[allow(unused_mut)]
                    let mut set = #private::HandlerSet::new();
                    #add
                    set
                }
            }
        };
    }
}

fn read_arguments(tokens: TokenStream, place: Place, errors: &mut Errors) -> Arguments {
    let mut arguments = Arguments::default();
    let read = syn::parse::Parser::parse2(
        |input: syn::parse::ParseStream<'_>| {
            arguments = Arguments::read(input, place, errors)?;
            Ok(())
        },
        tokens,
    );
    errors.ok(read);
    arguments
}

/// What decides whether an item is there at all.
fn cfgs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("cfg"))
}

//! `#[projection]` on an impl block: arguments, methods → check → expand.

mod arguments;
mod expand;
mod methods;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::ItemImpl;

use self::arguments::Arguments;
use crate::errors::Errors;

/// The attribute, behind the compiler's own types. Methods are left as they are.
pub(crate) fn projection(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let arguments = Arguments::of(arguments, &mut errors);
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else {
        errors
            .at(Span::call_site(), "`#[projection]` stands on an impl block whose methods have `#[handler]`");
        return [errors.into_tokens().unwrap_or_default(), item].into_iter().collect();
    };
    if let Some((path, _)) = &block.trait_ {
        errors.on(path, "handlers are methods of the type itself: write `impl Type { … }`");
    }
    if !block.generics.params.is_empty() {
        let message = "a projection has one name and one set of tables, so its type is not generic: write a block for each type, \
                       with a name of its own";
        errors.on(&block.generics, message);
    }
    let methods = methods::take(&mut block, &mut errors);
    match errors.into_tokens() {
        Some(errors) => quote!(#errors #block),
        None => {
            let implementation = expand::expand(&arguments, &block, &methods);
            quote!(#block #implementation)
        }
    }
}

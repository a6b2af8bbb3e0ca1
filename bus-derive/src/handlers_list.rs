//! `handlers![…]`: functions by their names, values by expressions.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, Token};

use crate::{private, spans};

/// The macro, behind the compiler's own types.
pub(crate) fn handlers(input: TokenStream) -> TokenStream {
    let list = match Punctuated::<Expr, Token![,]>::parse_terminated.parse2(input) {
        Ok(list) => list,
        Err(error) => return error.into_compile_error(),
    };
    let private = private(None);
    let with = list.iter().map(|item| match item {
        Expr::Path(function) if function.qself.is_none() => {
            let path = &function.path;
            quote!(.with(#path {}))
        }
        // The parentheses only say that this is a value.
        Expr::Paren(value) => with(&value.expr, &private),
        value => with(value, &private),
    });
    quote!(#private::HandlerSet::new() #(#with)*)
}

fn with(value: &Expr, private: &TokenStream) -> TokenStream {
    let into_handlers = spans::at(value.span(), &quote!(#private::IntoHandlers::into_handlers));
    quote!(.with(#into_handlers(#value)))
}

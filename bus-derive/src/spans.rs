//! Where rustc sees the expanded code: at the words of the user that it comes from.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::Type;

/// `tokens`, all of them at `span`.
pub(crate) fn at(span: Span, tokens: &TokenStream) -> TokenStream {
    let respanned = tokens.clone().into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let mut group = Group::new(group.delimiter(), at(span, &group.stream()));
            group.set_span(span);
            TokenTree::Group(group)
        }
        mut token => {
            token.set_span(span);
            token
        }
    });
    respanned.collect()
}

/// The first and the last token of `tokens`. Spans cannot be joined on stable Rust, but code that begins at the one
/// and ends at the other covers the same.
pub(crate) fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut spans = tokens.to_token_stream().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// `<ty as trait_path>` and `rest` behind it, so that rustc complains about the whole of `ty`, and only once, where
/// the trait is not implemented.
pub(crate) fn qualified(ty: &Type, trait_path: &TokenStream, rest: &TokenStream) -> TokenStream {
    let (first, last) = ends(ty);
    let trait_path = at(first, trait_path);
    let rest = at(last, rest);
    quote_spanned!(first=> <#ty as #trait_path>#rest)
}

/// An item that compiles where threads can share a `ty`, and that tells which part of it they cannot.
pub(crate) fn check_shared(ty: &Type) -> TokenStream {
    let (first, last) = ends(ty);
    let value = quote_spanned!(last=> value);
    quote_spanned! {first=>
        const _: fn(&#ty) = |value| {
            let _: &(dyn ::core::marker::Send + ::core::marker::Sync) = #value;
        };
    }
}

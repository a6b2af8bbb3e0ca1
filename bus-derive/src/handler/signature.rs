//! What a handler function takes and returns, and what it must not be.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident};
use syn::{FnArg, GenericArgument, PathArguments, ReceiverKind, ReturnType, Safety, Signature, Type};

use super::Place;
use crate::errors::Errors;

/// The checked signature of a handler.
pub(crate) struct HandlerSignature {
    pub(crate) ident: Ident,
    /// The event, then the extractors.
    pub(crate) arguments: Vec<Argument>,
    /// None for `impl Trait`, which cannot be named.
    pub(crate) returns: Option<Type>,
}

/// One argument behind `self`.
pub(crate) struct Argument {
    pub(crate) variable: Ident,
    pub(crate) ty: Type,
}

/// The most arguments that a handler can have: its event and seven extractors.
const MOST_ARGUMENTS: usize = 8;

/// Checks `signature`; the result is of use only where no mistakes were added.
pub(crate) fn check(signature: &Signature, place: Place, errors: &mut Errors) -> HandlerSignature {
    if signature.asyncness.is_none() {
        errors.at(signature.fn_token.span, "a handler is async: write `async fn`");
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.on(token, "a handler is called by safe code: remove `unsafe`");
    }
    if !signature.generics.params.is_empty() {
        let message = "a handler is run for one event type and cannot be generic: write a handler for each type, \
                       which calls the generic function";
        errors.on(&signature.generics, message);
    }
    let mut inputs = signature.inputs.iter().peekable();
    let receiver = inputs.next_if(|input| matches!(input, FnArg::Receiver(_)));
    check_receiver(receiver, signature, place, errors);
    let arguments: Vec<_> =
        inputs.enumerate().filter_map(|(index, input)| argument(index, input, errors)).collect();
    if arguments.is_empty() && signature.inputs.len() == usize::from(receiver.is_some()) {
        let message = "a handler takes its event first: `T`, `Envelope<T>`, `Batch<T>` (where `T` derives \
                       `DomainEvent`) or `RawEvent`";
        errors.at(signature.paren_token.span.join(), message);
    }
    if let Some(extra) = arguments.get(MOST_ARGUMENTS) {
        let message = "a handler takes at most seven extractors behind its event: put several into one type that \
                       implements `FromContext`";
        errors.on(&extra.ty, message);
    }
    HandlerSignature { ident: signature.ident.clone(), arguments, returns: returns(&signature.output) }
}

fn check_receiver(receiver: Option<&FnArg>, signature: &Signature, place: Place, errors: &mut Errors) {
    match (place, receiver) {
        (Place::Function, Some(receiver)) => {
            let message = "a method with `#[handler]` needs `#[handler]` on its impl block too";
            errors.on(receiver, message);
        }
        (Place::Method, None) => {
            let message = "a handler in an impl block takes `&self` first; without it, make it a function \
                           outside of the block";
            errors.at(signature.ident.span(), message);
        }
        (Place::Method, Some(FnArg::Receiver(receiver))) => {
            let by_reference = matches!(receiver.kind, ReceiverKind::Reference(_, _, None));
            if !by_reference {
                let message = "a handler runs for many events at once and takes `&self`; what changes goes into a \
                               lock or an atomic";
                errors.on(receiver, message);
            }
        }
        _ => {}
    }
}

fn argument(index: usize, input: &FnArg, errors: &mut Errors) -> Option<Argument> {
    let FnArg::Typed(argument) = input else { return None };
    if let Type::Reference(reference) = &*argument.ty {
        let owned = reference.elem.to_token_stream().to_string().replace(' ', "");
        errors.on(&argument.ty, format!("a handler owns its arguments: take `{owned}` without `&`"));
    }
    if mentions_impl(&argument.ty) {
        errors.on(&argument.ty, "`impl Trait` makes a handler generic: name the type");
    }
    Some(Argument { variable: format_ident!("argument_{index}"), ty: (*argument.ty).clone() })
}

fn returns(output: &ReturnType) -> Option<Type> {
    match output {
        ReturnType::Default => Some(syn::parse_quote!(())),
        ReturnType::Type(_, ty) => (!mentions_impl(ty)).then(|| (**ty).clone()),
    }
}

/// Whether `impl Trait` stands somewhere in `ty`.
fn mentions_impl(ty: &Type) -> bool {
    fn any_impl(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            proc_macro2::TokenTree::Ident(ident) => ident == "impl",
            proc_macro2::TokenTree::Group(group) => any_impl(group.stream()),
            _ => false,
        })
    }
    any_impl(ty.to_token_stream())
}

impl HandlerSignature {
    /// The type of the event in the first argument: `T` of `T`, `Envelope<T>` and `Batch<T>`.
    pub(crate) fn event(&self) -> Option<&Type> {
        let ty = &self.arguments.first()?.ty;
        let Type::Path(path) = ty else { return Some(ty) };
        let last = path.path.segments.last()?;
        if last.ident != "Envelope" && last.ident != "Batch" {
            return Some(ty);
        }
        let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Some(ty) };
        match arguments.args.first() {
            Some(GenericArgument::Type(event)) => Some(event),
            _ => Some(ty),
        }
    }

    /// Whether nothing is returned, so that there is no error either.
    pub(crate) fn returns_nothing(&self) -> bool {
        matches!(&self.returns, Some(Type::Tuple(tuple)) if tuple.elems.is_empty())
    }
}

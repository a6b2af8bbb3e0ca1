//! The methods of a projection: handlers, what makes its tables, what is told behind a commit.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::{
    Attribute, FnArg, GenericArgument, ImplItem, ImplItemFn, ItemImpl, Meta, PathArguments, ReceiverKind,
    ReturnType, Signature, Type, parse_quote,
};

use crate::errors::Errors;

/// The methods that have an attribute of ours.
#[derive(Default)]
pub(crate) struct Methods {
    pub(crate) handlers: Vec<Handler>,
    pub(crate) prepare: Option<Ident>,
    pub(crate) after_commit: Option<Ident>,
    /// What the handlers write on.
    pub(crate) connection: Option<Type>,
}

/// A method that handles events.
pub(crate) struct Handler {
    pub(crate) method: Ident,
    pub(crate) event: Type,
    pub(crate) with_envelope: bool,
    /// Whether it takes the `Projecting` that the connection is in.
    pub(crate) with_place: bool,
    pub(crate) returns_nothing: bool,
    pub(crate) cfgs: Vec<Attribute>,
}

const ATTRIBUTES: [&str; 3] = ["handler", "prepare", "after_commit"];

/// Takes the attributes off the methods of `block`.
pub(crate) fn take(block: &mut ItemImpl, errors: &mut Errors) -> Methods {
    let (mut methods, mut has_handlers) = (Methods::default(), false);
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else { continue };
        let Some(attribute) = take_attribute(method, errors) else { continue };
        check(&method.sig, errors);
        match attribute {
            "handler" => {
                has_handlers = true;
                methods.handlers.extend(handler(method, &mut methods.connection, errors));
            }
            "prepare" => {
                let [connection] = &typed(&method.sig)[..] else {
                    let message = "what makes the tables takes `&self` and the connection: `&mut T`";
                    errors.at(method.sig.ident.span(), message);
                    continue;
                };
                set_connection(connection, &mut methods.connection, errors);
                set(&mut methods.prepare, &method.sig.ident, "prepare", errors);
            }
            _ => {
                if typed(&method.sig).len() != 1 {
                    let message =
                        "what is told behind a commit takes `&self` and the events: `&[StoredEvent]`";
                    errors.at(method.sig.ident.span(), message);
                }
                set(&mut methods.after_commit, &method.sig.ident, "after_commit", errors);
            }
        }
    }
    if !has_handlers {
        let message = "no method of this block has `#[handler]`: put it on the methods that handle events";
        errors.on(&block.self_ty, message);
    }
    methods
}

/// Which of our attributes a method had.
fn take_attribute(method: &mut ImplItemFn, errors: &mut Errors) -> Option<&'static str> {
    let ours = |attr: &Attribute| {
        let last = attr.path().segments.last()?;
        ATTRIBUTES.into_iter().find(|name| last.ident == name)
    };
    let index = method.attrs.iter().position(|attr| ours(attr).is_some())?;
    let attr = method.attrs.remove(index);
    if let Meta::List(list) = &attr.meta {
        errors.on(&list.tokens, "in a projection this attribute has no arguments: the projector has them");
    }
    if let Some(second) = method.attrs.iter().find(|attr| ours(attr).is_some()) {
        errors.on(second.path(), "a method of a projection has one of these attributes: remove one");
    }
    method.attrs.retain(|attr| ours(attr).is_none());
    method.attrs.push(parse_quote!(#[allow(clippy::unused_async, clippy::unused_self)]));
    ours(&attr)
}

fn check(signature: &Signature, errors: &mut Errors) {
    if signature.asyncness.is_none() {
        errors.at(signature.fn_token.span, "a method of a projection is async: write `async fn`");
    }
    if !signature.generics.params.is_empty() {
        errors.on(&signature.generics, "a method of a projection cannot be generic: name the types");
    }
    match signature.inputs.first() {
        Some(FnArg::Receiver(receiver)) if matches!(receiver.kind, ReceiverKind::Reference(_, _, None)) => {}
        Some(FnArg::Receiver(receiver)) => {
            let message =
                "a projection is shared by its shards: take `&self`; what changes is in the read model";
            errors.on(receiver, message);
        }
        _ => errors.at(signature.ident.span(), "a method of a projection takes `&self` first"),
    }
}

fn handler(method: &ImplItemFn, connection: &mut Option<Type>, errors: &mut Errors) -> Option<Handler> {
    let signature = &method.sig;
    let typed = typed(signature);
    let [event, written_on] = &typed[..] else {
        let message = "a handler of a projection takes its event (`T` or `Envelope<T>`) and then the connection of the \
                       open transaction (`&mut PgConnection`, `&mut SqliteConnection`, …)";
        errors.at(signature.paren_token.span.join(), message);
        return None;
    };
    let with_place = match in_place(written_on) {
        Some(inner) => {
            set_connection(&parse_quote!(&mut #inner), connection, errors);
            true
        }
        None => {
            set_connection(written_on, connection, errors);
            false
        }
    };
    if let Type::Reference(reference) = event {
        let owned = reference.elem.to_token_stream().to_string().replace(' ', "");
        errors.on(event, format!("a handler owns its event: take `{owned}` without `&`"));
    }
    let (event, with_envelope) = match in_envelope(event) {
        Some(event) => (event.clone(), true),
        None => (event.clone(), false),
    };
    let returns_nothing = match &signature.output {
        ReturnType::Default => true,
        ReturnType::Type(_, ty) => matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()),
    };
    let cfgs = method.attrs.iter().filter(|attr| attr.path().is_ident("cfg")).cloned().collect();
    Some(Handler { method: signature.ident.clone(), event, with_envelope, with_place, returns_nothing, cfgs })
}

/// The types of the arguments behind `self`.
fn typed(signature: &Signature) -> Vec<Type> {
    let typed = |input: &FnArg| match input {
        FnArg::Typed(argument) => Some((*argument.ty).clone()),
        FnArg::Receiver(_) => None,
    };
    signature.inputs.iter().filter_map(typed).collect()
}

/// `C` of `&mut Projecting<'_, C>`.
fn in_place(ty: &Type) -> Option<&Type> {
    let Type::Reference(reference) = ty else { return None };
    reference.mutability?;
    let Type::Path(path) = &*reference.elem else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Projecting")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(connection) => Some(connection),
        _ => None,
    })
}

/// `T` of `Envelope<T>`.
fn in_envelope(ty: &Type) -> Option<&Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Envelope")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(event)) => Some(event),
        _ => None,
    }
}

/// Keeps what the methods write on, which is one type.
fn set_connection(ty: &Type, connection: &mut Option<Type>, errors: &mut Errors) {
    let inner = match ty {
        Type::Reference(reference) if reference.mutability.is_some() => &*reference.elem,
        _ => {
            errors.on(ty, "the connection of the open transaction is lent: take `&mut T`");
            return;
        }
    };
    let text = |ty: &dyn ToTokens| -> String { TokenStream::to_string(&ty.to_token_stream()) };
    match connection {
        None => *connection = Some(inner.clone()),
        Some(first) if text(first) != text(inner) => {
            let first = text(first).replace(' ', "");
            errors.on(
                ty,
                format!("the handlers of a projection write on one kind of connection: take `&mut {first}`"),
            );
        }
        Some(_) => {}
    }
}

fn set(slot: &mut Option<Ident>, method: &Ident, attribute: &str, errors: &mut Errors) {
    if slot.is_some() {
        errors.at(method.span(), format!("a projection has one method with `#[{attribute}]`: remove one"));
    }
    *slot = Some(method.clone());
}

//! From a checked handler to the code that adds it to a set.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::arguments::{Arguments, Breaker, Idempotent, Retry};
use super::signature::{Argument, HandlerSignature};
use crate::errors::Errors;
use crate::keys::Slot;
use crate::spans;

/// A handler: its signature, its own arguments and those of its block.
pub(crate) struct Handler<'a> {
    pub(crate) signature: HandlerSignature,
    pub(crate) own: Arguments,
    pub(crate) block: &'a Arguments,
    /// The name and the group that it has when none is given.
    pub(crate) default_name: String,
    pub(crate) default_group: Option<String>,
}

impl Handler<'_> {
    /// Checks what arguments and signature say together.
    pub(crate) fn check(&self, errors: &mut Errors) {
        let ordered = self.own.ordered.or(&self.block.ordered);
        let retry = self.retry();
        if let (true, Some(retry)) = (Arguments::is_on(ordered), retry.get())
            && Arguments::is_on(&retry.delayed)
            && let Some(span) = retry.delayed.span()
        {
            let message = "a delayed retry lets later events of the key overtake, which `ordered` rules out: remove one \
                           of them";
            errors.at(span, message);
        }
        self.check_exactly_once(errors);
        if let (Some(retry), true) = (self.own.retry.get(), self.signature.returns_nothing())
            && let Some(span) = retry.permanent.span()
        {
            let message =
                "this handler returns no error that `permanent` could match: return `Result<…, YourError>`";
            errors.at(span, message);
        }
    }

    fn check_exactly_once(&self, errors: &mut Errors) {
        let (own, block) = (&self.own, self.block);
        let exactly_once = own.exactly_once.or(&block.exactly_once);
        if !Arguments::is_on(exactly_once) {
            return;
        }
        let idempotent = own.idempotent.or(&block.idempotent);
        if idempotent.get().is_some_and(|idempotent| !matches!(idempotent, Idempotent::Not)) {
            let message = "the mark of an `idempotent` handler is no part of the broker's transaction, by which \
                           `exactly_once` works: remove one of them";
            // Where one of the two is the block's, the method's own key is the one to be mended.
            let span = own.idempotent.span().or(own.exactly_once.span()).or(idempotent.span());
            errors.at(span.unwrap_or_else(Span::call_site), message);
        }
        if Arguments::is_on(own.broadcast.or(&block.broadcast)) {
            let message = "a `broadcast` group settles nothing that could be part of a transaction, by which \
                           `exactly_once` works: remove one of them";
            let span = own.broadcast.span().or(own.exactly_once.span()).or(block.broadcast.span());
            errors.at(span.unwrap_or_else(Span::call_site), message);
        }
    }

    fn retry(&self) -> &Slot<Retry> {
        self.own.retry.or(&self.block.retry)
    }

    /// The statement that adds this handler to a set. `state` is what the handler is called on, `callee` the
    /// function, whose first arguments are `receiver`.
    pub(crate) fn add(
        &self,
        state: &TokenStream,
        callee: &TokenStream,
        receiver: Option<&TokenStream>,
        private: &TokenStream,
    ) -> TokenStream {
        let spec = self.spec(private);
        let (input, extractors) =
            self.signature.arguments.split_first().expect("a checked handler takes an event");
        let on_input = |rest| spans::qualified(&input.ty, &quote!(#private::HandlerInput), &rest);
        let (accepts, is_batch) = (on_input(quote!(::accepts())), on_input(quote!(::IS_BATCH)));
        let read = on_input(quote!(::read(__context.events())));
        let on_extractor = |rest: TokenStream| {
            let on = move |argument: &Argument| {
                spans::qualified(&argument.ty, &quote!(#private::FromContext), &rest)
            };
            extractors.iter().map(on).collect::<Vec<_>>()
        };
        let requirements = on_extractor(quote!(::requirement()));
        let extract = on_extractor(quote!(::from_context(&__context).await));
        let event = &input.variable;
        let others: Vec<_> = extractors.iter().map(|argument| &argument.variable).collect();
        let receiver = receiver.map(|receiver| quote!(#receiver,));
        let span = self.signature.ident.span();
        let reply =
            self.reply(&quote_spanned!(span=> #callee(#receiver #event, #(#others),*).await), private);
        let batch_check = self.batch_check(private);
        // What is not `Send` in the function is told at its name.
        let run = quote! {
            let #event = match #read {
                ::core::result::Result::Ok(event) => event,
                ::core::result::Result::Err(error) => {
                    return #private::failed(#private::HandlerError::permanent(error));
                }
            };
            #(let #others = match #extract {
                ::core::result::Result::Ok(extracted) => extracted,
                ::core::result::Result::Err(error) => return #private::failed(error),
            };)*
            #reply
        };
        let run = quote_spanned!(span=> ::std::boxed::Box::pin(async move { #run }));
        quote! {
            #batch_check
            #private::add(
                &mut __handlers,
                #private::Signature {
                    spec: #spec,
                    accepts: #accepts,
                    is_batch: #is_batch,
                    requirements: ::std::vec![#(#requirements),*],
                },
                #state,
                |__value, __context| #run,
            );
        }
    }

    /// What the handler returned, as a reply; errors that `permanent` matches are marked.
    fn reply(&self, call: &TokenStream, private: &TokenStream) -> TokenStream {
        let permanent = self.retry().get().and_then(|retry| retry.permanent.get());
        match (&self.signature.returns, permanent) {
            _ if self.signature.returns_nothing() => quote!(#private::IntoReply::into_reply(#call)),
            (Some(ty), None) => {
                spans::qualified(ty, &quote!(#private::IntoReply), &quote!(::into_reply(#call)))
            }
            (None, None) => quote!(#private::IntoReply::into_reply(#call)),
            (ty, Some(pattern)) => {
                let (first, last) = ty.as_ref().map_or((pattern.span(), pattern.span()), spans::ends);
                let into_reply = spans::at(first, &quote!(#private::IntoReply));
                let permanent_if = quote!(#private::permanent_if);
                // As macro code, so that rustc does not propose to change the pattern.
                let span = Span::call_site().located_at(pattern.span());
                let result = quote_spanned!(span=> let result: ::core::result::Result<_, _> = returned;);
                let reply = quote_spanned!(last=> #into_reply::into_reply(marked));
                quote!({
                    let returned = #call;
                    #result
                    let marked = #permanent_if(result, |error| ::core::matches!(error, #pattern));
                    #reply
                })
            }
        }
    }

    fn batch_check(&self, private: &TokenStream) -> Option<TokenStream> {
        let span = self.own.batch.span()?;
        let input = &self.signature.arguments.first()?.ty;
        let is_batch = spans::qualified(input, &quote!(#private::HandlerInput), &quote!(::IS_BATCH));
        let message = "`batch` is for handlers that take `Batch<T>`: take one, or remove `batch`";
        Some(quote_spanned!(span=> const _: () = ::core::assert!(#is_batch, #message);))
    }

    fn spec(&self, private: &TokenStream) -> TokenStream {
        let (own, block) = (&self.own, self.block);
        let name = own.name.get().map_or_else(|| self.default_name.clone(), syn::LitStr::value);
        let group =
            own.group.or(&block.group).get().map(syn::LitStr::value).or_else(|| self.default_group.clone());
        let group = group.map(|group| quote!(.group(#group)));
        let concurrency = own.concurrency.or(&block.concurrency).get().map(|lanes| {
            let lanes = *lanes as usize;
            quote!(.concurrency(#lanes))
        });
        let ordered = Arguments::is_on(own.ordered.or(&block.ordered)).then(|| quote!(.ordered()));
        let broadcast = Arguments::is_on(own.broadcast.or(&block.broadcast)).then(|| quote!(.broadcast()));
        let idempotent = own.idempotent.or(&block.idempotent).get();
        let idempotent = idempotent.map(|idempotent| self.idempotent(idempotent));
        let exactly_once = own.exactly_once.or(&block.exactly_once);
        let exactly_once = Arguments::is_on(exactly_once).then(|| quote!(.exactly_once()));
        let retry = self.retry().get().filter(|retry| retry.has_policy()).map(|retry| policy(retry, private));
        let timeout = own.timeout.or(&block.timeout).get().map(|limit| {
            let limit = duration(*limit, private);
            quote!(.timeout(#limit))
        });
        let breaker = own.breaker.or(&block.breaker).get().map(|breaker| breaker_policy(breaker, private));
        let batch = own.batch.or(&block.batch).get().and_then(|batch| batch.size.get()).map(|size| {
            let size = *size as usize;
            quote!(.batch(#private::BatchPolicy { size: #size }))
        });
        quote! {
            #private::HandlerSpec::new(#name)
                #group #concurrency #ordered #broadcast #idempotent #exactly_once #retry #timeout #breaker #batch
        }
    }

    fn idempotent(&self, idempotent: &Idempotent) -> TokenStream {
        let event = self.signature.event();
        match idempotent {
            Idempotent::Not => TokenStream::new(),
            Idempotent::ById => quote!(.idempotent()),
            Idempotent::ByField(path) => {
                let first = path.first();
                let field = path.text_of(&quote_spanned!(first.span()=> event.#first));
                quote!(.idempotent_by(|event: &#event| #field))
            }
            Idempotent::ByFunction(function) => quote!(.idempotent_by::<#event, _, _>(#function)),
        }
    }
}

fn policy(retry: &Retry, private: &TokenStream) -> TokenStream {
    let attempts = retry.attempts.get().map(|attempts| quote!(attempts: #attempts,));
    let from = retry.from.get().map(|from| field("from", *from, private));
    let to = retry.to.get().map(|to| field("to", *to, private));
    let delayed = Arguments::is_on(&retry.delayed).then(|| quote!(delayed: true,));
    let default = quote!(#private::RetryPolicy);
    quote!(.retry(#default { #attempts #from #to #delayed ..<#default as ::core::default::Default>::default() }))
}

fn breaker_policy(breaker: &Breaker, private: &TokenStream) -> TokenStream {
    let failures = breaker.failures.get().map(|failures| quote!(failures: #failures,));
    let pause = breaker.pause.get().map(|pause| field("pause", *pause, private));
    let default = quote!(#private::BreakerPolicy);
    quote!(.breaker(#default { #failures #pause ..<#default as ::core::default::Default>::default() }))
}

fn field(name: &str, value: Duration, private: &TokenStream) -> TokenStream {
    let name = Ident::new(name, Span::call_site());
    let value = duration(value, private);
    quote!(#name: #value,)
}

fn duration(value: Duration, private: &TokenStream) -> TokenStream {
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    quote!(#private::Duration::from_millis(#millis))
}

/// The name of a function or method in texts.
pub(crate) fn name(ident: &Ident) -> String {
    ident.unraw().to_token_stream().to_string()
}

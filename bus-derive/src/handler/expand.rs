//! From a checked handler to the code that adds it to a set.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Ident, Pat, Type};

use super::arguments::{Arguments, Breaker, Idempotent, Retry};
use super::signature::HandlerSignature;
use crate::errors::Errors;
use crate::keys::Slot;

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
        if let (Some(retry), true) = (self.own.retry.get(), self.signature.returns_nothing())
            && let Some(span) = retry.permanent.span()
        {
            let message =
                "this handler returns no error that `permanent` could match: return `Result<…, YourError>`";
            errors.at(span, message);
        }
    }

    fn retry(&self) -> &Slot<Retry> {
        self.own.retry.or(&self.block.retry)
    }

    /// The statement that adds this handler to `set`. `state` is what the handler is called on, `callee` the
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
        let input_ty = implements(&input.ty, "HandlerInput", private);
        let input_variable = &input.variable;
        let extractor_types: Vec<_> =
            extractors.iter().map(|argument| implements(&argument.ty, "FromContext", private)).collect();
        let extractor_variables: Vec<_> = extractors.iter().map(|argument| &argument.variable).collect();
        let receiver = receiver.map(|receiver| quote!(#receiver,));
        let span = self.signature.ident.span();
        let call = quote_spanned!(span=> #callee(#receiver #input_variable, #(#extractor_variables),*).await);
        let reply = self.reply(call, private);
        let body = quote_spanned! {span=>
            ::std::boxed::Box::pin(async move {
                let #input_variable = match #input_ty::read(cx.events()) {
                    ::core::result::Result::Ok(input) => input,
                    ::core::result::Result::Err(error) => {
                        return #private::failed(#private::HandlerError::permanent(error));
                    }
                };
                #(let #extractor_variables = match #extractor_types::from_context(&cx).await {
                    ::core::result::Result::Ok(extracted) => extracted,
                    ::core::result::Result::Err(error) => return #private::failed(error),
                };)*
                #reply
            })
        };
        let batch_check = self.batch_check(private);
        quote! {
            #batch_check
            #private::add(
                &mut set,
                #private::Signature {
                    spec: #spec,
                    accepts: #input_ty::accepts(),
                    is_batch: #input_ty::IS_BATCH,
                    requirements: ::std::vec![#(#extractor_types::requirement()),*],
                },
                #state,
                |state, cx| #body,
            );
        }
    }

    /// What the handler returned, as a reply; errors that `permanent` matches are marked.
    fn reply(&self, call: TokenStream, private: &TokenStream) -> TokenStream {
        let span = self.signature.return_span();
        let permanent = self.retry().get().and_then(|retry| retry.permanent.get());
        let permanent = permanent.filter(|_| !self.signature.returns_nothing());
        match (permanent, &self.signature.returns) {
            (Some(pattern), _) => {
                let marked = mark_permanent(call, pattern, private);
                quote_spanned!(span=> #private::IntoReply::into_reply(#marked))
            }
            (None, Some(ty)) if !self.signature.returns_nothing() => {
                let into_reply = implements(ty, "IntoReply", private);
                quote_spanned!(span=> #into_reply::into_reply(#call))
            }
            (None, _) => quote_spanned!(span=> #private::IntoReply::into_reply(#call)),
        }
    }

    fn batch_check(&self, private: &TokenStream) -> Option<TokenStream> {
        let span = self.own.batch.span()?;
        let input = implements(&self.signature.arguments.first()?.ty, "HandlerInput", private);
        let message = "`batch` is for handlers that take `Batch<T>`: take one, or remove `batch`";
        Some(quote_spanned!(span=> const _: () = ::core::assert!(#input::IS_BATCH, #message);))
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
                #group #concurrency #ordered #broadcast #idempotent #retry #timeout #breaker #batch
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

/// `<ty as trait_name>`, so that rustc complains at the type when it does not implement the trait.
fn implements(ty: &Type, trait_name: &str, private: &TokenStream) -> TokenStream {
    let span = ty.span();
    let trait_name = Ident::new(trait_name, span);
    quote_spanned!(span=> <#ty as #private::#trait_name>)
}

fn mark_permanent(call: TokenStream, pattern: &Pat, private: &TokenStream) -> TokenStream {
    quote_spanned!(pattern.span()=> #private::permanent_if(#call, |error| ::core::matches!(error, #pattern)))
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
    let name = Ident::new(name, proc_macro2::Span::call_site());
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

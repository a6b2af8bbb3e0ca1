//! `#[jitney::test]`: an async test under virtual time.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, ItemFn, LitInt, LitStr, Path, Safety};

use crate::errors::Errors;
use crate::keys::{self, Slot};

#[derive(Default)]
struct Arguments {
    semantics: Slot<LitStr>,
    seeds: Slot<u32>,
    seed: Slot<u64>,
    crate_path: Slot<Path>,
}

impl Arguments {
    fn read_key(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        let slot = key.clone();
        match key.to_string().as_str() {
            "semantics" => self.semantics.set(slot, keys::text(key, input)?),
            "seeds" => self.seeds.set(slot, keys::count(key, input)?),
            "seed" => self.seed.set(slot, seed(key, input)?),
            "crate" => self.crate_path.set(slot, keys::crate_path(key, input)?),
            _ => Err(keys::unknown(key, "test", &["semantics", "seeds", "seed", "crate"])),
        }
    }
}

fn seed(key: &Ident, input: ParseStream<'_>) -> syn::Result<u64> {
    keys::equals(key, input, "7")?;
    let wrong = "`seed` takes the number that a failed run printed: write `seed = 7`";
    let number: LitInt = input.parse().map_err(|error| syn::Error::new(error.span(), wrong))?;
    number.base10_parse().map_err(|_| syn::Error::new(number.span(), wrong))
}

/// The attribute, behind the compiler's own types.
pub(crate) fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let mut read = Arguments::default();
    let done = (|input: ParseStream<'_>| {
        keys::read_keys(input, &mut errors, |key, input, _| read.read_key(&key, input))
    })
    .parse2(arguments);
    errors.ok(done);
    let function: ItemFn = match syn::parse2(item) {
        Ok(function) => function,
        Err(error) => return error.into_compile_error(),
    };
    check(&function, &read, &mut errors);
    if let Some(errors) = errors.into_tokens() {
        return errors;
    }
    expand(&function, &read)
}

fn check(function: &ItemFn, arguments: &Arguments, errors: &mut Errors) {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        errors.at(
            signature.fn_token.span,
            "a test of this kind is async: write `async fn`, or use plain `#[test]`",
        );
    }
    if let Safety::Unsafe(token) = &signature.safety {
        errors.at(token.span, "a test is called by safe code: remove `unsafe`");
    }
    if !signature.inputs.is_empty() || !signature.generics.params.is_empty() {
        errors.at(signature.ident.span(), "a test takes nothing: remove its arguments and type parameters");
    }
    if let (Some(_), Some(span)) = (arguments.seeds.get(), arguments.seed.span()) {
        errors.at(span, "`seed` runs one seed, `seeds` many: remove one of them");
    }
}

fn expand(function: &ItemFn, arguments: &Arguments) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = function;
    let (ident, output) = (&sig.ident, &sig.output);
    let testkit = match arguments.crate_path.get() {
        Some(path) => quote!(#path),
        None => quote!(::jitney_testkit),
    };
    let semantics = option(arguments.semantics.get());
    let seed = option(arguments.seed.get());
    let seeds = u64::from(arguments.seeds.get().copied().unwrap_or(1));
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis fn #ident() {
            async fn test() #output #block

            #testkit::run_test(
                #testkit::TestConfig {
                    semantics: #semantics,
                    seeds: #seeds,
                    seed: #seed,
                    name: ::core::concat!(::core::module_path!(), "::", ::core::stringify!(#ident)),
                },
                test,
            );
        }
    }
}

fn option(value: Option<&impl quote::ToTokens>) -> TokenStream {
    match value {
        Some(value) => quote!(::core::option::Option::Some(#value)),
        None => quote!(::core::option::Option::None),
    }
}

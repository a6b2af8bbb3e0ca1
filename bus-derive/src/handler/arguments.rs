//! The arguments of `#[handler(…)]`.

use std::time::Duration;

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{ExprClosure, LitStr, Pat, Path, Token, parenthesized};

use crate::duration;
use crate::errors::Errors;
use crate::event::FieldPath;
use crate::handler::Place;
use crate::keys::{self, Slot};

/// How a handler is run.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: Slot<LitStr>,
    pub(crate) group: Slot<LitStr>,
    pub(crate) concurrency: Slot<u32>,
    pub(crate) ordered: Slot<bool>,
    pub(crate) broadcast: Slot<bool>,
    pub(crate) idempotent: Slot<Idempotent>,
    pub(crate) exactly_once: Slot<bool>,
    pub(crate) retry: Slot<Retry>,
    pub(crate) timeout: Slot<Duration>,
    pub(crate) breaker: Slot<Breaker>,
    pub(crate) batch: Slot<Batch>,
    pub(crate) crate_path: Slot<Path>,
}

/// By what a handler recognises an event that it has handled before.
pub(crate) enum Idempotent {
    Not,
    ById,
    ByField(FieldPath),
    ByFunction(ExprClosure),
}

/// `retry(…)`.
#[derive(Default)]
pub(crate) struct Retry {
    pub(crate) attempts: Slot<u32>,
    pub(crate) from: Slot<Duration>,
    pub(crate) to: Slot<Duration>,
    pub(crate) delayed: Slot<bool>,
    pub(crate) permanent: Slot<Pat>,
}

/// `breaker(…)`.
#[derive(Default)]
pub(crate) struct Breaker {
    pub(crate) failures: Slot<u32>,
    pub(crate) pause: Slot<Duration>,
}

/// `batch(…)`.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) size: Slot<u32>,
}

const KEYS: &[&str] = &[
    "group",
    "name",
    "concurrency",
    "ordered",
    "broadcast",
    "idempotent",
    "exactly_once",
    "retry",
    "timeout",
    "breaker",
    "batch",
    "crate",
];

impl Arguments {
    /// Reads all arguments of a `#[handler(…)]` on `place`.
    pub(crate) fn read(input: ParseStream<'_>, place: Place, errors: &mut Errors) -> syn::Result<Self> {
        let mut read = Arguments::default();
        keys::read_keys(input, errors, |key, input, errors| read.read_key(key, input, place, errors))?;
        Ok(read)
    }

    fn read_key(
        &mut self,
        key: &Ident,
        input: ParseStream<'_>,
        place: Place,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        match key.to_string().as_str() {
            "name" => {
                if place == Place::Block {
                    let message =
                        "every handler has a name of its own: write `#[handler(name = \"…\")]` on the method";
                    errors.at(key.span(), message);
                }
                self.name.set(key, keys::text(key, input)?)
            }
            "group" => self.group.set(key, keys::text(key, input)?),
            "concurrency" => self.concurrency.set(key, keys::count(key, input)?),
            "ordered" => self.ordered.set(key, keys::flag(key, input)?),
            "broadcast" => self.broadcast.set(key, keys::flag(key, input)?),
            "idempotent" => self.idempotent.set(key, idempotent(key, input, errors)?),
            "exactly_once" => self.exactly_once.set(key, keys::flag(key, input)?),
            "retry" => self.retry.set(key, Retry::read(key, input, errors)?),
            "timeout" => self.timeout.set(key, duration::read(key, input)?),
            "breaker" => self.breaker.set(key, Breaker::read(key, input, errors)?),
            "batch" => self.batch.set(key, Batch::read(key, input, errors)?),
            "crate" => {
                if place == Place::Method {
                    errors.at(key.span(), "`crate` is the same for the whole block: write it on the block");
                }
                self.crate_path.set(key, keys::crate_path(key, input)?)
            }
            _ => Err(keys::unknown(key, "handler", KEYS)),
        }
    }

    /// Whether the key says yes.
    pub(crate) fn is_on(flag: &Slot<bool>) -> bool {
        flag.get().copied().unwrap_or(false)
    }
}

/// Reads `(key = …, …)`; without parentheses, the mistake shows `example`.
fn read_list(
    key: &Ident,
    input: ParseStream<'_>,
    example: &str,
    errors: &mut Errors,
    read: impl FnMut(&Ident, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) -> syn::Result<()> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(
            key.span(),
            format!("`{key}` takes keys in parentheses: write `{example}`"),
        ));
    }
    let content;
    parenthesized!(content in input);
    if content.is_empty() {
        errors.at(key.span(), format!("`{key}()` says nothing: write `{example}`"));
    }
    keys::read_keys(&content, errors, read)
}

fn idempotent(key: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Idempotent> {
    if !input.peek(syn::token::Paren) {
        return keys::flag(key, input).map(|on| if on { Idempotent::ById } else { Idempotent::Not });
    }
    let mut natural: Slot<Idempotent> = Slot::default();
    read_list(key, input, "idempotent(key = order_id)", errors, |key, input, _| {
        match key.to_string().as_str() {
            "key" => {
                keys::equals(key, input, "order_id")?;
                let is_function = input.peek(Token![|]) || input.peek(Token![||]) || input.peek(Token![move]);
                let value = if is_function {
                    Idempotent::ByFunction(input.parse()?)
                } else {
                    Idempotent::ByField(input.parse()?)
                };
                natural.set(key, value)
            }
            _ => Err(keys::unknown(key, "idempotent", &["key"])),
        }
    })?;
    Ok(natural.into_value().unwrap_or(Idempotent::ById))
}

impl Retry {
    fn read(key: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Self> {
        let mut retry = Retry::default();
        let example = "retry(attempts = 5, from = \"100ms\", to = \"30s\")";
        read_list(key, input, example, errors, |key, input, _| match key.to_string().as_str() {
            "attempts" => retry.attempts.set(key, keys::count(key, input)?),
            "from" => retry.from.set(key, duration::read(key, input)?),
            "to" => retry.to.set(key, duration::read(key, input)?),
            "delayed" => retry.delayed.set(key, keys::flag(key, input)?),
            "permanent" => {
                keys::equals(key, input, "MyError::Declined(_)")?;
                retry.permanent.set(key, Pat::parse_multi_with_leading_vert(input)?)
            }
            _ => Err(keys::unknown(key, "retry", &["attempts", "from", "to", "delayed", "permanent"])),
        })?;
        if let (Some(from), Some(to)) = (retry.from.get(), retry.to.get())
            && from > to
            && let Some(span) = retry.from.span()
        {
            errors.at(span, "the first delay is longer than the longest one: `from` is at most `to`");
        }
        Ok(retry)
    }

    /// Whether anything but `permanent` is said.
    pub(crate) fn has_policy(&self) -> bool {
        let given = [self.attempts.span(), self.from.span(), self.to.span(), self.delayed.span()];
        given.iter().any(Option::is_some)
    }
}

impl Breaker {
    fn read(key: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Self> {
        let mut breaker = Breaker::default();
        let example = "breaker(failures = 10, pause = \"10s\")";
        read_list(key, input, example, errors, |key, input, _| match key.to_string().as_str() {
            "failures" => breaker.failures.set(key, keys::count(key, input)?),
            "pause" => breaker.pause.set(key, duration::read(key, input)?),
            _ => Err(keys::unknown(key, "breaker", &["failures", "pause"])),
        })?;
        Ok(breaker)
    }
}

impl Batch {
    fn read(key: &Ident, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Self> {
        let mut batch = Batch::default();
        if input.peek(Token![=]) {
            batch.size.set(key, keys::count(key, input)?)?;
            return Ok(batch);
        }
        read_list(key, input, "batch(size = 100)", errors, |key, input, _| match key.to_string().as_str() {
            "size" => batch.size.set(key, keys::count(key, input)?),
            _ => Err(keys::unknown(key, "batch", &["size"])),
        })?;
        Ok(batch)
    }
}

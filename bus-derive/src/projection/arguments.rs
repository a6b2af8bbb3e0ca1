//! The arguments of `#[projection(…)]`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::parse::{ParseStream, Parser};
use syn::{LitStr, Path};

use crate::errors::Errors;
use crate::keys::{self, Slot};

/// What a projection is called.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: Slot<LitStr>,
    /// Whether a name was given, be it a wrong one.
    is_named: bool,
    pub(crate) version: Slot<u32>,
    pub(crate) crate_path: Slot<Path>,
}

const KEYS: &[&str] = &["name", "version", "crate"];

/// The longest name that every read model takes.
const LONGEST_NAME: usize = 50;

/// What is behind the name of a projection where another build than the live one is.
const RESERVED: [&str; 2] = ["__next", "__old"];

impl Arguments {
    pub(crate) fn of(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut arguments = Arguments::default();
        let read = |input: ParseStream<'_>| {
            keys::read_keys(input, errors, |key, input, _| arguments.read_key(key, input))
        };
        let read = Parser::parse2(read, tokens);
        errors.ok(read);
        match arguments.name.get() {
            // What is wrong with it is said already.
            None if arguments.is_named => {}
            None => errors.at(
                Span::call_site(),
                "a projection has a name, which its checkpoints are stored under: write `#[projection(name = \"…\")]`",
            ),
            Some(name) if !is_name(&name.value()) => errors.on(
                name,
                "the name of a projection is the place of its tables: up to 50 small letters, digits and `_`, the first no \
                 digit",
            ),
            Some(name) if RESERVED.iter().any(|end| name.value().ends_with(end)) => errors.on(
                name,
                "a name that ends with `__next` or `__old` is that of a build of another projection: choose another end",
            ),
            Some(_) => {}
        }
        arguments
    }

    fn read_key(&mut self, key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match key.to_string().as_str() {
            "name" => {
                self.is_named = true;
                self.name.set(key, keys::text(key, input)?)
            }
            "version" => self.version.set(key, keys::count(key, input)?),
            "crate" => self.crate_path.set(key, keys::crate_path(key, input)?),
            _ => Err(keys::unknown(key, "projection", KEYS)),
        }
    }
}

fn is_name(name: &str) -> bool {
    let is_word = |c: char| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= LONGEST_NAME
        && name.starts_with(|c: char| c == '_' || c.is_ascii_lowercase())
        && name.chars().all(is_word)
        && !name.starts_with("pg_")
}

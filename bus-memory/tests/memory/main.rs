//! What the memory transport promises, by each broker's rules.
#![allow(missing_docs)]

mod every_semantics;
mod support;

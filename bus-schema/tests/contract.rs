//! What a contract says of a project's own changes, from the first lock folder on.

#![allow(clippy::unwrap_used)]

mod contract {
    mod accepting;
    mod chain;
    mod examples;
    mod files;
    mod folder;
    mod rules;
    mod versions;
    mod writing;
}

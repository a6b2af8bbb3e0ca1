//! What the macros accept, and the words with which they refuse the rest.
//!
//! `TRYBUILD=overwrite cargo test -p jitney-ui` writes the expected messages anew; read each of them: does it point at
//! the user's own words, name the fix, stay short, and come alone?

#[test]
fn accepted() {
    trybuild::TestCases::new().pass("pass/*.rs");
}

#[test]
fn refused() {
    let cases = trybuild::TestCases::new();
    for attribute in ["event", "handler", "list", "locked", "projection", "sync", "test"] {
        cases.compile_fail(format!("{attribute}/*.rs"));
    }
}

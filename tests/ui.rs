//! What the macros accept, and the words with which they refuse the rest.
//!
//! `TRYBUILD=overwrite cargo test --test ui` writes the expected messages anew; read each of them: does it point at
//! the user's own words, name the fix, stay short, and come alone?

#[test]
fn accepted() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}

#[test]
fn refused() {
    let cases = trybuild::TestCases::new();
    for attribute in ["event", "handler", "list", "projection", "test"] {
        cases.compile_fail(format!("tests/ui/{attribute}/*.rs"));
    }
    // The compiler says `std::marker::Sync` where some crate below has a `Sync` of its own, as clients of brokers have.
    let sync = if cfg!(any(feature = "eventbridge", feature = "rabbitmq")) { "by_path" } else { "by_name" };
    cases.compile_fail(format!("tests/ui/sync/{sync}/*.rs"));
}

//! What the transport makes of AWS's documented answers, given in its place, a module for each kind: the server that the other
//! tests run on refuses no entry, throttles nobody and loses no answer.

#![allow(clippy::unwrap_used)]

mod aws {
    mod answers;
    mod connecting;
    mod partial_failures;
    mod receiving;
    mod settling;
    mod throttling;
    mod unknown;
    mod validation;
}

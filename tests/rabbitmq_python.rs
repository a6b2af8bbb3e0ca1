//! A client that is not ours on the other end of the exchanges: pika publishes what our handlers take, and reads what we
//! publish.

#![allow(clippy::unwrap_used)]

#[path = "peers"]
mod peers {
    pub(crate) mod article;
}

mod rabbitmq_python {
    mod dead_letters;
    mod exchange;
    mod peer;
}

//! What holds whatever broker is stood in for.

use std::time::Duration;

use jitney_core::ErrorKind;
use jitney_core::admin::Admin;
use jitney_core::message::Message;
use jitney_core::transport::{Demand, Published, Settle, Settlement, SourceEvent, Transport};
use jitney_memory::Memory;

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn what_is_published_is_delivered_and_settled() {
    for semantics in ALL {
        let memory = seeded(1).semantics(semantics).build();
        let mut member = Member::join(&memory, subscription("billing", &["orders"])).await;
        publish(&memory, "orders", "k", 0..10).await;
        assert!(!memory.is_idle());
        let deliveries = member.deliveries().await;
        let mut got = bodies(&deliveries);
        got.sort_unstable();
        assert_eq!(got, (0..10).collect::<Vec<_>>(), "{semantics:?}");
        assert_eq!(memory.pending("billing"), 10);
        member.ack(&deliveries).await;
        assert_eq!(memory.pending("billing"), 0);
        memory.idle().await;
        assert!(member.now(MANY).is_none());
    }
}

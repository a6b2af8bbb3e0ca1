//! Marks that are too old.

use std::time::Duration;

use jitney::inbox::Inbox;
use jitney::processed::{ProcessedEvents, ProcessedKey};

use crate::service::Service;

/// More than are deleted at once.
const MANY: usize = 2500;

pub(crate) async fn old_marks_are_deleted_and_natural_keys_kept<S: Service>(service: S) {
    let inbox = service.inbox();
    let ids: Vec<String> = (0..MANY).map(|number| format!("e-{number}")).collect();
    let keys: Vec<_> = ids.iter().map(|id| ProcessedKey::event_id(id)).collect();
    let natural = ProcessedKey::natural("take#7");
    for keys in [&keys[..], &[natural]] {
        let begun = inbox.begin("shop.take", keys).await.unwrap();
        assert!(begun.handled.iter().all(|handled| !handled));
        begun.unit.commit(Vec::new()).await.unwrap();
    }
    assert!(inbox.begin("shop.take", &keys).await.unwrap().handled.iter().all(|handled| *handled));
    assert_eq!(S::clean(&inbox).await.unwrap(), 0, "they are kept for a week");
    assert_eq!(S::clean(&S::keeping(&inbox, Duration::ZERO, None)).await.unwrap(), MANY as u64);
    assert!(!inbox.contains("shop.take", keys[0]).await.unwrap());
    assert!(inbox.contains("shop.take", natural).await.unwrap());
    assert_eq!(S::clean(&S::keeping(&inbox, Duration::MAX, Some(Duration::ZERO))).await.unwrap(), 1);
    assert!(!inbox.contains("shop.take", natural).await.unwrap());
}

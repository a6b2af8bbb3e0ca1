//! Marks that are too old.

use std::time::Duration;

use jitney::inbox::Inbox;
use jitney::processed::{ProcessedEvents, ProcessedKey};

use crate::service::{Service, until};

/// More than are deleted at once.
const MANY: usize = 2500;

/// Marks `keys` as handled by `group`.
async fn mark<S: Service>(inbox: &S::Inbox, group: &str, keys: &[ProcessedKey<'_>]) {
    let begun = inbox.begin(group, keys).await.unwrap();
    assert!(begun.handled.iter().all(|handled| !handled));
    begun.unit.commit(Vec::new()).await.unwrap();
}

pub(crate) async fn old_marks_are_deleted_and_natural_keys_kept<S: Service>(service: S) {
    let inbox = S::keeping(&service.inbox(), Duration::ZERO, None);
    let ids: Vec<String> = (0..MANY).map(|number| format!("e-{number}")).collect();
    let keys: Vec<_> = ids.iter().map(|id| ProcessedKey::event_id(id)).collect();
    let natural = ProcessedKey::natural("take#7");
    mark::<S>(&inbox, "shop.take", &[natural]).await;
    mark::<S>(&inbox, "shop.take", &keys).await;
    until("they are deleted", async || {
        S::clean(&inbox).await.unwrap();
        !inbox.contains("shop.take", keys[0]).await.unwrap()
    })
    .await;
    for key in [keys[0], keys[MANY - 1]] {
        assert!(!inbox.contains("shop.take", key).await.unwrap());
    }
    assert!(inbox.contains("shop.take", natural).await.unwrap(), "natural keys are kept for ever");
    let brief = S::keeping(&service.inbox(), Duration::MAX, Some(Duration::ZERO));
    mark::<S>(&brief, "shop.take", &[keys[0], ProcessedKey::natural("take#8")]).await;
    S::clean(&brief).await.unwrap();
    until("the other key is deleted", async || {
        !inbox.contains("shop.take", ProcessedKey::natural("take#8")).await.unwrap()
    })
    .await;
    assert!(inbox.contains("shop.take", keys[0]).await.unwrap());
}

pub(crate) async fn each_inbox_of_a_store_keeps_its_marks_for_its_own_time<S: Service>(service: S) {
    let event = [ProcessedKey::event_id("e-0"), ProcessedKey::natural("7")];
    let long = S::keeping(&service.inbox(), Duration::from_secs(3600), None);
    let short = S::keeping(&service.inbox(), Duration::ZERO, Some(Duration::ZERO));
    mark::<S>(&long, "long.take", &event).await;
    mark::<S>(&short, "short.take", &event).await;
    until("those of the short one are deleted", async || {
        S::clean(&short).await.unwrap();
        !short.contains("short.take", event[0]).await.unwrap()
            && !short.contains("short.take", event[1]).await.unwrap()
    })
    .await;
    for key in event {
        assert!(long.contains("long.take", key).await.unwrap());
    }
}

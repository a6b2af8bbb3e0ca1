//! An event on its way over a bus, with all that an envelope can have.

use jitney::admin::TopicSpec;
use jitney::event::Keyed;
use jitney::handler::{HandlerSet, HandlerSpec};
use jitney::prelude::*;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::scene::{own, soon};

/// Publishes `event` on `bus`, and answers what a handler gets. Others may publish on the topic too.
pub(crate) async fn there_and_back<E>(bus: Bus, event: &E) -> Envelope<E>
where
    E: Keyed + Clone + std::fmt::Debug + Sync,
{
    let topic = E::TYPES[0].topic();
    bus.admin().unwrap().ensure_topics(&[TopicSpec::new(topic)]).await.unwrap();
    let (seen, mut arrived) = unbounded_channel::<Envelope<E>>();
    let take = |event: Envelope<E>, State(seen): State<UnboundedSender<Envelope<E>>>| async move {
        // The test may have what it wants.
        let _ = seen.send(event);
    };
    let app = App::new("registry-tests", bus).group_prefix(&own("group")).state(seen);
    let app = app.handlers(HandlerSet::new().handler(HandlerSpec::new("take"), take)).spawn().await.unwrap();
    let id =
        app.bus().publisher().user("u-1").correlation("c-1").pair("tenant", "größe").publish(event).await;
    let id = id.unwrap();
    let came = loop {
        let came = soon(arrived.recv()).await.unwrap();
        if *came.event_id() == id {
            break came;
        }
    };
    app.shutdown().await.unwrap();
    assert_eq!(
        (came.aggregate_id(), came.aggregate_type()),
        (&*event.aggregate_id(), E::TYPES[0].aggregate())
    );
    assert_eq!(came.version(), E::TYPES[0].version());
    let metadata = &came.head().metadata;
    assert_eq!(
        (metadata.user_id.as_deref(), came.correlation_id().to_string()),
        (Some("u-1"), "c-1".to_owned())
    );
    assert_eq!(metadata.pairs["tenant"], "größe");
    came
}

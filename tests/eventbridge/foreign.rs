//! Events of AWS services, which never saw an envelope of ours.

use jitney::prelude::*;
use serde_json::json;

use super::peer::{put, queue_url, send};
use super::service::{Log, app, bridge, until};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(source = "aws.s3", type = "Object Created")]
struct ObjectCreated {
    bucket: Bucket,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(source = "acme.billing", type = "Billed")]
struct Billed {
    cents: u64,
    metadata: String,
}

#[tokio::test]
async fn an_event_of_an_aws_service_is_handled_as_it_came() {
    let (_, bridge) = bridge("").await;
    let log = Log::new();
    let seen = log.clone();
    let (group, app) = app(&bridge, move |created: Envelope<ObjectCreated>| {
        seen.add(created);
        std::future::ready(())
    });
    let app = app.spawn().await.unwrap();
    // Nobody but AWS may put it onto a bus: it is put where the rule would.
    let body = json!({
        "version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created",
        "source": "aws.s3", "account": "111122223333", "time": "2026-11-12T00:00:00Z", "region": "us-east-1",
        "resources": ["arn:aws:s3:::photos"],
        "detail": { "version": "0", "bucket": { "name": "photos" }, "object": { "key": "cat.jpg", "size": 5 } },
    });
    send(&group.replace('.', "-"), &body.to_string());
    until("it is handled", || !log.all().is_empty()).await;
    let created = log.all().remove(0);
    assert_eq!(created.bucket.name, "photos");
    assert_eq!(created.event_id().to_string(), "17793124-05d4-b198-2fde-7ededc63b103");
    assert_eq!(created.aggregate_id(), "arn:aws:s3:::photos");
    assert_eq!(created.time().to_string(), "2026-11-12T00:00:00Z");
    app.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_of_a_partner_comes_by_the_rule_for_its_source() {
    let (bus, bridge) = bridge("").await;
    let log = Log::new();
    let seen = log.clone();
    let (group, app) = app(&bridge, move |billed: Envelope<Billed>| {
        seen.add(billed);
        std::future::ready(())
    });
    let app = app.spawn().await.unwrap();
    put(&bus, "acme.billing", "Refunded", &json!({}));
    put(&bus, "acme.billing", "Billed", &json!({ "cents": 7, "metadata": "the payload's own" }));
    until("it is handled", || !log.all().is_empty()).await;
    let billed = log.all().remove(0);
    assert_eq!(billed.payload(), &Billed { cents: 7, metadata: "the payload's own".to_owned() });
    assert_eq!(billed.aggregate_type(), "acme.billing");
    // The other type did not even come into the queue.
    let counts = json!({ "QueueUrl": queue_url(&group.replace('.', "-")), "AttributeNames": ["All"] });
    app.shutdown().await.unwrap();
    let found = super::server::call("AmazonSQS.GetQueueAttributes", &counts);
    assert_eq!(found["Attributes"]["ApproximateNumberOfMessages"], "0", "{found}");
}

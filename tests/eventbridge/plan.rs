//! Rules and queues: planned first, made once, and never somebody else's.

use jitney::prelude::*;
use jitney_core::transport::{Interest, Subscription, Transport};
use jitney_core::{Error, ErrorKind};
use jitney_eventbridge::EventBridge;
use jitney_eventbridge::plan::{Action, Plan, Target, subscriptions};
use serde_json::{Value, json};

use super::peer::{queue_arn, queue_url};
use super::server::{ask, call, fresh, on_bus};
use super::service::{app, bridge};

fn subscription(group: &str, types: &[&str]) -> Subscription {
    let mut interest = Interest::all("Order-events");
    interest.aggregate = Some("Order".to_owned());
    interest.event_types = types.iter().map(|name| (*name).to_owned()).collect();
    Subscription::new(group, vec![interest])
}

async fn plan(bridge: &EventBridge, group: &str, types: &[&str]) -> Result<Plan, Error> {
    bridge.plan(&[subscription(group, types)]).await
}

/// What is to be done with the queue, the dead letters' queue, each rule and its target.
fn actions(plan: &Plan) -> Vec<Action> {
    let group = &plan.groups[0];
    let rules = group
        .rules
        .iter()
        .flat_map(|rule| std::iter::once(rule.action).chain(rule.targets.iter().map(|target| target.action)));
    [group.queue.action, group.dead_letters.action].into_iter().chain(rules).collect()
}

fn rule(bus: &str, name: &str) -> Result<Value, String> {
    ask("AWSEvents.DescribeRule", &json!({ "Name": name, "EventBusName": bus }))
}

#[tokio::test]
async fn a_plan_makes_nothing_and_what_it_makes_is_kept_the_next_time() {
    let (bus, bridge) = bridge("").await;
    let group = fresh("shop.billing");
    let first = plan(&bridge, &group, &["OrderCreated"]).await.unwrap();
    assert_eq!(actions(&first), [Action::Create; 4]);
    assert!(!first.is_done());
    assert!(rule(&bus, &group).is_err(), "planning made it");
    bridge.apply(&first).await.unwrap();
    let second = plan(&bridge, &group, &["OrderCreated"]).await.unwrap();
    assert_eq!(actions(&second), [Action::Keep; 4], "{second}");
    assert!(second.is_done());
}

#[tokio::test]
async fn a_plan_is_json_with_everything_that_infrastructure_needs() {
    let (bus, bridge) = bridge("max_receives=7").await;
    let group = fresh("shop-billing");
    let text = plan(&bridge, &group, &["OrderCreated"]).await.unwrap().to_string();
    let json: Value = serde_json::from_str(&text).unwrap();
    let group_plan = &json["groups"][0];
    let (queue, rule) = (&group_plan["queue"], &group_plan["rules"][0]);
    assert_eq!(json["bus"], json!(bus));
    assert_eq!((&queue["action"], &queue["name"]), (&json!("create"), &json!(group)));
    assert_eq!(queue["tags"], json!({ "jitney:group": group, "jitney:bus": bus }));
    let letters = queue_arn(&format!("{group}-dead-letters"));
    assert_eq!(
        queue["attributes"]["RedrivePolicy"],
        json!({ "deadLetterTargetArn": letters, "maxReceiveCount": 7 })
    );
    let statement = &queue["attributes"]["Policy"]["Statement"][0];
    assert_eq!(statement["Condition"]["ArnEquals"]["aws:SourceArn"], json!([rule["arn"]]));
    assert_eq!(statement["Principal"], json!({ "Service": "events.amazonaws.com" }));
    assert_eq!(rule["pattern"]["detail-type"], json!(["OrderCreated"]));
    let target = &rule["targets"][0];
    assert_eq!((&target["arn"], &target["deadLetters"]), (&json!(queue_arn(&group)), &json!(letters)));
}

#[tokio::test]
async fn other_event_types_change_the_rule_alone() {
    let (bus, bridge) = bridge("").await;
    let group = fresh("shop.billing");
    bridge.apply(&plan(&bridge, &group, &["OrderCreated"]).await.unwrap()).await.unwrap();
    let changed = plan(&bridge, &group, &["OrderPaid"]).await.unwrap();
    assert_eq!(actions(&changed), [Action::Keep, Action::Keep, Action::Change, Action::Keep]);
    bridge.apply(&changed).await.unwrap();
    let pattern = rule(&bus, &group).unwrap()["EventPattern"].take();
    assert!(pattern.as_str().unwrap().contains("OrderPaid"), "{pattern}");
}

#[tokio::test]
async fn many_event_types_take_several_rules_and_those_go_again() {
    let (bus, bridge) = bridge("").await;
    let group = fresh("shop.billing");
    let many: Vec<String> = (0..200).map(|number| format!("OrderHappenedInWay{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    bridge.apply(&plan(&bridge, &group, &many).await.unwrap()).await.unwrap();
    assert!(rule(&bus, &format!("{group}-2")).is_ok());
    assert!(plan(&bridge, &group, &many).await.unwrap().is_done());
    let fewer = plan(&bridge, &group, &many[..3]).await.unwrap();
    assert!(actions(&fewer).contains(&Action::Remove), "{fewer}");
    bridge.apply(&fewer).await.unwrap();
    assert!(rule(&bus, &format!("{group}-2")).is_err());
    assert!(plan(&bridge, &group, &many[..3]).await.unwrap().is_done());
}

#[tokio::test]
async fn rules_and_queues_of_others_are_never_touched() {
    let (bus, bridge) = bridge("").await;
    let group = fresh("shop-billing");
    let pattern = json!({ "source": ["theirs"] }).to_string();
    call("AWSEvents.PutRule", &json!({ "Name": group, "EventBusName": bus, "EventPattern": pattern }));
    let error = bridge.subscribe(subscription(&group, &["OrderCreated"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains(&format!("rule `{group}` exists and is not the group's")), "{error}");
    assert_eq!(rule(&bus, &group).unwrap()["EventPattern"], json!(pattern));

    let group = fresh("shop-billing");
    call("AmazonSQS.CreateQueue", &json!({ "QueueName": group }));
    let error = bridge.subscribe(subscription(&group, &["OrderCreated"])).await.unwrap_err();
    assert!(error.to_string().contains(&format!("queue `{group}` exists")), "{error}");
    assert!(rule(&bus, &group).is_err(), "nothing is made beside it");
}

#[tokio::test]
async fn two_groups_of_one_name_are_told_apart() {
    let (_, bridge) = bridge("").await;
    let group = fresh("shop");
    bridge.subscribe(subscription(&format!("{group}.billing"), &["OrderCreated"])).await.unwrap();
    let error =
        bridge.subscribe(subscription(&format!("{group}/billing"), &["OrderCreated"])).await.unwrap_err();
    assert!(error.to_string().contains("`jitney:group`"), "{error}");
}

#[tokio::test]
async fn what_others_have_added_to_a_groups_own_stays() {
    let (bus, bridge) = bridge("").await;
    let group = fresh("shop-billing");
    bridge.apply(&plan(&bridge, &group, &["OrderCreated"]).await.unwrap()).await.unwrap();
    let theirs = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Sid": "theirs", "Effect": "Allow", "Principal": "*", "Action": "sqs:ReceiveMessage", "Resource": "*" }],
    });
    let url = queue_url(&group);
    let policy = json!({ "QueueUrl": url, "Attributes": { "Policy": theirs.to_string() } });
    call("AmazonSQS.SetQueueAttributes", &policy);
    let target = json!({ "Id": "theirs", "Arn": queue_arn("somewhere") });
    call("AWSEvents.PutTargets", &json!({ "Rule": group, "EventBusName": bus, "Targets": [target] }));
    let mended = plan(&bridge, &group, &["OrderCreated"]).await.unwrap();
    assert_eq!(actions(&mended), [Action::Change, Action::Keep, Action::Keep, Action::Keep]);
    bridge.apply(&mended).await.unwrap();
    let asked = json!({ "QueueUrl": url, "AttributeNames": ["Policy"] });
    let found = call("AmazonSQS.GetQueueAttributes", &asked)["Attributes"]["Policy"].take();
    let found: Value = serde_json::from_str(found.as_str().unwrap()).unwrap();
    let sids: Vec<_> = found["Statement"].as_array().unwrap().iter().map(|one| one["Sid"].clone()).collect();
    assert_eq!(sids, ["theirs", "jitney"]);
    let targets = call("AWSEvents.ListTargetsByRule", &json!({ "Rule": group, "EventBusName": bus }));
    assert_eq!(targets["Targets"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn other_targets_are_named_in_the_plan_and_stay_when_the_service_starts() {
    let (bus, bridge) = bridge("").await;
    let group = fresh("shop-billing");
    let mut with_flow = plan(&bridge, &group, &["OrderCreated"]).await.unwrap();
    let flow = Target::new("flow", "arn:aws:states:us-east-1:000000000000:stateMachine:audit")
        .role("arn:aws:iam::000000000000:role/events");
    with_flow.add_target(&group, &flow).unwrap();
    assert!(with_flow.add_target(&group, &flow).is_err());
    assert!(with_flow.add_target("nobody", &flow).is_err());
    bridge.apply(&with_flow).await.unwrap();
    bridge.subscribe(subscription(&group, &["OrderCreated"])).await.unwrap();
    let targets = call("AWSEvents.ListTargetsByRule", &json!({ "Rule": group, "EventBusName": bus }));
    let roles: Vec<_> =
        targets["Targets"].as_array().unwrap().iter().map(|target| &target["RoleArn"]).collect();
    assert!(roles.contains(&&json!("arn:aws:iam::000000000000:role/events")), "{targets}");
    let mut again = plan(&bridge, &group, &["OrderCreated"]).await.unwrap();
    again.add_target(&group, &flow).unwrap();
    assert!(again.is_done(), "{again}");
}

#[tokio::test]
async fn without_create_what_is_missing_is_an_error_that_prints_it() {
    let (bus, _) = bridge("").await;
    let careful = on_bus(&bus, "create=false").connect().await.unwrap();
    let group = fresh("shop.billing");
    let error = careful.subscribe(subscription(&group, &["OrderCreated"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains("create=false") && text.contains("\"action\": \"create\""), "{text}");
    assert!(rule(&bus, &group).is_err());
    let free = on_bus(&bus, "").connect().await.unwrap();
    free.apply(&plan(&free, &group, &["OrderCreated"]).await.unwrap()).await.unwrap();
    careful.subscribe(subscription(&group, &["OrderCreated"])).await.unwrap();
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_an_error_at_start_up() {
    let missing = fresh("missing");
    let error = on_bus(&missing, "").connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    for part in [missing.as_str(), "us-east-1", "http://", "create-event-bus"] {
        assert!(text.contains(part), "{text}");
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Parcel", id = parcel)]
struct Sent {
    parcel: String,
}

#[tokio::test]
async fn an_applications_description_gives_the_plan_of_what_it_then_makes() {
    let (_, bridge) = bridge("").await;
    let (group, first) = app(&bridge, |_: Sent| std::future::ready(()));
    let described = subscriptions(&first.describe().unwrap(), None);
    assert_eq!(described.iter().map(|one| one.group.as_str()).collect::<Vec<_>>(), [group.as_str()]);
    let (_, second) = app(&bridge, |_: Sent| std::future::ready(()));
    let described = subscriptions(&second.describe().unwrap(), None);
    let planned = bridge.plan(&described).await.unwrap();
    bridge.apply(&planned).await.unwrap();
    assert!(bridge.plan(&described).await.unwrap().is_done());
    assert_eq!(planned.groups[0].rules[0].pattern["source"], json!([{ "suffix": ".Parcel" }]));
}

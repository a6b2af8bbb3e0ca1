//! Fields that are replaced by pseudonyms: on the wire, for each purpose, and forgotten with their subject.

use jitney::ErrorKind;
use jitney::prelude::*;
use jitney::privacy::{self, Pseudonym, Vault};
use serde_json::Value;

use super::fixture::{Seen, Setting, kind, service, setting, subject};

const PHONE: &str = "030-0074321";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[cfg_attr(feature = "validation", derive(schemars::JsonSchema))]
#[event(aggregate = "JitneyTestsVisit", id = visit)]
#[serde(rename_all = "camelCase")]
struct VisitMade {
    visit: String,
    #[event(pseudonym = "analytics", subject = "person/{person_id}")]
    person_id: String,
    #[event(pseudonym = "billing", subject = "person/{person_id}")]
    billed_to: Option<String>,
    #[event(pseudonym)]
    phone: String,
}

fn visit(number: usize, person: &str) -> VisitMade {
    VisitMade {
        visit: number.to_string(),
        person_id: person.to_owned(),
        billed_to: Some(person.to_owned()),
        phone: PHONE.to_owned(),
    }
}

/// The payloads that were published, in their order.
fn published(setting: &Setting) -> Vec<Value> {
    let bodies = setting.memory.messages("JitneyTestsVisit-events");
    bodies
        .iter()
        .map(|message| serde_json::from_slice::<Value>(&message.body).unwrap()["payload"].clone())
        .collect()
}

fn purpose(value: &Value) -> String {
    value.as_str().unwrap().parse::<Pseudonym>().unwrap().purpose().to_owned()
}

async fn analytics(vault: &Vault, payload: &Value) -> Option<String> {
    vault.pseudonyms("analytics").value_of(payload["personId"].as_str().unwrap()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_value_has_one_pseudonym_for_each_purpose() {
    let setting = setting().await;
    let visits = [visit(1, "ALFKI"), visit(2, "ALFKI"), VisitMade { billed_to: None, ..visit(3, "ANATR") }];
    setting.bus.publish_all(&visits).await.unwrap();
    let payloads = published(&setting);
    let purposes: Vec<_> = ["personId", "billedTo", "phone"].map(|field| purpose(&payloads[0][field])).into();
    assert_eq!(purposes, ["analytics", "billing", "default"]);
    for field in ["personId", "billedTo", "phone"] {
        assert_eq!(payloads[0][field], payloads[1][field], "{field}");
    }
    assert_ne!(payloads[0]["personId"], payloads[2]["personId"]);
    assert_eq!((&payloads[2]["billedTo"], &payloads[2]["phone"]), (&Value::Null, &payloads[0]["phone"]));
    for message in setting.memory.messages("JitneyTestsVisit-events") {
        let text = format!("{message:?}");
        assert!(!["ALFKI", "ANATR", PHONE].iter().any(|plain| text.contains(plain)), "{text}");
    }
    assert_eq!(analytics(&setting.vault, &payloads[2]).await.as_deref(), Some("ANATR"));
    let phone = payloads[0]["phone"].as_str().unwrap();
    let phone = setting.vault.pseudonyms("default").value_of(phone).await.unwrap();
    assert_eq!(phone.as_deref(), Some(PHONE));
    let billing = setting.vault.pseudonyms("billing");
    let elsewhere = billing.value_of(payloads[2]["personId"].as_str().unwrap()).await;
    assert_eq!(elsewhere.unwrap_err().kind(), privacy::ErrorKind::Malformed);
}

#[tokio::test(start_paused = true)]
async fn handlers_see_pseudonyms_and_pass_them_on_as_they_are() {
    let setting = setting().await;
    let seen = Seen::<VisitMade>::default();
    let log = seen.clone();
    let app = service(setting.bus.clone(), move |event: VisitMade| {
        log.add(event);
        std::future::ready(())
    });
    let app = app.await;
    setting.bus.publish(&visit(1, "ALFKI")).await.unwrap();
    setting.idle().await;
    let read = seen.taken().remove(0);
    setting.bus.publish(&VisitMade { visit: "2".to_owned(), ..read.clone() }).await.unwrap();
    setting.idle().await;
    assert_eq!(seen.taken(), [VisitMade { visit: "2".to_owned(), ..read.clone() }]);
    let moved = VisitMade { visit: "3".to_owned(), billed_to: Some(read.person_id.clone()), ..read.clone() };
    setting.bus.publish(&moved).await.unwrap();
    setting.idle().await;
    let billed_to = seen.taken().remove(0).billed_to.unwrap();
    assert!(billed_to != read.person_id && billed_to.starts_with("psn:billing:"), "{billed_to}");
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_pseudonyms_of_a_forgotten_subject_lead_nowhere() {
    let setting = setting().await;
    setting.bus.publish_all(&[visit(1, "1"), visit(2, "2")]).await.unwrap();
    let report = setting.vault.forget(&subject("1")).await.unwrap();
    assert_eq!(report.pseudonyms, 2);
    assert!(report.to_string().contains("2 pseudonyms were deleted"), "{report}");
    assert_eq!(setting.vault.forget(&subject("1")).await.unwrap().pseudonyms, 0);
    setting.bus.publish_all(&[visit(3, "1"), visit(4, "1"), visit(5, "2")]).await.unwrap();
    let payloads = published(&setting);
    let of = |index: usize| &payloads[index]["personId"];
    assert!(of(0) != of(2) && of(2) != of(3) && of(0) != of(3), "{payloads:?}");
    assert_eq!(of(1), of(4));
    for forgotten in [&payloads[0], &payloads[2], &payloads[3]] {
        assert_eq!(analytics(&setting.vault, forgotten).await, None);
    }
    assert_eq!(analytics(&setting.vault, &payloads[1]).await.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn the_pseudonyms_of_one_purpose_are_deleted_alone() {
    let setting = setting().await;
    setting.bus.publish(&visit(1, "1")).await.unwrap();
    let analytics = setting.vault.pseudonyms("analytics");
    assert_eq!(analytics.delete(&subject("1")).await.unwrap(), 1);
    let by_phone = setting.vault.pseudonyms("default");
    assert!(by_phone.delete_value(PHONE).await.unwrap());
    assert!(!by_phone.delete_value(PHONE).await.unwrap());
    setting.bus.publish(&visit(2, "1")).await.unwrap();
    let payloads = published(&setting);
    let same = |field| payloads[0][field] == payloads[1][field];
    assert_eq!((same("personId"), same("phone"), same("billedTo")), (false, false, true));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_published_where_nobody_makes_pseudonyms() {
    let setting = setting().await;
    let error = setting.plain_bus().publish(&visit(1, "1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(jitney::error_chain(&error).contains("only where it is sealed"));
    assert!(published(&setting).is_empty());
}

/// The number that a derive cannot see.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Number(u64);

#[derive(Debug, Clone, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsVisit")]
enum Counted {
    ByNumber {
        #[event(pseudonym)]
        number: Number,
    },
    ByName {
        #[event(pseudonym = "names", subject = "person/{name}")]
        #[serde(rename = "n")]
        name: String,
        count: u64,
    },
    Reset,
}

#[tokio::test(start_paused = true)]
async fn what_is_no_text_has_no_pseudonym() {
    let setting = setting().await;
    let number = Counted::ByNumber { number: Number(300_074_321) };
    let error = setting.bus.publish_for("1", &number).await.unwrap_err();
    assert_eq!(kind(&error), privacy::ErrorKind::Malformed);
    let told = jitney::error_chain(&error);
    assert!(told.contains("`/number`") && !told.contains("300074321"), "{told}");
    assert!(published(&setting).is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_variant_has_its_own_fields() {
    let setting = setting().await;
    let named = Counted::ByName { name: "Maria".to_owned(), count: 2 };
    setting.bus.publish_for("1", &named).await.unwrap();
    setting.bus.publish_for("1", &Counted::Reset).await.unwrap();
    let payloads = published(&setting);
    assert_eq!(payloads[1], serde_json::json!({}));
    assert_eq!((purpose(&payloads[0]["n"]), &payloads[0]["count"]), ("names".to_owned(), &2.into()));
}

#[cfg(feature = "validation")]
#[tokio::test(start_paused = true)]
async fn a_layer_that_validates_takes_pseudonyms_for_the_texts_that_they_become() {
    use jitney::contract::{Validation, events};
    let setting = setting().await;
    let validation = Validation::of(events![VisitMade]).unwrap().typed_events();
    let bus = Bus::builder(setting.memory.clone()).env(jitney::Env::seeded(3));
    let bus = bus.layer(validation).layer(setting.vault.layer()).build();
    bus.publish(&VisitMade { billed_to: None, ..visit(1, "ALFKI") }).await.unwrap();
    assert_eq!(purpose(&published(&setting)[0]["personId"]), "analytics");
}

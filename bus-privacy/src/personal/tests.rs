use jitney_core::personal::collect;
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use super::*;

fn subject() -> Subject {
    Subject::new("customer/ALFKI").unwrap()
}

fn name() -> Personal<String> {
    Personal::new(subject(), "Maria".to_owned())
}

fn written(value: &impl Serialize) -> Result<Value, String> {
    collect(|| serde_json::to_value(value)).0.map_err(|error| error.to_string())
}

fn read<T: for<'a> Deserialize<'a>>(json: &Value) -> Result<Personal<T>, String> {
    serde_json::from_str(&json.to_string()).map_err(|error| error.to_string())
}

#[test]
fn it_is_written_open_where_it_is_collected_and_nowhere_else() {
    let open = json!({ "$personal": { "subject": "customer/ALFKI", "value": "Maria" } });
    assert_eq!(written(&name()).unwrap(), open);
    assert_eq!(read(&open).unwrap(), name());
    let erased = json!({ "$personal": { "subject": "customer/ALFKI", "erased": true } });
    assert_eq!(written(&Personal::<String>::erased(subject())).unwrap(), erased);
    assert_eq!(read::<String>(&erased).unwrap(), Personal::erased(subject()));

    let error = serde_json::to_value(name()).unwrap_err().to_string();
    assert!(error.contains("only where it is sealed") && !error.contains("Maria"), "{error}");
}

#[test]
fn what_is_sealed_is_read_and_not_written() {
    let sealed =
        json!({ "$sealed": { "alg": "?", "subject": "customer/ALFKI", "key": "1", "data": "c2VjcmV0" } });
    let value: Personal<u64> = read(&sealed).unwrap();
    assert_eq!((value.subject(), value.reveal()), (&subject(), Revealed::Sealed));
    assert!(!format!("{value:?}").contains("c2VjcmV0"));
    assert!(written(&value).unwrap_err().contains("without the vault"));
}

#[test]
fn a_value_that_is_null_is_a_value() {
    let none = Personal::new(subject(), None::<u32>);
    assert_eq!(read(&written(&none).unwrap()).unwrap(), none);
}

#[test]
fn neither_debug_nor_an_error_shows_the_value() {
    assert_eq!(format!("{:?}", name()), "Personal(\"customer/ALFKI\", known)");
    assert_eq!(format!("{:?}", name().reveal()), "known");
    let error = read::<u64>(&written(&name()).unwrap()).unwrap_err();
    assert!(error.contains("no `u64`") && !error.contains("Maria"), "{error}");

    struct Chatty;
    impl Serialize for Chatty {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("Maria cannot be written"))
        }
    }
    let error = written(&Personal::new(subject(), Chatty)).unwrap_err();
    assert!(error.contains("cannot be serialized") && !error.contains("Maria"), "{error}");
    assert!(written(&name()).is_ok(), "the next one is none of that one's business");
}

#[test]
fn one_inside_of_another_is_refused() {
    let nested = Personal::new(subject(), vec![name()]);
    let error = written(&nested).unwrap_err();
    assert!(error.contains("a value has one subject") && !error.contains("Maria"), "{error}");
    assert!(written(&name()).is_ok());
}

#[test]
fn other_forms_are_refused_without_telling_what_they_hold() {
    let subject = "customer/ALFKI";
    for wrong in [
        json!("Maria"),
        json!(4711),
        json!(-4711),
        json!(4711.5),
        json!({}),
        json!({ "Maria": 1 }),
        json!({ "$personal": { "subject": subject } }),
        json!({ "$personal": { "value": "Maria" } }),
        json!({ "$personal": { "subject": "", "value": "Maria" } }),
        json!({ "$personal": { "subject": subject, "erased": false } }),
        json!({ "$personal": { "subject": subject, "value": "x", "more": "Maria" } }),
        json!({ "$personal": { "subject": subject, "value": "x" }, "a": "Maria" }),
        json!({ "$sealed": { "data": "Maria" } }),
    ] {
        let error = read::<String>(&wrong).unwrap_err();
        assert!(!error.contains("Maria") && !error.contains("4711"), "{wrong}: {error}");
    }
}

#[test]
fn a_changed_value_is_about_the_same_subject() {
    let length = name().map(|name| name.len());
    assert_eq!(length, Personal::new(subject(), 5));
    assert_eq!(Personal::<String>::erased(subject()).map(|name| name.len()), Personal::erased(subject()));
}

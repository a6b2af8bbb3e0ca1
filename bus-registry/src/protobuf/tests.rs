use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const FILE: &str = r#"
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";

message First { string id = 1; }

message Order {
  string order_id = 1;
  int64 total_cents = 2;
  uint64 largest = 3;
  repeated Line lines = 4;
  map<string, int32> notes = 5;
  Order before = 6;
  Colour colour = 7;
  google.protobuf.Timestamp at = 8;
  optional string maybe = 9;
  double price = 10;
  bool paid = 11;

  message Line { string sku = 1; message Inner { int32 n = 1; } }
}

enum Colour { RED = 0; BLUE = 1; }
"#;

fn order() -> Value {
    json!({
        "order_id": "größe", "total_cents": i64::MIN, "largest": u64::MAX, "lines": [{"sku": "a"}, {"sku": ""}],
        "notes": {"x": -1}, "colour": "BLUE", "at": "2026-01-02T03:04:05.678Z", "price": 0.1, "paid": false,
        "before": {"order_id": "41", "total_cents": 0, "largest": 0, "lines": [], "notes": {}, "colour": "RED",
            "price": 0.0, "paid": true},
    })
}

fn written(name: &str, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let message = Protobuf::parse(FILE).unwrap().message(Some(name)).unwrap();
    message.write(value.to_string().as_bytes(), &mut out).unwrap();
    out
}

fn read(bytes: &[u8]) -> Result<(String, Value), Error> {
    let (name, json) = Protobuf::parse(FILE).unwrap().read(bytes)?;
    Ok((name, serde_json::from_slice(&json).unwrap()))
}

#[test]
fn a_message_comes_back_with_the_names_of_its_file_and_all_its_numbers() {
    let bytes = written("shop.Order", &order());
    assert_eq!(bytes[..2], [2, 2], "one number, and it is 1");
    assert_eq!(read(&bytes).unwrap(), ("shop.Order".to_owned(), order()));
}

#[test]
fn the_place_of_a_message_is_before_it() {
    // What a map has entries of comes first among the messages inside.
    for (name, value, place) in [
        ("shop.First", json!({"id": ""}), &[0][..]),
        ("shop.Order.Line", json!({"sku": ""}), &[4, 2, 2]),
        ("shop.Order.Line.Inner", json!({"n": 0}), &[6, 2, 2, 0]),
    ] {
        let bytes = written(name, &value);
        assert_eq!(bytes, place, "defaults take no bytes");
        assert_eq!(read(&bytes).unwrap(), (name.to_owned(), value));
    }
    assert_eq!(read(&[2, 0]).unwrap().0, "shop.First", "the long form of the first");
}

#[test]
fn what_is_no_message_is_refused() {
    for (bytes, why) in [
        (&[][..], "cut short"),
        (&[2], "cut short"),
        (&[0xff; 12], "cut short"),
        (&[2, 18], "no message of the number 9"),
        (&[2, 1], "no message of the number -1"),
        (&[4, 0, 0], "no message of the number 0"),
        (&[1], "-1 deep"),
        (&[0xfe, 0xff, 0xff, 0xff, 0x0f], "deep in its file"),
        (&[0, 0x0a, 0x05, b'a'], "is no `shop.First`"),
    ] {
        let error = read(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload);
        assert!(error.to_string().contains(why), "{error}");
    }
    let deep: Vec<u8> = (0..200).fold(Vec::new(), |inner, _| {
        let mut outer = vec![0x32];
        prost_reflect::prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend_from_slice(&inner);
        outer
    });
    assert!(read(&[&[2, 2][..], &deep].concat()).unwrap_err().to_string().contains("is no `shop.Order`"));
}

#[test]
fn what_is_not_in_the_message_is_refused_and_not_left_out() {
    let message = Protobuf::parse(FILE).unwrap().message(Some("shop.First")).unwrap();
    let error = message.write(br#"{"id":"1","more":2}"#, &mut Vec::new()).unwrap_err();
    assert!(format!("{error:?}").contains("more"), "{error:?}");
}

#[test]
fn a_descriptor_in_base_64_is_as_good_as_the_file() {
    let (bytes, of_file) = (written("shop.Order", &order()), Protobuf::parse(FILE).unwrap());
    let descriptor = BASE64.encode(of_file.file.file_descriptor_proto().encode_to_vec());
    let (name, json) = Protobuf::parse(&descriptor).unwrap().read(&bytes).unwrap();
    assert_eq!((&*name, serde_json::from_slice::<Value>(&json).unwrap()), ("shop.Order", order()));
    for text in ["", "AAAA", &BASE64.encode([0xff; 40])] {
        let error = Protobuf::parse(text).err();
        assert!(error.is_none_or(|error| error.kind() == ErrorKind::InvalidSchema));
    }
}

#[test]
fn schemas_that_cannot_be_used_say_why() {
    for text in [
        "message {",
        "syntax = \"proto3\"; import \"other.proto\";",
        "syntax = \"proto3\"; message A { B b = 1; }",
    ] {
        assert_eq!(Protobuf::parse(text).unwrap_err().kind(), ErrorKind::InvalidSchema, "{text}");
    }
    let file = Protobuf::parse(FILE).unwrap();
    for name in [None, Some("Order"), Some("google.protobuf.Timestamp")] {
        assert_eq!(file.message(name).unwrap_err().kind(), ErrorKind::Config, "{name:?}");
    }
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(bytes: Vec<u8>) {
        let _ = read(&bytes);
    }
}

const ANY: &str = r#"
syntax = "proto3";
import "google/protobuf/any.proto";
message Parcel { google.protobuf.Any content = 1; }
"#;

/// `content` in so many messages that say of themselves what they are.
fn wrapped(levels: usize) -> Vec<u8> {
    fn field(number: u8, bytes: &[u8], out: &mut Vec<u8>) {
        out.push(number << 3 | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
    }
    let mut inner = Vec::new();
    for level in 0..levels {
        let mut any = Vec::new();
        let name: &[u8] = if level == 0 { b"x/Parcel" } else { b"x/google.protobuf.Any" };
        field(1, name, &mut any);
        field(2, &inner, &mut any);
        inner = any;
    }
    let mut body = vec![0];
    field(1, &inner, &mut body);
    body
}

#[test]
fn messages_in_bytes_are_read_as_deep_as_others_and_no_deeper() {
    let file = Protobuf::parse(ANY).unwrap();
    assert!(file.read(&wrapped(10)).is_ok());
    assert_eq!(file.read(&wrapped(1_500)).unwrap_err().kind(), ErrorKind::TooDeep);
}

#[test]
fn what_could_not_be_read_again_is_not_written() {
    let nested = |levels| {
        let (open, close) = (r#"{"before":"#.repeat(levels), "}".repeat(levels));
        format!("{open}{{}}{close}")
    };
    let message = Protobuf::parse(FILE).unwrap().message(Some("shop.Order")).unwrap();
    let mut bytes = Vec::new();
    message.write(nested(60).as_bytes(), &mut bytes).unwrap();
    assert!(read(&bytes).is_ok());
    assert_eq!(message.write(nested(64).as_bytes(), &mut Vec::new()).unwrap_err().kind(), ErrorKind::TooDeep);
    let text = format!(r#"{{"order_id":"{}"}}"#, "{[\\\"".repeat(100));
    message.write(text.as_bytes(), &mut Vec::new()).unwrap();
}

#[test]
fn options_without_an_end_are_refused_before_they_are_parsed() {
    let option = |inner: &str| format!("syntax = \"proto3\"; option (x) = {{ {inner} }}; message A {{}}");
    for open in ["a <", "a {", "a: ["] {
        let error = Protobuf::parse(&option(&open.repeat(20_000))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooDeep, "{open}");
    }
    // Neither comments nor strings count.
    let harmless = format!(
        "syntax = \"proto3\"; // a < b {}\n/* {} */ message A {{ string a = 1 [json_name = \"{}\"]; }}",
        "<".repeat(100),
        "{".repeat(100),
        "<".repeat(100),
    );
    Protobuf::parse(&harmless).unwrap();
    let hidden = format!("syntax = \"proto3\"; option (x) = \"//\"; {}", "<".repeat(100));
    assert_eq!(Protobuf::parse(&hidden).unwrap_err().kind(), ErrorKind::TooDeep);
}

#[test]
fn a_few_bytes_do_not_become_a_flood() {
    let fields: String =
        (1..500).map(|number| format!("string {}_{number} = {number};", "f".repeat(100))).collect();
    let file = Protobuf::parse(&format!(
        "syntax = \"proto3\"; message A {{ repeated B b = 1; }} message B {{ {fields} }}"
    ));
    let body = [&[0][..], &[0x0a, 0].repeat(1_000)].concat();
    let error = file.unwrap().read(&body).unwrap_err();
    assert!(jitney_core::error_chain(&error).contains("far more in it"), "{error:?}");
}

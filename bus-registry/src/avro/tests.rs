use apache_avro::types::Value as AvroValue;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// One of each type, with a record that refers to itself.
const ALL: &str = r#"{
  "type": "record", "name": "All", "namespace": "shop.v2", "fields": [
    {"name": "nothing", "type": "null"},
    {"name": "yes", "type": "boolean"},
    {"name": "int", "type": "int"},
    {"name": "long", "type": "long"},
    {"name": "float", "type": "float"},
    {"name": "double", "type": "double"},
    {"name": "text", "type": "string"},
    {"name": "bytes", "type": "bytes"},
    {"name": "fixed", "type": {"type": "fixed", "name": "Four", "size": 4}},
    {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}},
    {"name": "list", "type": {"type": "array", "items": ["null", "long", "string"]}},
    {"name": "map", "type": {"type": "map", "values": "Colour"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "cents", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}},
    {"name": "next", "type": ["null", "All"], "default": null}
  ]
}"#;

fn all() -> Value {
    let last = json!({
        "nothing": null, "yes": true, "int": i32::MIN, "long": i64::MAX, "float": 0.5, "double": -1e300,
        "text": "größe \" 42", "bytes": [0, 255], "fixed": [1, 2, 3, 4], "colour": "BLUE",
        "list": [null, -7, "x"], "map": {"a": "RED", "b": "BLUE"}, "at": 1_700_000_000_123_i64, "day": 19_000,
        "id": "018f2c5e-7b1a-7c3d-8e4f-5a6b7c8d9e0f", "cents": "-12.34", "next": null
    });
    let mut first = last.clone();
    first["next"] = last;
    first
}

fn written(avro: &Avro, value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    avro.write(value, &mut out).unwrap();
    out
}

fn read(avro: &Avro, bytes: &[u8]) -> Value {
    serde_json::from_slice(&avro.read(bytes).unwrap()).unwrap()
}

fn refused(schema: &str, value: &Value) -> String {
    Avro::parse(schema).unwrap().write(value, &mut Vec::new()).unwrap_err().to_string()
}

fn record(field: &str) -> String {
    format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{field}}}]}}"#)
}

#[test]
fn every_type_comes_back_and_the_other_implementation_reads_it() {
    let avro = Avro::parse(ALL).unwrap();
    assert_eq!(avro.record(), "shop.v2.All");
    let bytes = written(&avro, &all());
    assert_eq!(read(&avro, &bytes), all());
    let schema = apache_avro::Schema::parse_str(ALL).unwrap();
    let theirs = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
    let theirs = theirs.read_value(&mut &bytes[..]).unwrap();
    let AvroValue::Record(fields) = &theirs else { panic!("{theirs:?}") };
    let field = |name: &str| &fields.iter().find(|(field, _)| field == name).unwrap().1;
    assert_eq!(field("text"), &AvroValue::String("größe \" 42".to_owned()));
    assert_eq!(field("colour"), &AvroValue::Enum(1, "BLUE".to_owned()));
    assert_eq!(field("at"), &AvroValue::TimestampMillis(1_700_000_000_123));
    assert!(matches!(field("next"), AvroValue::Union(1, next) if matches!(**next, AvroValue::Record(_))));
    let mut again = Vec::new();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_value(&mut again, theirs).unwrap();
    assert_eq!(read(&avro, &again), all(), "and we read what it writes");
}

#[test]
fn what_does_not_fit_is_refused_with_its_place() {
    for (field, value, why) in [
        (r#""int""#, json!({"f": 1_u64 << 31}), "f: this number is no int of 32 bits"),
        (r#""long""#, json!({"f": u64::MAX}), "f: this number is no long of 64 bits"),
        (r#""long""#, json!({"f": 1.5}), "f: this number is no long"),
        (r#""string""#, json!({"f": null}), "f: null is no string"),
        (r#""string""#, json!({}), "f: null is no string"),
        (r#""bytes""#, json!({"f": [256]}), "f: bytes are an array of numbers"),
        (r#"["null","long"]"#, json!({"f": "x"}), "f: no branch of the union takes it"),
        (r#"{"type":"map","values":"int"}"#, json!({"f": {"a": {"b": true}}}), "f: a: this object is no int"),
        (r#""int""#, json!({"f": 1, "g": 2}), "the record `R` has no field `g`"),
    ] {
        let error = refused(&record(field), &value);
        assert!(error.contains(why), "{error}");
    }
    let error = refused(&record(r#""string""#), &json!({"f": ["secret"]}));
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn what_is_left_out_has_the_default_of_the_schema() {
    let with_default = r#"{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":7}]}"#;
    let avro = Avro::parse(with_default).unwrap();
    assert_eq!(read(&avro, &written(&avro, &json!({}))), json!({"f": 7}));
}

#[test]
fn schemas_that_cannot_be_used_say_why() {
    for (schema, why) in [
        ("{", "none of Avro"),
        (r#""int""#, "not one of a record"),
        (r#"{"type":"record","name":"R","fields":[{"name":"f","type":"Unknown"}]}"#, "none of Avro"),
        (
            r#"{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","size":12,"name":"D","logicalType":"duration"}}]}"#,
            "`duration` is not read",
        ),
    ] {
        let error = Avro::parse(schema).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSchema);
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// A list of records, each of which has one more in it.
#[test]
fn a_body_that_is_nested_too_deep_is_refused_and_not_followed() {
    let list = r#"{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}"#;
    let avro = Avro::parse(list).unwrap();
    let mut body = vec![2; 1_000_000];
    body.push(0);
    assert_eq!(avro.read(&body).unwrap_err().kind(), ErrorKind::TooDeep);
    let body = [&[2; 30][..], &[0]].concat();
    assert!(avro.read(&body).is_ok());
    let deep = (0..100).fold(json!({"next": null}), |next, _| json!({ "next": next }));
    assert!(avro.write(&deep, &mut Vec::new()).unwrap_err().to_string().contains("deeper"));
}

#[test]
fn a_body_that_claims_more_than_it_has_is_refused() {
    let nulls = Avro::parse(&record(r#"{"type":"array","items":"null"}"#)).unwrap();
    // An array of 2^62 nulls, which take no bytes.
    let body = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0];
    let error = nulls.read(&body).unwrap_err().to_string();
    assert!(error.contains("far more in it"), "{error}");
    let text = Avro::parse(&record(r#""string""#)).unwrap();
    for (body, why) in [
        (&[0xfe, 0xff, 0xff, 0xff, 0x0f][..], "ends 2147483647 bytes too early"),
        (&[1], "-1 is no length"),
        (&[2, 0xff], "not UTF-8"),
        (&[2, b'a', b'b'], "1 bytes are behind"),
        (&[0xff; 11], "more than 64 bits"),
        (&[], "too early"),
    ] {
        let error = text.read(body).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body: Vec<u8>) {
        let avro = Avro::parse(ALL).unwrap();
        if let Ok(json) = avro.read(&body) {
            prop_assert!(serde_json::from_slice::<Value>(&json).is_ok());
        }
    }

    #[test]
    fn numbers_come_back(int: i32, long: i64, double in proptest::num::f64::NORMAL, float in proptest::num::f32::NORMAL) {
        let avro = Avro::parse(ALL).unwrap();
        let mut value = all();
        value["next"] = Value::Null;
        (value["int"], value["long"], value["double"]) = (json!(int), json!(long), json!(double));
        value["float"] = serde_json::to_value(float).unwrap();
        let again = read(&avro, &written(&avro, &value));
        prop_assert_eq!(again["float"].as_f64().unwrap() as f32, float);
        value["float"] = again["float"].clone();
        prop_assert_eq!(again, value);
    }
}

#[test]
fn a_decimal_has_no_more_digits_than_a_number_holds() {
    let decimal = |scale: u32| {
        let schema =
            format!(r#"{{"type":"bytes","logicalType":"decimal","precision":{scale},"scale":{scale}}}"#);
        Avro::parse(&format!(r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{schema}}}]}}"#))
    };
    assert!(decimal(38).is_ok());
    assert_eq!(decimal(70_000).unwrap_err().kind(), ErrorKind::InvalidSchema);
}

#[test]
fn names_that_are_written_again_and_again_are_bounded() {
    let name = "n".repeat(10_000);
    let inner = format!(r#"{{"type":"record","name":"I","fields":[{{"name":"{name}","type":"null"}}]}}"#);
    let schema = format!(
        r#"{{"type":"record","name":"R","fields":[{{"name":"f","type":{{"type":"array","items":{inner}}}}}]}}"#
    );
    let mut body = Vec::new();
    // 10,000 records that take no byte, and the end.
    body.extend_from_slice(&[0xa0, 0x9c, 0x01, 0]);
    let error = Avro::parse(&schema).unwrap().read(&body).unwrap_err();
    assert!(error.to_string().contains("far more"), "{error}");
}

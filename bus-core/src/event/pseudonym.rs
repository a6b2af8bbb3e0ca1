//! Fields that leave the process as pseudonyms: what `#[event(pseudonym)]` makes of the payload.
//!
//! A field is written as an [open value](crate::personal) with the purpose that its pseudonym is for, so that everything that keeps
//! personal values from getting out holds for it too; what seals the payload puts the pseudonym in its place.
//!
//! ```
//! use jitney_core::event::{PseudonymField, Pseudonymous};
//! use jitney_core::personal::collect;
//! use serde::Serialize;
//!
//! #[derive(Serialize)]
//! struct OrderPlaced { order_id: String, customer: String }
//!
//! let event = OrderPlaced { order_id: "10248".into(), customer: "ALFKI".into() };
//! let fields = [PseudonymField::new("customer", "analytics")];
//! let (written, met) = collect(|| serde_json::to_string(&Pseudonymous::new(&event, &fields)));
//! let open = r#"{"$personal":{"subject":"pseudonym/analytics","pseudonym":"analytics","value":"ALFKI"}}"#;
//! assert_eq!(written?, format!(r#"{{"order_id":"10248","customer":{open}}}"#));
//! assert_eq!(met, 1);
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::Serialize;
use serde::ser::{self, SerializeMap, SerializeStruct, Serializer};

use super::variant::refuse;
use crate::personal::{OPEN, meet};

/// A field that is replaced by a pseudonym.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PseudonymField {
    name: &'static str,
    purpose: &'static str,
    subject: String,
}

impl PseudonymField {
    /// The field that serde writes as `name`, with a pseudonym for `purpose`, which is the same wherever the field has this value.
    pub fn new(name: &'static str, purpose: &'static str) -> Self {
        PseudonymField { name, purpose, subject: pseudonym_subject(purpose) }
    }

    /// This field, about the data subject of this text: its pseudonym is forgotten with the subject.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = subject.into();
        self
    }
}

/// The subject of pseudonyms for `purpose` that are about none.
pub fn pseudonym_subject(purpose: &str) -> String {
    format!("pseudonym/{purpose}")
}

/// Puts a text that looks like a pseudonym in the place of each field of `payload` that is to be one, for examples that are kept.
pub fn make_up_pseudonyms(payload: &mut serde_json::Value) {
    let Some(fields) = payload.as_object_mut() else { return };
    for value in fields.values_mut() {
        let Some(open) = value.get(OPEN) else { continue };
        let Some(purpose) = open.get("pseudonym").and_then(serde_json::Value::as_str) else { continue };
        *value = match open.get("value") {
            None | Some(serde_json::Value::Null) => serde_json::Value::Null,
            Some(_) => format!("psn:{purpose}:AAAAAAAAAAAAAAAAAAAAAA").into(),
        };
    }
}

/// An event that is written with some of its fields as open values.
#[derive(Debug)]
pub struct Pseudonymous<'a, E> {
    event: &'a E,
    fields: &'a [PseudonymField],
}

impl<'a, E> Pseudonymous<'a, E> {
    /// `event`, which serde writes as a struct, with pseudonyms for these of its fields.
    pub fn new(event: &'a E, fields: &'a [PseudonymField]) -> Self {
        Pseudonymous { event, fields }
    }
}

impl<E: Serialize> Serialize for Pseudonymous<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.event.serialize(AsStruct { inner: serializer, fields: self.fields })
    }
}

/// A serializer that takes structs alone.
struct AsStruct<'a, S> {
    inner: S,
    fields: &'a [PseudonymField],
}

impl<S: Serializer> AsStruct<'_, S> {
    fn refuse<T>(self) -> Result<T, S::Error> {
        Err(ser::Error::custom(
            "an event with pseudonyms is not written as a struct with named fields, so they cannot be found; derive its `Serialize`, \
             without `flatten`",
        ))
    }
}

impl<'a, S: Serializer> Serializer for AsStruct<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = ser::Impossible<S::Ok, S::Error>;
    type SerializeTuple = ser::Impossible<S::Ok, S::Error>;
    type SerializeTupleStruct = ser::Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = ser::Impossible<S::Ok, S::Error>;
    type SerializeMap = ser::Impossible<S::Ok, S::Error>;
    type SerializeStruct = Fields<'a, S::SerializeStruct>;
    type SerializeStructVariant = ser::Impossible<S::Ok, S::Error>;

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        let fields = self.inner.serialize_struct(name, len)?;
        Ok(Fields { inner: fields, to_meet: self.fields.iter().collect() })
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    refuse! {
        values;
        serialize_unit_variant(&'static str, u32, &'static str) -> S::Ok;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        self.refuse()
    }
}

/// The fields of an event, and those with pseudonyms that are still to come.
struct Fields<'a, S> {
    inner: S,
    to_meet: Vec<&'a PseudonymField>,
}

impl<'a, S> Fields<'a, S> {
    fn take(&mut self, key: &str) -> Option<&'a PseudonymField> {
        let at = self.to_meet.iter().position(|field| field.name == key)?;
        Some(self.to_meet.swap_remove(at))
    }
}

impl<S: SerializeStruct> SerializeStruct for Fields<'_, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        match self.take(key) {
            None => self.inner.serialize_field(key, value),
            Some(field) => {
                meet().map_err(ser::Error::custom)?;
                // What the value's own error says may have the value in it.
                let cannot = |_| {
                    let what = format!("the field `{key}`, which is to be a pseudonym, cannot be written");
                    ser::Error::custom(what)
                };
                self.inner.serialize_field(key, &Open { field, value }).map_err(cannot)
            }
        }
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
        self.take(key);
        self.inner.skip_field(key)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        match self.to_meet.first() {
            None => self.inner.end(),
            Some(field) => Err(ser::Error::custom(format!(
                "the field `{}`, which is to be a pseudonym, is not written under that name; derive `Serialize`",
                field.name
            ))),
        }
    }
}

/// A value in the clear, on the way to what seals it.
struct Open<'a, T: ?Sized> {
    field: &'a PseudonymField,
    value: &'a T,
}

impl<T: ?Sized + Serialize> Serialize for Open<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(OPEN, &Body(self))?;
        map.end()
    }
}

struct Body<'a, T: ?Sized>(&'a Open<'a, T>);

impl<T: ?Sized + Serialize> Serialize for Body<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Open { field, value } = self.0;
        let mut body = serializer.serialize_struct("Pseudonym", 3)?;
        body.serialize_field("subject", &field.subject)?;
        body.serialize_field("pseudonym", field.purpose)?;
        body.serialize_field("value", value)?;
        body.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::event::VariantPayload;
    use crate::personal::collect;

    fn written<E: Serialize>(event: &E, fields: &[PseudonymField]) -> Result<String, String> {
        collect(|| serde_json::to_string(&Pseudonymous::new(event, fields)))
            .0
            .map_err(|error| error.to_string())
    }

    fn customer() -> PseudonymField {
        PseudonymField::new("customer", "analytics").about("customer/1")
    }

    #[derive(Serialize)]
    enum Change {
        Moved { customer: String, city: String },
        Left(String),
        Gone,
    }

    #[test]
    fn the_fields_of_a_variant_are_found() {
        let moved = Change::Moved { customer: "1".into(), city: "Bergen".into() };
        let open = r#"{"$personal":{"subject":"customer/1","pseudonym":"analytics","value":"1"}}"#;
        let expected = format!(r#"{{"customer":{open},"city":"Bergen"}}"#);
        assert_eq!(written(&VariantPayload(&moved), &[customer()]), Ok(expected));
        for other in [Change::Left("1".into()), Change::Gone] {
            assert!(written(&other, &[customer()]).unwrap_err().contains("as a struct"));
        }
    }

    #[test]
    fn a_field_that_is_not_met_is_refused() {
        #[derive(Serialize)]
        struct Placed {
            #[serde(skip_serializing_if = "Option::is_none")]
            customer: Option<String>,
        }
        assert_eq!(written(&Placed { customer: None }, &[customer()]), Ok("{}".to_owned()));
        let elsewhere = PseudonymField::new("buyer", "analytics");
        let refused = written(&Placed { customer: Some("1".into()) }, &[elsewhere]).unwrap_err();
        assert!(refused.contains("`buyer`"), "{refused}");
        let map = BTreeMap::from([("customer", "1")]);
        assert!(written(&map, &[customer()]).unwrap_err().contains("as a struct"));
    }

    #[test]
    fn an_error_does_not_tell_the_value() {
        struct Chatty;
        impl Serialize for Chatty {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(ser::Error::custom("Maria Anders is too long"))
            }
        }
        #[derive(Serialize)]
        struct Placed {
            customer: Chatty,
        }
        let refused = written(&Placed { customer: Chatty }, &[customer()]).unwrap_err();
        assert!(refused.contains("`customer`") && !refused.contains("Maria"), "{refused}");
    }

    #[test]
    fn where_nothing_seals_nothing_is_written() {
        #[derive(Serialize)]
        struct Placed {
            customer: String,
        }
        let placed = Placed { customer: "1".into() };
        let refused = serde_json::to_string(&Pseudonymous::new(&placed, &[customer()])).unwrap_err();
        assert!(refused.to_string().contains("only where it is sealed"), "{refused}");
    }
}

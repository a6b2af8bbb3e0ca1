//! Reading personal values: open, erased, or sealed.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

use jitney_core::personal::{OPEN, SEALED};
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Personal, Revealed};
use crate::Subject;

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Outer(PhantomData))
    }
}

/// The object with the one field.
struct Outer<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Outer<T> {
    type Value = Personal<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a personal value, an object with the one field `{OPEN}` or `{SEALED}`")
    }

    // The errors that serde would make of these have the value in them.

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Personal<T>, E> {
        Err(plain(&self))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Personal<T>, E> {
        Err(plain(&self))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Personal<T>, E> {
        Err(plain(&self))
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Personal<T>, E> {
        Err(plain(&self))
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Personal<T>, E> {
        Err(plain(&self))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Personal<T>, E> {
        Err(plain(&self))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Personal<T>, E> {
        Err(plain(&self))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Personal<T>, A::Error> {
        const ONE: &str = "a personal value has one field";
        let read = match map.next_key::<Form>()? {
            Some(Form::Open) => map.next_value_seed(Open(PhantomData))?,
            Some(Form::Sealed) => {
                let Sealed { subject } = map.next_value()?;
                Personal { subject, content: Revealed::Sealed }
            }
            None => return Err(de::Error::custom(ONE)),
        };
        match map.next_key::<IgnoredAny>()? {
            None => Ok(read),
            Some(_) => Err(de::Error::custom(ONE)),
        }
    }
}

/// The error of a value that is in the clear, as before the field became a personal one.
fn plain<'de, E: de::Error>(expected: &impl Visitor<'de>) -> E {
    struct Expected<'a, V>(&'a V);

    impl<'de, V: Visitor<'de>> fmt::Display for Expected<'_, V> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.expecting(f)
        }
    }

    E::custom(format_args!("a value in the clear where there should be {}", Expected(expected)))
}

enum Form {
    Open,
    Sealed,
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FormVisitor;

        impl Visitor<'_> for FormVisitor {
            type Value = Form;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{OPEN}` or `{SEALED}`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Form, E> {
                match name {
                    OPEN => Ok(Form::Open),
                    SEALED => Ok(Form::Sealed),
                    // Which it is instead is not said: it may be a value, in the clear.
                    _ => Err(E::custom(format!("not a personal value: neither `{OPEN}` nor `{SEALED}`"))),
                }
            }
        }

        deserializer.deserialize_identifier(FormVisitor)
    }
}

/// What is sealed, as far as it can be read.
#[derive(Deserialize)]
struct Sealed {
    subject: Subject,
}

/// The body of an open or an erased value.
struct Open<T>(PhantomData<T>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Subject,
    Value,
    Erased,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Open<T> {
    type Value = Personal<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Personal<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Open<T> {
    type Value = Personal<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `subject`, and `value` or `erased`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Personal<T>, A::Error> {
        let (mut subject, mut content) = (None, None);
        while let Some(field) = map.next_key()? {
            match field {
                Field::Subject => subject = Some(map.next_value::<Subject>()?),
                Field::Value => {
                    // What the value's own error says may have the value in it.
                    let value = map.next_value().map_err(|_| {
                        let what = format!(
                            "the personal value is no `{}`; its error is not shown, as it may tell the value",
                            type_name::<T>()
                        );
                        de::Error::custom(what)
                    })?;
                    content = Some(Revealed::Known(value));
                }
                Field::Erased => match map.next_value()? {
                    true => content = Some(Revealed::Erased),
                    false => return Err(de::Error::custom("`erased` is true, or left out")),
                },
            }
        }
        let subject = subject.ok_or_else(|| de::Error::missing_field("subject"))?;
        let content = content.ok_or_else(|| de::Error::custom("neither `value` nor `erased` is there"))?;
        Ok(Personal { subject, content })
    }
}

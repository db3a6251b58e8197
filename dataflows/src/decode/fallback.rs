//! The thorough way into a JSON object: serde_json decides what is JSON, and the text of each value is kept as it stands.
//!
//! Values are taken raw, never as numbers: a number that serde_json read would have been through a float. A name that comes
//! twice keeps its last value. It is a few times slower than the scanner and allocates.

use super::mapping::Mapping;
use super::record::{Kind, Slot};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Why a text is no object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is no JSON: what is wrong.
    Json(String),
    /// It is JSON, but no object.
    NotAnObject,
}

/// Fills the slots from `line`; values that cannot stay where they are go to `scratch`.
pub(crate) fn parse(mapping: &Mapping, line: &str, slots: &mut [Slot], scratch: &mut String) -> Result<(), Unreadable> {
    let mut json = serde_json::Deserializer::from_str(line);
    let read = json.deserialize_map(Object { mapping, slots, scratch }).and_then(|()| json.end());
    read.map_err(|error| {
        let object = line.trim_ascii_start().starts_with('{');
        if !object && serde_json::from_str::<IgnoredAny>(line).is_ok() {
            return Unreadable::NotAnObject;
        }
        Unreadable::Json(match error.classify() {
            serde_json::error::Category::Eof => "the record ends in the middle of its JSON".into(),
            _ => format!("not JSON near byte {}", error.column()),
        })
    })
}

struct Object<'m> {
    mapping: &'m Mapping,
    slots: &'m mut [Slot],
    scratch: &'m mut String,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(slot) = map.next_key_seed(Name(self.mapping))? {
            match slot {
                Some(slot) => self.slots[slot] = value(map.next_value::<&RawValue>()?.get(), self.scratch),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Reads a name as the slot it fills.
struct Name<'m>(&'m Mapping);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, name: D) -> Result<Option<usize>, D::Error> {
        name.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(self.0.slot(name.as_bytes()))
    }
}

/// A value from its raw text, which is valid JSON.
fn value(raw: &str, scratch: &mut String) -> Slot {
    match raw.as_bytes() {
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => Slot::write(Kind::Text, &raw[1..raw.len() - 1], scratch),
        [b'"', ..] => match serde_json::from_str::<String>(raw) {
            Ok(text) => Slot::write(Kind::Text, &text, scratch),
            Err(_) => Slot { kind: Kind::Broken, ..Slot::default() },
        },
        [b'-' | b'0'..=b'9', ..] => Slot::write(Kind::Number, raw, scratch),
        [b't' | b'f', ..] => Slot::write(Kind::Bool, raw, scratch),
        [b'[' | b'{', ..] => Slot { kind: Kind::Nested, ..Slot::default() },
        _ => Slot::default(),
    }
}

//! The seller of a record, read past everything else in it.

use dataflows::schema::{From, Schema};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Finds the key of a record: the value of the field that the settings map to `seller`.
#[derive(Clone, Debug)]
pub enum Key {
    /// The first of these fields that is there.
    Fields(Vec<String>),
    /// The same for all records.
    Constant(String),
    /// Put together by the engine; the records go anywhere.
    None,
}

impl Key {
    /// As these settings have it.
    pub fn new(schema: &Schema) -> Key {
        match schema.fields.get("seller") {
            None => Key::Fields(vec!["seller".into()]),
            Some(From::Fields(names)) => Key::Fields(names.clone()),
            Some(From::Constant(seller)) => Key::Constant(seller.clone()),
            Some(From::Template(_)) => Key::None,
        }
    }

    /// The key of a record of JSON; none when it is broken or names no seller.
    pub fn of<'r>(&'r self, record: &'r [u8]) -> Option<Cow<'r, str>> {
        match self {
            Key::Fields(names) => {
                let mut json = serde_json::Deserializer::from_slice(record);
                let found = Names(names).deserialize(&mut json).ok()?;
                found.and_then(|(_, value)| plain(value))
            }
            Key::Constant(seller) => Some(Cow::Borrowed(seller)),
            Key::None => None,
        }
    }
}

/// A text without its quotes, a number as written.
fn plain(value: &RawValue) -> Option<Cow<'_, str>> {
    let text = value.get();
    match text.as_bytes().first()? {
        b'"' if !text.contains('\\') => Some(Cow::Borrowed(&text[1..text.len() - 1])),
        b'"' => serde_json::from_str(text).ok().map(Cow::Owned),
        b'-' | b'0'..=b'9' => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// Looks for the first of some names in one object.
struct Names<'n>(&'n [String]);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = Option<(usize, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = Option<(usize, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut best: Self::Value = None;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let rank = self.0.iter().position(|wanted| *wanted == *name);
            match rank {
                Some(rank) if best.is_none_or(|(old, _)| rank <= old) => {
                    let value: &RawValue = map.next_value()?;
                    if value.get() != "null" {
                        best = Some((rank, value));
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(names: &[&str], record: &str) -> Option<String> {
        let key = Key::Fields(names.iter().map(|name| (*name).to_owned()).collect());
        key.of(record.as_bytes()).map(Cow::into_owned)
    }

    #[test]
    fn the_key_is_the_seller() {
        assert_eq!(key(&["seller"], r#"{"id":1,"seller":"Casa","x":{"seller":"no"}}"#).as_deref(), Some("Casa"));
        assert_eq!(key(&["seller"], r#"{"seller":"\u0041\"B"}"#).as_deref(), Some("A\"B"));
        assert_eq!(key(&["seller"], r#"{"seller":17}"#).as_deref(), Some("17"));
    }

    #[test]
    fn a_second_name_counts_when_the_first_is_not_there() {
        assert_eq!(key(&["seller", "shop"], r#"{"shop":"S","seller":"A"}"#).as_deref(), Some("A"));
        assert_eq!(key(&["seller", "shop"], r#"{"shop":"S","seller":null}"#).as_deref(), Some("S"));
    }

    #[test]
    fn a_record_without_a_seller_has_no_key() {
        for record in ["{broken", "[]", "\"seller\"", "{}", r#"{"seller":null}"#, r#"{"seller":{"a":1}}"#, r#"{"seller":"A"#] {
            assert_eq!(key(&["seller"], record), None, "{record}");
        }
    }
}

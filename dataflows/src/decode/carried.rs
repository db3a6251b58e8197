//! The fields that have no rule and are only carried: written once, as members of a JSON object, when the record is decoded.
//!
//! They wait as text until the row of the sale leaves. A text stays a text and a number a number; of a cell, whose type nobody
//! knows, the three fields that are numbers by their name become numbers if they can be read as such. An array, an object and a
//! text that is broken are no value.

use super::record::{Kind, RULED, Record};
use crate::row::text::string;
use crate::schema::FIELDS;

/// The fields that are numbers.
const NUMBERS: [&str; 3] = ["seasonality_factor", "discount_percentage", "product_rating"];

/// Writes `"id_sale":"...","customer_segment":...` and so on, without braces.
pub(super) fn write(id: &str, record: &Record, out: &mut String) {
    let mut text = vec![];
    text.extend_from_slice(b"\"id_sale\":");
    string(id, &mut text);
    for (field, slot) in FIELDS.iter().zip(record.slots).skip(RULED) {
        text.extend_from_slice(b",\"");
        text.extend_from_slice(field.as_bytes());
        text.extend_from_slice(b"\":");
        let value = match slot.kind {
            Kind::Absent => "",
            _ => slot.text(record.line, record.scratch),
        };
        match slot.kind {
            Kind::Text => string(value, &mut text),
            Kind::Number | Kind::Bool => text.extend_from_slice(value.as_bytes()),
            Kind::Cell if value.is_empty() => text.extend_from_slice(b"null"),
            Kind::Cell if NUMBERS.contains(field) && number(value) => text.extend_from_slice(value.as_bytes()),
            Kind::Cell => string(value, &mut text),
            Kind::Absent | Kind::Nested | Kind::Broken => text.extend_from_slice(b"null"),
        }
    }
    out.push_str(&String::from_utf8_lossy(&text));
}

/// Whether it is a number by the grammar of JSON.
fn number(text: &str) -> bool {
    serde_json::from_str::<serde_json::Number>(text).is_ok()
}

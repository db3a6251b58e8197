//! A row as a Kafka record.
//!
//! | part | what it is |
//! |---|---|
//! | key | the key columns of the row as the row has them, a JSON object: `{"key":"Norte","as_of":"2026-01-31T10:00:30.000Z"}` |
//! | value | the row as JSON; null (a tombstone) for a row that was taken back |
//! | header `vitrine-id` | 32 hex digits, the 128-bit xxh3 of the row with the table as seed: the same row has the same id whenever it is said |
//! | header `vitrine-revision` | of a tombstone only, which has no value to say it |
//!
//! The key is read off the line itself: every table begins with its key columns, and no text in JSON can hold `,"` unescaped.

use dataflows::edge::Table;
use memchr::memmem;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// The header that names a row.
pub const ID: &str = "vitrine-id";

/// The header that says the revision of a tombstone.
pub const REVISION: &str = "vitrine-revision";

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The key columns.
    pub key: Vec<u8>,
    /// The row; `None` when it was taken back.
    pub value: Option<&'a [u8]>,
    /// The id of the row.
    pub id: String,
    /// The revision of a row that was taken back.
    pub revision: Option<&'a [u8]>,
}

/// The column that follows the key columns.
fn behind_key(table: Table) -> &'static [u8] {
    match table {
        Table::Windows
        | Table::SellerFeatures
        | Table::CategoryFeatures
        | Table::ProductFeatures
        | Table::CustomerFeatures
        | Table::Scores => b",\"revision\":",
        Table::Events | Table::Suppressed | Table::Episodes => b",\"type\":",
        // Dead letters keep the key of the record.
        Table::DeadLetters => b"",
    }
}

/// A line of a table, without its line end, as a record.
pub fn record(table: Table, line: &[u8]) -> Record<'_> {
    let behind = behind_key(table);
    let at = memmem::find(line, behind).unwrap_or(line.len());
    let mut key = line[..at].to_vec();
    key.push(b'}');
    let deleted = line.get(at + behind.len()..).and_then(|rest| rest.strip_suffix(b",\"deleted\":true}"));
    let value = if deleted.is_some() { None } else { Some(line) };
    Record { key, value, id: id(table, line), revision: deleted }
}

/// The id of a row.
pub fn id(table: Table, line: &[u8]) -> String {
    format!("{:032x}", xxh3_128_with_seed(line, table as u64))
}

/// The lines of a table, without their ends.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_row_is_keyed_by_its_key_columns() {
        let line = br#"{"window":"60s/30s","window_start":"2026-01-31T10:00:00.000Z","window_end":"2026-01-31T10:01:00.000Z","revision":0,"partial":false}"#;
        let of = record(Table::Windows, line);
        let key = r#"{"window":"60s/30s","window_start":"2026-01-31T10:00:00.000Z","window_end":"2026-01-31T10:01:00.000Z"}"#;
        assert_eq!((of.key.as_slice(), of.value, of.revision), (key.as_bytes(), Some(line.as_slice()), None));
        assert_eq!(of.id, record(Table::Windows, line).id);
        assert_ne!(of.id, record(Table::SellerFeatures, line).id);
        let event = record(Table::Events, br#"{"event_id":"00ff","type":"activity_drop","revision":1}"#);
        assert_eq!(event.key, br#"{"event_id":"00ff"}"#);
    }

    #[test]
    fn a_row_that_was_taken_back_is_a_tombstone() {
        let line = br#"{"key":"Norte","as_of":"2026-01-31T10:00:30.000Z","revision":12,"deleted":true}"#;
        let of = record(Table::SellerFeatures, line);
        assert_eq!(of.key, br#"{"key":"Norte","as_of":"2026-01-31T10:00:30.000Z"}"#);
        assert_eq!((of.value, of.revision), (None, Some(b"12".as_slice())));
        let alive = record(Table::SellerFeatures, br#"{"key":",\"deleted\":true}","as_of":"t","revision":1,"n_support":2}"#);
        assert!(alive.value.is_some());
    }

    proptest! {
        #[test]
        fn no_name_breaks_a_key(name in "(?s).{0,20}", tail in prop::sample::select(vec![",\"revision\":", "\",\"revision\":9", "}"])) {
            let name = name + tail;
            let line = format!(r#"{{"key":{},"as_of":"t","revision":3,"n_support":1}}"#, serde_json::to_string(&name).unwrap());
            let of = record(Table::SellerFeatures, line.as_bytes());
            let key: serde_json::Value = serde_json::from_slice(&of.key).unwrap();
            prop_assert_eq!(key, serde_json::json!({ "key": name, "as_of": "t" }));
        }
    }
}

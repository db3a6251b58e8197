//! A dead letter as a Kafka record: the record as it came (key, value, headers), with headers that say what was wrong.
//!
//! The headers follow Kafka Connect, so that what reads Connect's dead letter topics reads ours:
//!
//! | header | what it says |
//! |---|---|
//! | `__connect.errors.topic`, `.partition`, `.offset` | where the record stands; for files the path, the number of the input, the byte |
//! | `__connect.errors.connector.name`, `.task.id` | the job; the partition |
//! | `__connect.errors.stage` | `VALUE_CONVERTER` of what was rejected, `TASK_PUT` of what came too late |
//! | `__connect.errors.class.name` | `vitrine` |
//! | `__connect.errors.exception.class.name` | the code of the first error |
//! | `__connect.errors.exception.message` | the messages of all errors |
//! | `vitrine-errors` | all errors as JSON, as the column `errors` has them |
//! | `vitrine-disposition`, `vitrine-timestamp`, `vitrine-id` | the other columns; the id of the row |
//!
//! Headers of these names that the record already had, having been a dead letter before, come first and stay.

use super::record;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dataflows::edge::Table;
use dataflows::message::Original;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A row of `dead_letters`, read back.
#[derive(Deserialize)]
struct Row<'a> {
    source: String,
    partition: u32,
    offset: u64,
    timestamp: Option<String>,
    disposition: String,
    #[serde(borrow)]
    errors: &'a RawValue,
    payload: Option<String>,
    payload_base64: Option<String>,
}

#[derive(Deserialize)]
struct Fault {
    code: String,
    message: String,
}

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The key as it came.
    pub key: Option<Vec<u8>>,
    /// The value as it came.
    pub value: Vec<u8>,
    /// The headers as they came, then ours.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// A line of `dead_letters` as a record of this job.
///
/// # Errors
/// When it is not the line of a dead letter.
pub fn letter(job: &str, line: &[u8], original: Option<&Original>) -> Result<Letter, serde_json::Error> {
    let row: Row<'_> = serde_json::from_slice(line)?;
    let faults: Vec<Fault> = serde_json::from_str(row.errors.get())?;
    let value = match (row.payload, row.payload_base64) {
        (Some(text), _) => text.into_bytes(),
        (None, encoded) => STANDARD.decode(encoded.unwrap_or_default()).map_err(serde::de::Error::custom)?,
    };
    let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
    let stage = if row.disposition == "too_late" { "TASK_PUT" } else { "VALUE_CONVERTER" };
    let Original { key, mut headers } = original.cloned().unwrap_or_default();
    let mut say = |name: &str, text: String| headers.push((name.into(), Some(text.into_bytes())));
    say("__connect.errors.topic", row.source);
    say("__connect.errors.partition", row.partition.to_string());
    say("__connect.errors.offset", row.offset.to_string());
    say("__connect.errors.connector.name", job.into());
    say("__connect.errors.task.id", row.partition.to_string());
    say("__connect.errors.stage", stage.into());
    say("__connect.errors.class.name", "vitrine".into());
    say("__connect.errors.exception.class.name", faults.first().map_or_else(String::new, |fault| fault.code.clone()));
    say("__connect.errors.exception.message", messages.join("; "));
    say("vitrine-errors", row.errors.get().into());
    say("vitrine-disposition", row.disposition);
    row.timestamp.into_iter().for_each(|timestamp| say("vitrine-timestamp", timestamp));
    say(record::ID, record::id(Table::DeadLetters, line));
    Ok(Letter { key, value, headers })
}

impl Letter {
    /// Without its value, which is too large to be sent once more; how large it was, a header says. The record itself stands in
    /// the topic it came from.
    pub fn cut(mut self) -> Letter {
        self.headers.push(("vitrine-payload-bytes".into(), Some(self.value.len().to_string().into_bytes())));
        self.value = vec![];
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(letter: &Letter) -> Vec<(&str, String)> {
        let value = |v: &Option<Vec<u8>>| v.as_ref().map_or("-".into(), |v| String::from_utf8_lossy(v).into_owned());
        letter.headers.iter().map(|(name, v)| (name.as_str(), value(v))).collect()
    }

    #[test]
    fn a_letter_is_the_record_and_what_was_wrong_with_it() {
        let line = br#"{"source":"sales","partition":3,"offset":77,"timestamp":"2026-01-31T10:00:00.000Z","disposition":"rejected","errors":[{"code":"bad_price","field":"price","message":"no number"},{"code":"bad_date","field":"sale_date","message":"no date"}],"payload":"{\"a\": 1}"}"#;
        let headers = vec![("trace".to_owned(), Some(b"7".to_vec())), ("flag".to_owned(), None)];
        let original = Original { key: Some(b"Norte".to_vec()), headers };
        let letter = letter("shop", line, Some(&original)).unwrap();
        assert_eq!((letter.key.as_deref(), letter.value.as_slice()), (Some(b"Norte".as_slice()), b"{\"a\": 1}".as_slice()));
        let errors = r#"[{"code":"bad_price","field":"price","message":"no number"},{"code":"bad_date","field":"sale_date","message":"no date"}]"#;
        let expected = [
            ("trace", "7"),
            ("flag", "-"),
            ("__connect.errors.topic", "sales"),
            ("__connect.errors.partition", "3"),
            ("__connect.errors.offset", "77"),
            ("__connect.errors.connector.name", "shop"),
            ("__connect.errors.task.id", "3"),
            ("__connect.errors.stage", "VALUE_CONVERTER"),
            ("__connect.errors.class.name", "vitrine"),
            ("__connect.errors.exception.class.name", "bad_price"),
            ("__connect.errors.exception.message", "no number; no date"),
            ("vitrine-errors", errors),
            ("vitrine-disposition", "rejected"),
            ("vitrine-timestamp", "2026-01-31T10:00:00.000Z"),
        ];
        let said = text(&letter);
        assert_eq!(said[..said.len() - 1], expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(said[said.len() - 1], ("vitrine-id", record::id(Table::DeadLetters, line)));
        let cut = letter.cut();
        assert_eq!((cut.value.len(), text(&cut).pop()), (0, Some(("vitrine-payload-bytes", "8".into()))));
    }

    #[test]
    fn bytes_that_are_no_text_come_back() {
        let line = br#"{"source":"a.ndjson","partition":0,"offset":9,"timestamp":null,"disposition":"too_late","errors":[],"payload_base64":"/wBh"}"#;
        let letter = letter("shop", line, None).unwrap();
        assert_eq!((letter.key.as_deref(), letter.value.as_slice()), (None, b"\xff\x00a".as_slice()));
        assert!(text(&letter).contains(&("__connect.errors.stage", "TASK_PUT".into())));
        assert!(!text(&letter).iter().any(|(name, _)| *name == "vitrine-timestamp"));
    }
}

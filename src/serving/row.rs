//! A line of a feature table taken apart, without knowing its columns.
//!
//! Tables grow columns, and what serves them should not have to be told. So the names are learned from the lines, and a row is
//! kept as the texts of its values, in the order in which the columns were first met, with a byte between them that JSON
//! cannot hold. An answer copies these texts: a value is served with the very digits with which it was written.

use std::borrow::Cow;
use std::sync::Arc;

/// Between two values of a row: a control character, which JSON has only in escaped form.
const BETWEEN: char = '\u{1f}';

/// The values of one row. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(Arc<str>);

impl Row {
    /// From its text, as [`Row::text`] gave it.
    pub fn of(text: &str) -> Row {
        Row(text.into())
    }

    /// As it is kept.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The value of a column as JSON; `None` for `null`, and where the row was written without this column.
    pub fn value(&self, column: usize) -> Option<&str> {
        self.0.split(BETWEEN).nth(column).filter(|value| !matches!(*value, "" | "null"))
    }

    /// All values, as [`Row::value`] gives them.
    pub fn values(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.split(BETWEEN).map(|value| Some(value).filter(|value| !matches!(*value, "" | "null")))
    }
}

/// A line of a feature table.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The key, without quotes.
    pub key: Cow<'a, str>,
    /// `as_of`, milliseconds since the Unix epoch.
    pub as_of: i64,
    /// The values of all columns but `key`; `None` when the row was taken back.
    pub row: Option<Row>,
}

/// Takes a line apart. Columns that are new are added to `columns`.
///
/// # Errors
/// When it is no line of a feature table.
pub fn read<'a>(line: &'a str, columns: &mut Vec<String>) -> Result<Line<'a>, String> {
    let unfit = |what: &str| format!("a feature row {what}: {line}");
    let mut fields: Vec<(&str, &str)> = Fields(line.trim_end()).collect();
    let of = |name: &str| fields.iter().find(|field| field.0 == name).map(|field| field.1);
    let key = of("key").and_then(string).ok_or_else(|| unfit("has no key"))?;
    let as_of = of("as_of").and_then(string).and_then(|time| instant(&time)).ok_or_else(|| unfit("has no as_of"))?;
    if of("deleted") == Some("true") {
        return Ok(Line { key, as_of, row: None });
    }
    fields.retain(|field| field.0 != "key");
    // The columns of a table come in one order: nothing has to be looked up.
    let known = fields.len() <= columns.len() && fields.iter().zip(columns.iter()).all(|(field, column)| field.0 == column);
    let mut values: Vec<&str> = if known { fields.iter().map(|field| field.1).collect() } else { vec![""; columns.len()] };
    for (name, value) in fields.into_iter().filter(|_| !known) {
        match columns.iter().position(|column| column == name) {
            Some(column) => values[column] = value,
            None => {
                columns.push(name.to_owned());
                values.push(value);
            }
        }
    }
    let mut text = String::with_capacity(line.len());
    for (i, value) in values.into_iter().enumerate() {
        if i > 0 {
            text.push(BETWEEN);
        }
        text.push_str(value);
    }
    Ok(Line { key, as_of, row: Some(Row(text.into())) })
}

/// The text of a JSON string.
fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') { serde_json::from_str(json).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
}

/// RFC 3339 to milliseconds since the Unix epoch.
pub fn instant(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

/// Names and values of a JSON object in one line, the values as they are written.
struct Fields<'a>(&'a str);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.0.get(1..)?.strip_prefix('"')?; // behind `{` or `,`
        let (name, rest) = rest.split_once("\":")?;
        let (mut depth, mut quoted, mut escaped) = (0, false, false);
        let end = rest.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = quoted,
                b'"' => quoted = !quoted,
                _ if quoted => (),
                b'[' | b'{' => depth += 1,
                b',' | b'}' if depth == 0 => return true,
                b']' | b'}' => depth -= 1,
                _ => (),
            }
            false
        })?;
        self.0 = &rest[end..];
        Some((name, &rest[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AS_OF: i64 = 1_769_853_600_000;

    fn values(line: &str, columns: &mut Vec<String>) -> Vec<Option<String>> {
        let row = read(line, columns).expect("a row").row.expect("values");
        row.values().map(|value| value.map(String::from)).collect()
    }

    #[test]
    fn values_keep_the_digits_with_which_they_were_written() {
        let line = r#"{"key":"a \"b\"","as_of":"2026-01-31T10:00:00.000Z","revision":2,"v":3,"m":12.50,"t":null,"l":[1,0.250000],"s":"x,]}\"y"}"#;
        let mut columns = vec![];
        let line = format!("{line}\n");
        let read = read(&line, &mut columns).expect("a row");
        assert_eq!((&*read.key, read.as_of), ("a \"b\"", AS_OF));
        assert_eq!(columns, ["as_of", "revision", "v", "m", "t", "l", "s"]);
        let row = read.row.expect("values");
        let said: Vec<Option<&str>> = row.values().collect();
        let time = "\"2026-01-31T10:00:00.000Z\"";
        assert_eq!(said[..5], [Some(time), Some("2"), Some("3"), Some("12.50"), None]);
        assert_eq!(said[5..], [Some("[1,0.250000]"), Some(r#""x,]}\"y""#)]);
        assert_eq!((row.value(3), row.value(4), row.value(99)), (Some("12.50"), None, None));
        assert_eq!(Row::of(row.text()), row);
    }

    #[test]
    fn a_row_that_is_taken_back_has_no_values_and_adds_no_column() {
        let mut columns = vec![];
        let line = r#"{"key":"a","as_of":"2026-01-31T10:00:00.000Z","revision":3,"deleted":true}"#;
        assert_eq!(read(line, &mut columns), Ok(Line { key: "a".into(), as_of: AS_OF, row: None }));
        assert!(columns.is_empty());
    }

    /// A table may gain columns from one version to the next, and what was kept of it is read by the next one.
    #[test]
    fn columns_that_come_and_go_find_their_place() {
        let mut columns = vec![];
        let line = |rest: &str| format!(r#"{{"key":"a","as_of":"2026-01-31T10:00:00.000Z",{rest}}}"#);
        values(&line(r#""a":1,"b":2"#), &mut columns);
        let some = |v: &[&str]| v.iter().map(|v| Some(v.to_string()).filter(|v| !v.is_empty())).collect::<Vec<_>>();
        assert_eq!(values(&line(r#""c":3,"b":4"#), &mut columns)[1..], some(&["", "4", "3"]));
        assert_eq!(columns, ["as_of", "a", "b", "c"]);
        assert_eq!(values(&line(r#""a":5"#), &mut columns)[1..], some(&["5"]));
    }

    #[test]
    fn what_is_no_feature_row_is_told() {
        for line in ["", "{}", r#"{"key":"a"}"#, r#"{"key":"a","as_of":"now"}"#, r#"{"as_of":"2026-01-31T10:00:00.000Z"}"#] {
            assert!(read(line, &mut vec![]).is_err(), "{line}");
        }
    }
}

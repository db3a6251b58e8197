//! The answers as a Parquet file: a row a request, in the order of the list.
//!
//! Money becomes `DECIMAL(18, 2)`, other fractions `DOUBLE`, whole numbers `INT64`, times `TIMESTAMP(ms, UTC)`, lists of numbers lists
//! of `DOUBLE`, other lists their JSON. Readers such as Arrow make decimal128 and timestamp[ms, UTC] of these. The
//! [`dataflows::profile::columns`] of the tables say what they hold.
//!
//! Written with the column writers of the `parquet` crate, without Arrow's arrays: these would double what is compiled, to hold
//! for a moment what already lies in rows.

use super::collect::{Answers, AsOf};
use crate::error::Error;
use crate::serving::row::instant;
use dataflows::edge::Table;
use dataflows::profile::columns::{self, Type};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Requests in a row group.
const GROUP: usize = 1 << 17;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Money,
    Fraction,
    Fractions,
    Time,
    Text,
}

/// What a column of the file is made of. Tables by their place among those that were asked for.
enum Source {
    Key(usize),
    Time,
    Learned(usize),
    Value(usize, usize, Kind),
}

struct Column {
    name: String,
    source: Source,
}

impl Kind {
    /// Of a column of a table. What is no column of it is kept as it is written.
    fn of(table: Table, name: &str) -> Kind {
        match name {
            "as_of" => return Kind::Time,
            "revision" => return Kind::Integer,
            _ => (),
        }
        match columns::columns(table).into_iter().find(|column| column.0 == name).map_or(Type::Text, |column| column.1) {
            Type::Integer => Kind::Integer,
            Type::Money => Kind::Money,
            Type::Fraction => Kind::Fraction,
            Type::Fractions(_) => Kind::Fractions,
            Type::Time => Kind::Time,
            Type::Text | Type::Level | Type::Pairs | Type::Carried => Kind::Text,
        }
    }

    /// As Parquet's schemas are written.
    fn schema(self, name: &str) -> String {
        match self {
            Kind::Integer => format!("optional int64 {name};"),
            Kind::Money => format!("optional int64 {name} (DECIMAL(18,2));"),
            Kind::Fraction => format!("optional double {name};"),
            Kind::Fractions => format!("optional group {name} (LIST) {{ repeated group list {{ optional double element; }} }}"),
            Kind::Time => format!("optional int64 {name} (TIMESTAMP(MILLIS,true));"),
            Kind::Text => format!("optional binary {name} (STRING);"),
        }
    }
}

/// Writes the file, which appears when it is whole.
///
/// # Errors
/// When the system refuses.
pub fn write(path: &Path, as_of: AsOf, answers: &Answers) -> Result<(), Error> {
    let partial = path.with_added_extension("partial");
    let written = fill(&partial, as_of, answers).and_then(|()| Ok(std::fs::rename(&partial, path)?));
    written.map_err(|e| Error::Output(format!("cannot write {}: {e}", path.display())))
}

fn fill(path: &Path, as_of: AsOf, answers: &Answers) -> Result<(), ParquetError> {
    let columns = columns(answers);
    let fields = columns.iter().map(|column| match column.source {
        Source::Key(_) => format!("required binary {} (STRING);", column.name),
        Source::Time => format!("required int64 {} (TIMESTAMP(MILLIS,true));", column.name),
        Source::Learned(_) => Kind::Time.schema(&column.name),
        Source::Value(_, _, kind) => kind.schema(&column.name),
    });
    let schema = parse_message_type(&format!("message features {{ {} }}", fields.collect::<Vec<_>>().join(" ")))?;
    let as_of = if as_of == AsOf::Known { "known" } else { "final" };
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(format!("vitrine {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new("vitrine.as_of".into(), as_of.to_owned())]));
    let mut file = SerializedFileWriter::new(File::create(path)?, Arc::new(schema), Arc::new(properties.build()))?;
    let requests = answers.wanted.times.len();
    for from in (0..requests).step_by(GROUP) {
        let range = from..requests.min(from + GROUP);
        let mut group = file.next_row_group()?;
        for column in &columns {
            let mut to = group.next_column()?.expect("the schema has this column");
            column.write(answers, range.clone(), &mut to)?;
            to.close()?;
        }
        group.close()?;
    }
    file.into_inner()?.sync_all()?;
    Ok(())
}

/// What the file has: keys, the time, and of each table when it was learned and all its columns. With several tables their
/// names stand before the columns.
fn columns(answers: &Answers) -> Vec<Column> {
    let tables = &answers.wanted.tables;
    let mut columns = vec![];
    for (i, joined) in tables.iter().enumerate() {
        // A list without a line names nothing.
        let name = if joined.column.is_empty() { "key" } else { &joined.column };
        columns.push(Column { name: name.to_owned(), source: Source::Key(i) });
    }
    columns.push(Column { name: "time".into(), source: Source::Time });
    for (i, joined) in tables.iter().enumerate() {
        let name = |column: &str| match tables.len() {
            1 => column.to_owned(),
            _ => format!("{}__{column}", joined.table.name()),
        };
        columns.push(Column { name: name("learned"), source: Source::Learned(i) });
        for (number, column) in answers.columns[i].iter().enumerate() {
            let kind = Kind::of(joined.table, column);
            columns.push(Column { name: name(column), source: Source::Value(i, number, kind) });
        }
    }
    columns
}

fn broken(value: &str) -> ParquetError {
    ParquetError::General(format!("{value} is not what its column holds"))
}

/// Money as hundredths.
fn cents(value: &str) -> Result<i64, ParquetError> {
    value
        .replacen('.', "", 1)
        .parse()
        .ok()
        .filter(|cents: &i64| cents.unsigned_abs() < 10_u64.pow(18))
        .ok_or_else(|| broken(value))
}

/// A text without its quotes; what is no text as JSON.
fn text(value: &str) -> ByteArray {
    let unquoted = serde_json::from_str::<String>(value).unwrap_or_else(|_| value.to_owned());
    ByteArray::from(unquoted.into_bytes())
}

fn optional<'v, T: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    cells: impl Iterator<Item = Option<&'v str>>,
    read: impl Fn(&str) -> Result<T::T, ParquetError>,
) -> Result<(), ParquetError> {
    let (mut values, mut levels) = (vec![], vec![]);
    for cell in cells {
        levels.push(i16::from(cell.is_some()));
        if let Some(cell) = cell {
            values.push(read(cell)?);
        }
    }
    to.typed::<T>().write_batch(&values, Some(&levels), None).map(drop)
}

/// Lists: nothing is level 0, an empty one 1, an element 3.
fn lists<'v>(to: &mut SerializedColumnWriter<'_>, cells: impl Iterator<Item = Option<&'v str>>) -> Result<(), ParquetError> {
    let (mut values, mut levels, mut again) = (vec![], vec![], vec![]);
    for cell in cells {
        let list: Option<Vec<Option<f64>>> = cell.map(|cell| serde_json::from_str(cell).map_err(|_| broken(cell))).transpose()?;
        if list.as_ref().is_none_or(Vec::is_empty) {
            levels.push(i16::from(list.is_some()));
            again.push(0);
        }
        for (i, element) in list.unwrap_or_default().into_iter().enumerate() {
            levels.push(2 + i16::from(element.is_some()));
            again.push(i16::from(i > 0));
            values.extend(element);
        }
    }
    to.typed::<DoubleType>().write_batch(&values, Some(&levels), Some(&again)).map(drop)
}

impl Column {
    fn write(&self, answers: &Answers, range: Range<usize>, to: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let wanted = &answers.wanted;
        match &self.source {
            Source::Key(table) => {
                let keys = &wanted.tables[*table].keys[range];
                let keys: Vec<ByteArray> = keys.iter().map(|key| ByteArray::from(key.as_bytes().to_vec())).collect();
                to.typed::<ByteArrayType>().write_batch(&keys, None, None).map(drop)
            }
            Source::Time => to.typed::<Int64Type>().write_batch(&wanted.times[range], None, None).map(drop),
            Source::Learned(table) => {
                let learned = answers.found[*table][range].iter().map(|found| found.as_ref().map(|found| found.learned));
                let levels: Vec<i16> = learned.clone().map(|learned| i16::from(learned.is_some())).collect();
                let learned: Vec<i64> = learned.flatten().collect();
                to.typed::<Int64Type>().write_batch(&learned, Some(&levels), None).map(drop)
            }
            Source::Value(table, column, kind) => {
                let found = &answers.found[*table][range];
                let cells = found.iter().map(|found| found.as_ref().and_then(|found| found.row.value(*column)));
                match kind {
                    Kind::Integer => optional::<Int64Type>(to, cells, |v| v.parse().map_err(|_| broken(v))),
                    Kind::Money => optional::<Int64Type>(to, cells, cents),
                    Kind::Fraction => optional::<DoubleType>(to, cells, |v| v.parse().map_err(|_| broken(v))),
                    Kind::Time => optional::<Int64Type>(to, cells, |v| instant(v.trim_matches('"')).ok_or_else(|| broken(v))),
                    Kind::Text => optional::<ByteArrayType>(to, cells, |v| Ok(text(v))),
                    Kind::Fractions => lists(to, cells),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::wanted::{Joined, Wanted};
    use super::*;
    use crate::serving::row::read;
    use crate::serving::view::Found;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    fn answers(lines: &[Option<&str>]) -> Answers {
        let (mut columns, mut found) = (vec![], vec![]);
        for line in lines {
            found.push(line.map(|line| {
                let line = format!("{{\"key\":\"a\",\"as_of\":\"2026-01-31T10:00:00.000Z\",{line}}}");
                let read = read(&line, &mut columns).unwrap();
                Found { as_of: read.as_of, learned: read.as_of + 30_000, row: read.row.unwrap() }
            }));
        }
        let keys = (0..lines.len()).map(|i| format!("k{i}").into()).collect();
        let tables = vec![Joined { table: Table::Scores, column: "shop".into(), keys }];
        let times = (0..lines.len() as i64).collect();
        Answers { wanted: Wanted { tables, times }, columns: vec![columns], found: vec![found] }
    }

    #[test]
    fn each_column_has_the_type_that_the_table_gives_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.parquet");
        let rows = [
            Some(
                r#""quantity":3,"price":-12.50,"amount_vs_customer":0.250000,"customer_behavior_vector":[1.5,null,3],"nm_category":"ä \"b\"","seller":null"#,
            ),
            None,
            Some(
                r#""quantity":null,"price":0.05,"amount_vs_customer":0.500000,"customer_behavior_vector":[],"nm_category":null,"seller":null"#,
            ),
        ];
        write(&path, AsOf::Known, &answers(&rows)).unwrap();
        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let mut schema = vec![];
        parquet::schema::printer::print_schema(&mut schema, reader.metadata().file_metadata().schema());
        let schema = String::from_utf8(schema).unwrap();
        for field in [
            "REQUIRED BYTE_ARRAY shop (STRING);",
            "REQUIRED INT64 time (TIMESTAMP(MILLIS,true));",
            "OPTIONAL INT64 learned (TIMESTAMP(MILLIS,true));",
            "OPTIONAL INT64 as_of (TIMESTAMP(MILLIS,true));",
            "OPTIONAL INT64 quantity;",
            "OPTIONAL INT64 price (DECIMAL(18,2));",
            "OPTIONAL DOUBLE amount_vs_customer;",
            "OPTIONAL group customer_behavior_vector (LIST) {",
            "OPTIONAL BYTE_ARRAY nm_category (STRING);",
            "OPTIONAL BYTE_ARRAY seller (STRING);",
        ] {
            assert!(schema.contains(field), "{field} in {schema}");
        }
        let said: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        let first = "{shop: \"k0\", time: 1970-01-01 00:00:00.000 +00:00, learned: 2026-01-31 10:00:30.000 +00:00, \
                     as_of: 2026-01-31 10:00:00.000 +00:00, quantity: 3, price: -12.50, amount_vs_customer: 0.25, \
                     customer_behavior_vector: [1.5, null, 3.0], nm_category: \"ä \"b\"\", seller: null}";
        assert_eq!(said[0], first);
        assert!(said[1].ends_with(
            "learned: null, as_of: null, quantity: null, price: null, amount_vs_customer: null, \
             customer_behavior_vector: null, nm_category: null, seller: null}"
        ));
        assert!(
            said[2].contains("price: 0.05, amount_vs_customer: 0.5, customer_behavior_vector: [], nm_category: null"),
            "{}",
            said[2]
        );
        assert!(!path.with_added_extension("partial").exists());
    }
}

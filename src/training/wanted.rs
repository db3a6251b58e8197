//! The list of (key, time) that somebody asks for, as CSV or as JSON lines.

use crate::error::Error;
use crate::serving::TABLES;
use crate::serving::row::instant;
use dataflows::edge::Table;
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// What the column of the time may be called.
const TIMES: [&str; 3] = ["time", "event_timestamp", "at"];

/// Requests: for each table its keys, and one time for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The tables, in the order in which they were named.
    pub tables: Vec<Joined>,
    /// By request, milliseconds since the Unix epoch.
    pub times: Vec<i64>,
}

/// The keys with which a table is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The table.
    pub table: Table,
    /// What the list calls the key.
    pub column: String,
    /// By request.
    pub keys: Vec<Box<str>>,
}

impl Wanted {
    /// Reads a list. A column for the key of each table, called `key` or as the field of a sale is; and one for the time.
    ///
    /// # Errors
    /// When it cannot be read, or a line has no key or no time.
    pub fn read(path: &Path, tables: &[Table]) -> Result<Wanted, Error> {
        let told = |problem: String| Error::Input(format!("cannot read {}: {problem}", path.display()));
        let file = File::open(path).map_err(|e| told(e.to_string()))?;
        let csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let read = if csv { from_csv(file, tables) } else { from_lines(BufReader::new(file), tables) };
        read.map_err(told)
    }

    fn new(tables: &[Table]) -> Wanted {
        let joined = |table: &Table| Joined { table: *table, column: String::new(), keys: vec![] };
        Wanted { tables: tables.iter().map(joined).collect(), times: vec![] }
    }

    /// What the key of a table may be called, when `alone` it is asked for.
    fn names(table: Table, alone: bool) -> impl Iterator<Item = &'static str> {
        let own = TABLES.into_iter().find(|(served, _)| *served == table).map_or(&[][..], |(_, names)| names);
        own.iter().copied().chain(alone.then_some("key"))
    }

    /// Adds a request, given how a column is looked up.
    fn add(&mut self, of: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        let alone = self.tables.len() == 1;
        for joined in &mut self.tables {
            let mut names = Wanted::names(joined.table, alone);
            let Some((name, key)) = names.find_map(|name| Some((name, of(name)?))) else {
                let names: Vec<&str> = Wanted::names(joined.table, alone).collect();
                return Err(format!("no key for {}: it has a column {}", joined.table.name(), names.join(" or ")));
            };
            if joined.keys.is_empty() {
                joined.column = name.to_owned();
            }
            joined.keys.push(key.into());
        }
        let time = TIMES.iter().find_map(|name| of(name)).ok_or("no time: it has a column time")?;
        let ms = time.parse().ok().or_else(|| instant(&time.replacen(' ', "T", 1)));
        self.times.push(ms.ok_or_else(|| {
            format!("{time:?} is no time; write it as 2026-01-31T10:00:00Z, or as milliseconds since the Unix epoch")
        })?);
        Ok(())
    }

    /// The keys of a table, each once.
    pub fn keys(&self, table: usize) -> HashSet<Box<str>> {
        self.tables[table].keys.iter().cloned().collect()
    }
}

fn from_csv(file: impl Read, tables: &[Table]) -> Result<Wanted, String> {
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(|e| e.to_string())?.clone();
    let mut wanted = Wanted::new(tables);
    for (i, record) in reader.records().enumerate() {
        let record = record.map_err(|e| e.to_string())?;
        let of = |name: &str| Some(record.get(header.iter().position(|column| column.trim() == name)?)?.trim().to_owned());
        wanted.add(of).map_err(|problem| format!("record {}: {problem}", i + 1))?;
    }
    Ok(wanted)
}

fn from_lines(file: impl BufRead, tables: &[Table]) -> Result<Wanted, String> {
    let mut wanted = Wanted::new(tables);
    for (i, line) in file.lines().enumerate() {
        let line = line.map_err(|e| e.to_string())?;
        if line.trim().is_empty() {
            continue;
        }
        let told = |problem: String| format!("line {}: {problem}", i + 1);
        let fields: Map<String, Value> = serde_json::from_str(&line).map_err(|e| told(e.to_string()))?;
        let of = |name: &str| match fields.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            // A sale without a customer: there is such a column, and no such key.
            Value::Null => Some(String::new()),
            _ => None,
        };
        wanted.add(of).map_err(told)?;
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Table; 2] = [Table::SellerFeatures, Table::CategoryFeatures];

    #[test]
    fn a_list_is_csv_or_json_lines() {
        let csv = "seller,category,time,label\na,toys,2026-01-31T10:00:00Z,1\n\"b, c\",x,1769853600001,0\n";
        let wanted = from_csv(csv.as_bytes(), &BOTH).unwrap();
        assert_eq!(wanted.times, [1_769_853_600_000, 1_769_853_600_001]);
        assert_eq!(wanted.tables[0].keys, ["a".into(), "b, c".into()]);
        assert_eq!((wanted.tables[1].column.as_str(), &*wanted.tables[1].keys[1]), ("category", "x"));
        let lines = "{\"key\":\"a\",\"event_timestamp\":\"2026-01-31 10:00:00+00:00\"}\n\n{\"key\":5,\"event_timestamp\":1}\n";
        let wanted = from_lines(lines.as_bytes(), &BOTH[..1]).unwrap();
        assert_eq!((&wanted.times[..], &*wanted.tables[0].keys[1]), (&[1_769_853_600_000, 1][..], "5"));
        let lines = "{\"customer\":null,\"time\":1}\n";
        assert_eq!(&*from_lines(lines.as_bytes(), &[Table::CustomerFeatures]).unwrap().tables[0].keys[0], "");
    }

    #[test]
    fn what_is_missing_is_told_with_its_line() {
        let refused = |text: &str, tables: &[Table]| from_csv(text.as_bytes(), tables).unwrap_err();
        let no_key = "record 1: no key for category_features: it has a column category or nm_category";
        assert_eq!(refused("key,time\na,1\n", &BOTH), "record 1: no key for seller_features: it has a column seller");
        assert_eq!(refused("seller,time\na,1\n", &BOTH), no_key);
        assert_eq!(refused("key,hour\na,1\n", &BOTH[..1]), "record 1: no time: it has a column time");
        let bad = refused("key,time\na,1\nb,noon\n", &BOTH[..1]);
        assert!(bad.starts_with("record 2: \"noon\" is no time; "), "{bad}");
    }
}

//! Rows of integers as lines of JSON, by their columns.

use super::columns::{Column, NULL, Type};
use crate::feature::price::PriceLevel;
use crate::row::text::{integer, millionths, money, quoted_time, string};

/// Writes the columns of one list.
#[derive(Clone, Debug)]
pub struct Writer(Vec<(Box<[u8]>, Type)>);

impl Writer {
    /// For these columns.
    pub fn new(columns: &[Column]) -> Writer {
        Writer(columns.iter().map(|(name, kind)| (format!(",\"{name}\":").into_bytes().into(), *kind)).collect())
    }

    /// Writes the integers of a row, or `null` for each column without; `list` stands for a list of pairs. Gives what is left.
    pub fn columns<'a>(&self, cells: Option<&'a [i64]>, list: &str, out: &mut Vec<u8>) -> &'a [i64] {
        let mut rest = cells.unwrap_or_default();
        for (name, kind) in &self.0 {
            out.extend_from_slice(name);
            let mut next = || match rest.split_first() {
                Some((first, others)) => {
                    rest = others;
                    *first
                }
                None => NULL,
            };
            match kind {
                Type::Pairs => out.extend_from_slice(list.as_bytes()),
                Type::Fractions(_) if cells.is_none() => out.extend_from_slice(b"null"),
                Type::Fractions(n) => {
                    out.push(b'[');
                    for i in 0..*n {
                        if i > 0 {
                            out.push(b',');
                        }
                        millionths(next(), out);
                    }
                    out.push(b']');
                }
                kind => match next() {
                    NULL => out.extend_from_slice(b"null"),
                    x => value(*kind, x, out),
                },
            }
        }
        rest
    }
}

#[inline]
fn value(kind: Type, x: i64, out: &mut Vec<u8>) {
    match kind {
        Type::Integer if (0..10).contains(&x) => out.push(b'0' + x as u8),
        Type::Money => money(x, out),
        Type::Fraction => millionths(x, out),
        Type::Level => string([PriceLevel::Product, PriceLevel::Category, PriceLevel::None][x as usize % 3].name(), out),
        Type::Time => quoted_time(x, out),
        Type::Integer | Type::Text | Type::Carried | Type::Fractions(_) | Type::Pairs => integer(x, out),
    }
}

/// A row of a feature table; without columns it is taken back.
pub fn row(writer: &Writer, key: &str, (as_of, revision): (i64, u32), cells: Option<&[i64]>, list: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"key\":");
    string(key, out);
    out.extend_from_slice(b",\"as_of\":");
    quoted_time(as_of, out);
    out.extend_from_slice(b",\"revision\":");
    integer(revision, out);
    match cells {
        None => out.extend_from_slice(b",\"deleted\":true"),
        Some(_) => {
            writer.columns(cells, list, out);
        }
    }
    out.extend_from_slice(b"}\n");
}

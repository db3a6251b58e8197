//! Rows to nowhere: counted and hashed, so that two runs can be compared without keeping gigabytes.

use dataflows::edge::{Marks, RowSink, Table, TickRows};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// The tables in which two runs over data without late records agree: all but the events, which the hand loop has none of.
pub const COMPARED: [Table; 3] = [Table::Windows, Table::SellerFeatures, Table::CategoryFeatures];

/// The rows of one learned tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The tick.
    pub learned: u32,
    /// By place in [`COMPARED`]: how many rows, and the hash of their lines.
    pub tables: [(u64, u64); 3],
}

/// What has come.
#[derive(Debug, Default)]
pub struct Seen {
    /// The ticks with rows in a compared table, in order.
    pub ticks: Vec<Tick>,
    /// Rows of all tables, by [`Table`] as index.
    pub rows: [u64; Table::COUNT],
    /// Bytes of all tables.
    pub bytes: u64,
    /// The certificate of all rows.
    pub certificate: String,
    /// The lines that were asked for.
    pub kept: Vec<u8>,
}

/// Takes rows and forgets them. Clones share what they have seen.
#[derive(Clone, Default)]
pub struct Null {
    seen: Arc<Mutex<Seen>>,
    keep: Option<(u32, Table)>,
}

impl Null {
    /// Keeps the lines of one table at one learned tick.
    pub fn keeping(learned: u32, table: Table) -> Null {
        Null { keep: Some((learned, table)), ..Null::default() }
    }

    /// What has come so far; the sink begins anew.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl RowSink for Null {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let tables = COMPARED.map(|t| (rows.rows[t as usize], xxh3_64(&rows.lines[t as usize])));
        // Windows and features of a tick come one after the other.
        match seen.ticks.last_mut().filter(|last| last.learned == rows.learned) {
            Some(last) => last.tables.iter_mut().zip(tables).filter(|(_, new)| new.0 > 0).for_each(|(table, new)| *table = new),
            None if tables.iter().any(|t| t.0 > 0) => seen.ticks.push(Tick { learned: rows.learned, tables }),
            None => {}
        }
        for (all, new) in seen.rows.iter_mut().zip(rows.rows) {
            *all += new;
        }
        seen.bytes += rows.lines.iter().map(|l| l.len() as u64).sum::<u64>();
        seen.certificate.clone_from(&rows.certificate);
        if let Some((learned, table)) = self.keep
            && learned == rows.learned
        {
            seen.kept.extend_from_slice(&rows.lines[table as usize]);
        }
        Ok(())
    }
    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }
}

/// The first learned tick and table in which two runs differ; else how many rows they agree in.
pub fn compare(a: &Seen, b: &Seen) -> Result<u64, (u32, Table)> {
    let silent = |learned| Tick { learned, tables: [(0, xxh3_64(b"")); 3] };
    let mut agreed = 0;
    let (mut i, mut j) = (0, 0);
    while i < a.ticks.len() || j < b.ticks.len() {
        let learned = [a.ticks.get(i), b.ticks.get(j)].into_iter().flatten().map(|t| t.learned).min().unwrap_or(0);
        let next = |ticks: &[Tick], at: &mut usize| match ticks.get(*at).filter(|t| t.learned == learned) {
            Some(tick) => {
                *at += 1;
                *tick
            }
            None => silent(learned),
        };
        let (x, y) = (next(&a.ticks, &mut i), next(&b.ticks, &mut j));
        for ((x, y), table) in x.tables.iter().zip(&y.tables).zip(COMPARED) {
            if x != y {
                return Err((learned, table));
            }
            agreed += x.0;
        }
    }
    Ok(agreed)
}

/// The first line in which two texts differ.
pub fn first_difference(a: &[u8], b: &[u8]) -> (String, String) {
    let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    let (mut a, mut b) = (a.lines(), b.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(x), Some(y)) if x == y => (),
            (x, y) => return (x.unwrap_or("no row").into(), y.unwrap_or("no row").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(rows: &[(u32, Table, &str)]) -> Seen {
        let mut sink = Null::default();
        for (learned, table, text) in rows {
            let mut tick = TickRows { learned: *learned, ..TickRows::default() };
            tick.lines[*table as usize] = text.as_bytes().to_vec();
            tick.rows[*table as usize] = text.lines().count() as u64;
            sink.tick(&tick).unwrap();
        }
        sink.take()
    }

    #[test]
    fn rows_are_compared_by_tick_and_table() {
        let base = [(1, Table::Windows, "a\n"), (2, Table::SellerFeatures, "b\nc\n")];
        assert_eq!(compare(&seen(&base), &seen(&base)), Ok(3));
        assert_eq!(compare(&seen(&base), &seen(&base[..1])), Err((2, Table::SellerFeatures)));
        let other = [(1, Table::Windows, "a\n"), (2, Table::SellerFeatures, "b\nd\n")];
        assert_eq!(compare(&seen(&base), &seen(&other)), Err((2, Table::SellerFeatures)));
        let events = [(1, Table::Windows, "a\n"), (1, Table::Events, "e\n"), (2, Table::SellerFeatures, "b\nc\n")];
        assert_eq!(compare(&seen(&base), &seen(&events)), Ok(3));
    }

    #[test]
    fn the_first_different_line_is_shown() {
        assert_eq!(first_difference(b"a\nb\n", b"a\nc\n"), ("b".into(), "c".into()));
        assert_eq!(first_difference(b"a\n", b"a\nc\n"), ("no row".into(), "c".into()));
    }
}

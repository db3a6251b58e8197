//! The last rows of one feature table by key, written by one thread while others read.
//!
//! Keys are spread over shards, each behind a lock of its own that the writer takes for one row: a reader waits for the insertion
//! of a row, never for a tick. That readers see whole ticks all the same comes from the versions ([`History`]): a row is invisible
//! until its tick is published, and what a published tick needs is not forgotten.
//!
//! **Bounded as the engine's state is.** Time alone makes no row: a key whose last sale has left all horizons has said so in its
//! last row, which then stands for ever. So a key is forgotten when its last row is older than the longest horizon of its table and
//! the grace that the settings give; from then on it is not found. What decides is the watermark and not when it is swept out, so
//! that an answer depends on nothing else.

use super::history::{History, Version};
use super::row::{self, Row};
use dataflows::edge::Table;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{PoisonError, RwLock};
use xxhash_rust::xxh3::xxh3_64;

/// Shards of a view: of a million keys, the sweep holds 4,000 at a time.
pub const SHARDS: usize = 256;

type Shard = RwLock<HashMap<Box<str>, History>>;

/// How far back a table reaches; all in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How long a row counts after its `as_of` when nothing newer is said.
    pub keep: i64,
    /// How long after its `as_of` a row may still be corrected.
    pub reach: i64,
}

/// A row as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its `as_of`.
    pub as_of: i64,
    /// When it was learned.
    pub learned: i64,
    /// Its values.
    pub row: Row,
}

/// See the [module](self).
pub struct View {
    table: Table,
    span: Span,
    /// Keys that are kept; `None` for all.
    only: Option<HashSet<Box<str>>>,
    columns: RwLock<Vec<String>>,
    shards: Vec<Shard>,
    keys: AtomicUsize,
    swept: AtomicUsize,
}

impl View {
    /// Of a table, with nothing in it.
    pub fn new(table: Table, span: Span) -> View {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        View {
            table,
            span,
            only: None,
            columns: RwLock::default(),
            shards,
            keys: AtomicUsize::new(0),
            swept: AtomicUsize::new(0),
        }
    }

    /// The same for these keys only.
    pub fn only(self, keys: HashSet<Box<str>>) -> View {
        View { only: Some(keys), ..self }
    }

    /// The table.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Its columns but `key`, as far as rows have shown them.
    pub fn columns(&self) -> Vec<String> {
        self.columns.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keys that it has.
    pub fn keys(&self) -> usize {
        self.keys.load(Relaxed)
    }

    /// Takes the rows that were learned at a tick; nobody asks any more for watermarks before `published`. `also` is told of each.
    ///
    /// # Errors
    /// When a line is none of a feature table.
    pub fn take(&self, learned: i64, published: i64, lines: &[u8], mut also: impl FnMut(&str, &Version)) -> Result<(), String> {
        let lines = std::str::from_utf8(lines).map_err(|e| format!("the rows of {} are no text: {e}", self.table.name()))?;
        let mut columns = self.columns();
        let known = columns.len();
        for line in lines.lines() {
            let line = row::read(line, &mut columns)?;
            if self.only.as_ref().is_some_and(|only| !only.contains(&*line.key)) {
                continue;
            }
            let version = Version { as_of: line.as_of, learned, row: line.row };
            also(&line.key, &version);
            self.put(&line.key, version, published);
        }
        // Rows that have them become visible later.
        if columns.len() > known {
            *self.columns.write().unwrap_or_else(PoisonError::into_inner) = columns;
        }
        Ok(())
    }

    /// Takes one row.
    pub fn put(&self, key: &str, version: Version, published: i64) {
        let since = version.learned - self.span.reach;
        let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        match shard.get_mut(key) {
            Some(history) => {
                history.put(version);
                history.prune(published, since);
            }
            None => {
                let mut history = History::default();
                history.put(version);
                shard.insert(key.into(), history);
                self.keys.fetch_add(1, Relaxed);
            }
        }
    }

    /// What the columns are called, before rows show it.
    pub fn name(&self, columns: Vec<String>) {
        *self.columns.write().unwrap_or_else(PoisonError::into_inner) = columns;
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.shards.iter().for_each(|shard| shard.write().unwrap_or_else(PoisonError::into_inner).clear());
        self.columns.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.keys.store(0, Relaxed);
    }

    fn shard(&self, key: &str) -> &Shard {
        &self.shards[xxh3_64(key.as_bytes()) as usize % SHARDS]
    }

    /// The last row of a key at the watermark `known`, of those whose `as_of` is not after `upto`.
    pub fn at(&self, key: &str, known: i64, upto: i64) -> Option<Found> {
        let shard = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        let (version, row) = shard.get(key)?.at(known, upto)?;
        let forgotten = version.as_of.saturating_add(self.span.keep) < known.min(upto);
        (!forgotten).then(|| Found { as_of: version.as_of, learned: version.learned, row: row.clone() })
    }

    /// Sweeps the next so many shards: what will not be found at `published` or later goes.
    pub fn sweep(&self, published: i64, shards: usize) {
        for _ in 0..shards {
            let shard = &self.shards[self.swept.fetch_add(1, Relaxed) % SHARDS];
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            let before = shard.len();
            shard.retain(|_, history| history.newest().is_some_and(|as_of| as_of.saturating_add(self.span.keep) >= published));
            self.keys.fetch_sub(before - shard.len(), Relaxed);
        }
    }

    /// Tells all versions in a shard.
    pub fn each(&self, shard: usize, mut tell: impl FnMut(&str, &Version)) {
        let shard = self.shards[shard].read().unwrap_or_else(PoisonError::into_inner);
        shard.iter().for_each(|(key, history)| history.versions().iter().for_each(|version| tell(key, version)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { keep: 3_600_000, reach: 90_000 };

    fn line(key: &str, as_of: i64, n: i64) -> String {
        let time = chrono::DateTime::from_timestamp_millis(as_of).expect("a time");
        let time = time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        format!("{{\"key\":\"{key}\",\"as_of\":\"{time}\",\"revision\":0,\"n\":{n}}}\n")
    }

    fn n(view: &View, key: &str, at: i64) -> Option<String> {
        Some(view.at(key, at, i64::MAX)?.row.value(2)?.to_owned())
    }

    #[test]
    fn a_tick_shows_when_it_is_asked_for_and_not_before() {
        let view = View::new(Table::SellerFeatures, SPAN);
        view.take(30_000, 0, (line("a", 30_000, 1) + &line("b", 30_000, 2)).as_bytes(), |_, _| ()).expect("rows");
        view.take(60_000, 30_000, line("a", 60_000, 3).as_bytes(), |_, _| ()).expect("rows");
        assert_eq!([29_999, 30_000, 60_000].map(|at| n(&view, "a", at)), [None, Some("1".into()), Some("3".into())]);
        assert_eq!((n(&view, "b", 60_000).as_deref(), n(&view, "c", 60_000), view.keys()), (Some("2"), None, 2));
        assert_eq!(view.columns(), ["as_of", "revision", "n"]);
    }

    #[test]
    fn a_key_is_not_found_when_its_row_is_too_old_and_then_goes() {
        let view = View::new(Table::SellerFeatures, SPAN);
        view.take(30_000, 0, line("a", 30_000, 1).as_bytes(), |_, _| ()).expect("rows");
        view.sweep(3_630_000, SHARDS);
        assert_eq!((n(&view, "a", 3_630_000).as_deref(), n(&view, "a", 3_630_001), view.keys()), (Some("1"), None, 1));
        view.sweep(3_630_001, SHARDS);
        assert_eq!((n(&view, "a", 3_630_000), view.keys()), (None, 0));
    }

    #[test]
    fn other_keys_than_those_that_are_wanted_are_left_out() {
        let view = View::new(Table::SellerFeatures, SPAN).only(HashSet::from(["a".into()]));
        view.take(30_000, 0, (line("a", 30_000, 1) + &line("b", 30_000, 2)).as_bytes(), |_, _| ()).expect("rows");
        assert_eq!((view.keys(), n(&view, "b", 30_000)), (1, None));
    }
}

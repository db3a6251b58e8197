//! The rows that are served, on the disk beside the checkpoints.
//!
//! A run that goes on from a checkpoint says nothing again that was said before it, so what was served must come from somewhere.
//! The journal cannot give it: it holds the sums of the last horizon, and a key that has been quiet for longer has a last row all
//! the same. So each row that is taken is appended to a log, and a checkpoint holds where the log stood: a cut costs a flush,
//! however many keys there are.
//!
//! A log that only grows is of no use. When the last piece has become long, a new one begins, and while rows go on coming, each
//! tick adds what a few shards of the views hold. When all shards have been written, the new piece says everything by itself:
//!
//! ```text
//! piece 7   all shards ──── rows ──── rows ──── rows ──┐
//! piece 8                        shards │ rows │ shards │ rows │ shards ──── rows ──── rows ▸
//!                                       └───── a restart reads 7 and 8 ─────┘ └─ reads 8 ──
//! ```
//!
//! So there is no moment at which all is written at once, and nothing is read twice. Rows may be put into a history again: they
//! are known by (`as_of`, learned tick).
//!
//! The log is ours alone and may be lost: without it a run goes on, and serves each key from its next row on.

use super::history::Version;
use super::row::Row;
use super::view::{SHARDS, View};
use dataflows::edge::{Marks, Table};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// What a checkpoint calls it.
const MARK: &str = "serving";

/// Bytes of the shortest piece.
const LEAST_PIECE: u64 = 64 << 20;

/// Shards that each tick adds to a new piece: all of them in 32 ticks.
const DUMPED: usize = 8;

/// Checkpoints whose pieces are kept: the two that a state directory keeps, and the one that is being made.
const MARKS: usize = 3;

/// What a piece holds, one after the other, each block of it behind its length and hash.
#[derive(Serialize, Deserialize)]
enum Entry<'a> {
    /// What the columns of a table are called from here on.
    Columns(u8, #[serde(borrow)] Vec<&'a str>),
    /// A row: table, key, `as_of`, when it was learned, its values.
    Row(u8, &'a str, i64, i64, Option<&'a str>),
}

/// Adds an entry to a block.
fn push(block: &mut Vec<u8>, entry: &Entry) {
    let whole = postcard::to_extend(entry, std::mem::take(block));
    *block = whole.expect("texts and numbers can be written, and a vector grows");
}

/// Where the log stands, in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// The first piece that is needed.
    from: u64,
    /// The last one.
    to: u64,
    /// How much of the last one.
    length: u64,
    /// The watermark that was published.
    watermark: i64,
}

/// See the [module](self).
pub struct Log {
    folder: PathBuf,
    /// A piece that is shorter is gone on with.
    least: u64,
    out: Option<File>,
    /// Entries that are not written yet.
    block: Vec<u8>,
    /// The first piece that is needed, and the one that is written.
    from: u64,
    to: u64,
    length: u64,
    /// How long the last piece was when it said everything by itself.
    whole: u64,
    /// The next shard that goes into this piece; [`SHARDS`] when all are in.
    next: usize,
    /// Columns as this piece has them, by table.
    columns: [Vec<String>; Table::COUNT],
    /// The first pieces of the last checkpoints.
    marks: VecDeque<u64>,
}

impl Log {
    /// In this folder, which is made when it is needed.
    pub fn new(folder: PathBuf) -> Log {
        Log {
            folder,
            least: LEAST_PIECE,
            out: None,
            block: vec![],
            from: 1,
            to: 1,
            length: 0,
            whole: 0,
            next: SHARDS,
            columns: Default::default(),
            marks: VecDeque::new(),
        }
    }

    fn path(&self, piece: u64) -> PathBuf {
        self.folder.join(format!("{piece:08}.rows"))
    }

    /// Adds a row, which is written with its tick.
    pub fn row(&mut self, table: Table, key: &str, version: &Version) {
        let row = version.row.as_ref().map(Row::text);
        push(&mut self.block, &Entry::Row(table as u8, key, version.as_of, version.learned, row));
    }

    /// The rows of a tick have been added to the log and to the views: writes them, and goes on with a new piece when it is time.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn tick(&mut self, views: &[View]) -> Result<(), String> {
        if self.next < SHARDS {
            for shard in self.next..(self.next + DUMPED).min(SHARDS) {
                views.iter().for_each(|view| view.each(shard, |key, version| self.row(view.table(), key, version)));
            }
            self.next = (self.next + DUMPED).min(SHARDS);
            self.write(views)?;
            if self.next == SHARDS {
                (self.from, self.whole) = (self.to, self.length);
            }
            return Ok(());
        }
        self.write(views)?;
        if self.length > self.least.max(4 * self.whole) {
            self.flush()?;
            (self.to, self.length, self.out, self.next) = (self.to + 1, 0, None, 0);
            self.columns = Default::default();
        }
        Ok(())
    }

    /// Writes the block, behind the columns that are new.
    fn write(&mut self, views: &[View]) -> Result<(), String> {
        let mut named = vec![];
        for view in views {
            let (table, columns) = (view.table() as usize, view.columns());
            if self.columns[table] != columns {
                push(&mut named, &Entry::Columns(table as u8, columns.iter().map(String::as_str).collect()));
                self.columns[table] = columns;
            }
        }
        for block in [named, std::mem::take(&mut self.block)] {
            if block.is_empty() {
                continue;
            }
            let head = [(block.len() as u64).to_le_bytes(), xxh3_64(&block).to_le_bytes()].concat();
            let path = self.path(self.to);
            let written = self.open().and_then(|out| out.write_all(&head).and_then(|()| out.write_all(&block)));
            written.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
            self.length += (head.len() + block.len()) as u64;
        }
        Ok(())
    }

    fn open(&mut self) -> std::io::Result<&mut File> {
        match self.out.take() {
            Some(out) => Ok(self.out.insert(out)),
            None => {
                std::fs::create_dir_all(&self.folder)?;
                if self.to == 1 {
                    // Nothing was gone on with: what lies there is of another run.
                    pieces(&self.folder)?.into_iter().try_for_each(|(_, path)| std::fs::remove_file(path))?;
                }
                Ok(self.out.insert(File::create(self.path(self.to))?))
            }
        }
    }

    fn flush(&mut self) -> Result<(), String> {
        let path = self.path(self.to);
        let synced = self.out.as_ref().map_or(Ok(()), File::sync_data).and_then(|()| match self.folder.is_dir() {
            true => File::open(&self.folder)?.sync_all(),
            false => Ok(()),
        });
        synced.map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    /// Says where it stands, when that is on the disk. Pieces that no checkpoint needs go.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&mut self, watermark: i64, into: &mut Marks) -> Result<(), String> {
        self.flush()?;
        let mark = Mark { from: self.from, to: self.to, length: self.length, watermark };
        into.insert(MARK.into(), serde_json::to_string(&mark).map_err(|e| e.to_string())?);
        self.marks.push_back(mark.from);
        if self.marks.len() > MARKS {
            self.marks.pop_front();
        }
        if let Some(oldest) = self.marks.front().filter(|_| self.marks.len() == MARKS) {
            let needless = pieces(&self.folder).unwrap_or_default().into_iter().filter(|(piece, _)| piece < oldest);
            needless.for_each(|(_, path)| drop(std::fs::remove_file(path))); // another time, then
        }
        Ok(())
    }

    /// Brings the views to where they stood at a checkpoint, and goes on from there; gives the watermark of it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn resume(&mut self, from: &Marks, views: &[View]) -> Result<Option<i64>, String> {
        let mark = from.get(MARK).and_then(|mark| serde_json::from_str::<Mark>(mark).ok());
        let read = mark.map(|mark| self.read(&mark, views).map(|()| mark));
        let problem = match read {
            Some(Ok(mark)) => {
                (self.from, self.to, self.length) = (mark.from, mark.to, mark.length);
                self.marks.push_back(mark.from);
                // Written to the end at once: whether all shards were in it is not known.
                self.next = if mark.from == mark.to { SHARDS } else { 0 };
                return Ok(Some(mark.watermark));
            }
            Some(Err(problem)) => problem,
            None => "the checkpoint holds none".into(),
        };
        views.iter().for_each(View::clear);
        (self.out, self.columns) = (None, Default::default());
        tracing::warn!("no features were kept to be served ({problem}): each key is served from its next row on");
        Ok(None)
    }

    fn read(&mut self, mark: &Mark, views: &[View]) -> Result<(), String> {
        for piece in mark.from..=mark.to {
            if piece == mark.to && mark.length == 0 {
                // It was about to begin; whether there is a file yet does not matter.
                (self.out, self.columns) = (None, Default::default());
                return Ok(());
            }
            let path = self.path(piece);
            let told = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
            let mut bytes = vec![];
            File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(|e| told(&e))?;
            let length = if piece == mark.to { mark.length } else { bytes.len() as u64 };
            let bytes = usize::try_from(length).ok().and_then(|length| bytes.get(..length)).ok_or_else(|| told(&"too short"))?;
            self.columns = put(bytes, mark.watermark, views).map_err(|e| told(&e))?;
        }
        let path = self.path(mark.to);
        let cut = || {
            let file = File::options().append(true).open(&path)?;
            file.set_len(mark.length)?;
            Ok(file)
        };
        self.out = Some(cut().map_err(|e: std::io::Error| format!("{}: {e}", path.display()))?);
        Ok(())
    }
}

/// Puts the entries of a piece into the views; gives the columns that it names.
fn put(mut bytes: &[u8], watermark: i64, views: &[View]) -> Result<[Vec<String>; Table::COUNT], String> {
    let damaged = || "it is damaged".to_owned();
    let mut columns: [Vec<String>; Table::COUNT] = Default::default();
    while !bytes.is_empty() {
        let (head, rest) = bytes.split_at_checked(16).ok_or_else(damaged)?;
        let number = |at: usize| head[at..].first_chunk().map_or(0, |eight| u64::from_le_bytes(*eight));
        let length = usize::try_from(number(0)).map_err(|_| damaged())?;
        let (mut block, rest) =
            rest.split_at_checked(length).filter(|(block, _)| xxh3_64(block) == number(8)).ok_or_else(damaged)?;
        while !block.is_empty() {
            let (entry, behind) = postcard::take_from_bytes(block).map_err(|e| e.to_string())?;
            block = behind;
            let of = |table: u8| views.iter().find(|view| view.table() as u8 == table);
            match entry {
                Entry::Columns(table, names) => {
                    let names: Vec<String> = names.into_iter().map(String::from).collect();
                    if let Some(view) = of(table) {
                        view.name(names.clone());
                    }
                    *columns.get_mut(usize::from(table)).ok_or_else(damaged)? = names;
                }
                Entry::Row(table, key, as_of, learned, row) => {
                    let row = row.map(Row::of);
                    if let Some(view) = of(table) {
                        view.put(key, Version { as_of, learned, row }, watermark);
                    }
                }
            }
        }
        bytes = rest;
    }
    Ok(columns)
}

/// The pieces in a folder, with their numbers.
fn pieces(folder: &Path) -> std::io::Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<PathBuf>>>()?;
    let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_suffix(".rows")?.parse().ok();
    Ok(paths.into_iter().filter_map(|path| Some((number(&path)?, path))).collect())
}

#[cfg(test)]
mod tests {
    use super::super::view::Span;
    use super::*;

    fn views() -> [View; 1] {
        [View::new(Table::SellerFeatures, Span { keep: 1_000_000, reach: 60 })]
    }

    fn said(views: &[View; 1], watermark: i64) -> Vec<Option<(i64, i64, String)>> {
        let at = |key: usize| views[0].at(&key.to_string(), watermark, i64::MAX);
        (0..400).map(|key| at(key).map(|found| (found.as_of, found.learned, found.row.text().to_owned()))).collect()
    }

    /// Takes rows of some of 400 keys at a tick, and writes them.
    fn turn(log: &mut Log, views: &[View; 1], s: i64) {
        let time =
            |ms: i64| chrono::DateTime::from_timestamp_millis(ms).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let line = |key: i64, back: i64| {
            let rest = if (key + s / 30) % 7 == 0 { "\"deleted\":true".into() } else { format!("\"v\":{}", key * s) };
            format!("{{\"key\":\"{key}\",\"as_of\":\"{}\",{rest}}}\n", time(s - back))
        };
        let lines: String = (0..5).map(|i| line((s / 30 * 31 + i * 97) % (40 + s.min(360)), 30 * (i % 3))).collect();
        views[0].take(s, s - 30, lines.as_bytes(), |key, version| log.row(Table::SellerFeatures, key, version)).unwrap();
        log.tick(views).unwrap();
    }

    /// Through many pieces and restarts, at any point between them.
    #[test]
    fn pieces_say_everything_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let new = || Log { least: 2_000, ..Log::new(folder.path().join("serving")) };
        let (mut log, mut live) = (new(), views());
        let (mut marks, mut most) = (Marks::new(), 0);
        for turns in 1..400_i64 {
            let s = 30 * turns;
            turn(&mut log, &live, s);
            if turns % 3 == 0 {
                log.save(s, &mut marks).unwrap();
                most = most.max(pieces(&log.folder).unwrap().len());
            }
            if turns % 57 == 0 {
                // The turns behind the checkpoint were not said: they are taken again.
                let again = views();
                turn(&mut log, &live, s + 30);
                log = new();
                assert_eq!(log.resume(&marks, &again).unwrap(), Some(s));
                assert_eq!(said(&again, s), said(&live, s), "at {s}");
                live = again;
            }
        }
        assert!(log.to > 5 && most <= 6, "{} pieces, {most} at a time", log.to);
        assert!(said(&live, 30 * 399).iter().flatten().count() > 300);
    }

    #[test]
    fn a_checkpoint_before_a_piece_begins_is_gone_on_from() {
        let folder = tempfile::tempdir().unwrap();
        let new = || Log { least: 2_000, ..Log::new(folder.path().join("serving")) };
        let (mut log, live, mut marks) = (new(), views(), Marks::new());
        log.save(0, &mut marks).unwrap();
        assert_eq!(new().resume(&marks, &views()).unwrap(), Some(0), "nothing was written yet");
        let mut s = 0;
        while log.to < 3 || log.length > 0 {
            s += 30;
            turn(&mut log, &live, s);
        }
        log.save(s, &mut marks).unwrap();
        assert!(!log.path(log.to).exists());
        let (mut log, again) = (new(), views());
        assert_eq!(log.resume(&marks, &again).unwrap(), Some(s));
        assert_eq!(said(&again, s), said(&live, s));
        turn(&mut log, &again, s + 30);
        turn(&mut log, &again, s + 60);
        log.save(s + 60, &mut marks).unwrap();
        let last = views();
        assert_eq!(new().resume(&marks, &last).unwrap(), Some(s + 60));
        assert_eq!(said(&last, s + 60), said(&again, s + 60));
    }

    #[test]
    fn a_damaged_piece_is_not_served() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, live, mut marks) = (Log::new(folder.path().into()), views(), Marks::new());
        (1..20).for_each(|turns| turn(&mut log, &live, 30 * turns));
        log.save(570, &mut marks).unwrap();
        let path = log.path(1);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let again = views();
        assert_eq!(Log::new(folder.path().into()).resume(&marks, &again).unwrap(), None);
        assert_eq!(again[0].keys(), 0);
    }
}

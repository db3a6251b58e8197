//! Recorded bindings: the folder `bindings` in the state directory, one line an epoch.
//!
//! A line is `{"epoch":7,"before":3,"after":4,"added":[[0,0]],"blocks":[[0,120,250]]}`: the watermark ticks before and after,
//! the partitions that count from the next epoch on with their first offsets, and what was read: partition, from, up to. With the
//! topic it is all that repeats a run to the byte. It is written before anything follows from it; a piece needs no sync for a
//! process that is killed, and gets one when it is full and when the run ends.
//!
//! A piece is named by its first epoch, so that a start from a checkpoint reads what it needs and no more. Old pieces go when
//! nobody may ask for them any more, `[kafka] keep_bindings`.

use crate::error::Error;
use dataflows::clock::binding::{Binding, Bound};
use dataflows::clock::{Record, policy::Recording};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The folder in the state directory.
const FOLDER: &str = "bindings";

/// A piece is full at this length.
const FULL: u64 = 16 << 20;

/// A line.
#[derive(Serialize, Deserialize)]
struct Line {
    epoch: u64,
    before: u32,
    after: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    added: Vec<(u32, u64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<(u32, u64, u64)>,
}

/// A binding as one line without its end.
pub fn write(binding: &Binding) -> String {
    let blocks = binding.blocks.iter().map(|b| (b.input, b.start, b.upto)).collect();
    let Binding { epoch, before, after, ref added, .. } = *binding;
    let line = Line { epoch, before, after, added: added.clone(), blocks };
    serde_json::to_string(&line).expect("numbers are JSON")
}

/// A binding from its line.
///
/// # Errors
/// When it is none; in words.
pub fn read(line: &str) -> Result<Binding, String> {
    let Line { epoch, before, after, added, blocks } = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let bound = |(input, start, upto)| Bound { input, start, upto, settled: Default::default() };
    let blocks: Vec<Bound> = blocks.into_iter().map(bound).collect();
    if blocks.iter().any(|b| b.start >= b.upto) || after < before {
        return Err("a block or the watermark goes backwards".into());
    }
    Ok(Binding { epoch, before, after, added, blocks, last: None, stop: false, checkpoint: false, weight: (0, 0), newest: None })
}

/// Keeps the bindings of a run.
pub struct Log {
    folder: PathBuf,
    keep: Duration,
    /// Locked while the run lasts.
    _lock: File,
    open: Mutex<Open>,
}

/// The piece that is being written.
#[derive(Default)]
struct Open {
    file: Option<(PathBuf, File)>,
    length: u64,
    last: Option<u64>,
}

impl Log {
    /// Opens the log of a state directory, which is made if need be. What a kill left half-written at its end is cut off.
    /// Pieces that are older than `keep` go when a new one begins.
    ///
    /// # Errors
    /// When another run has it, or the system refuses.
    pub fn open(state: &Path, keep: Duration) -> Result<Log, Error> {
        let folder = state.join(FOLDER);
        std::fs::create_dir_all(&folder)
            .map_err(|e| Error::Output(format!("cannot make the state directory {}: {e}", folder.display())))?;
        let path = state.join("lock");
        let cannot = |path: &Path, e: std::io::Error| Error::Output(format!("cannot write {}: {e}", path.display()));
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| cannot(&path, e))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(Error::Unavailable(format!("another run uses the state directory {}", state.display())));
        }
        let mut open = Open::default();
        if let Some((_, path)) = pieces(state)?.pop() {
            let mut file = File::options().read(true).append(true).open(&path).map_err(|e| cannot(&path, e))?;
            open.length = whole(&mut file).map_err(|e| cannot(&path, e))?;
            file.set_len(open.length).map_err(|e| cannot(&path, e))?;
            open.file = Some((path, file));
        }
        open.last = last(state)?;
        Ok(Log { folder, keep, _lock: lock, open: Mutex::new(open) })
    }

    /// The last epoch that is recorded.
    pub fn last(&self) -> Option<u64> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).last
    }

    /// Brings it to the disk.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&self) -> Result<(), Error> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((path, file)) = &open.file else { return Ok(()) };
        file.sync_data().map_err(|e| Error::Output(format!("cannot write {}: {e}", path.display())))
    }

    /// Begins a piece, and lets old ones go.
    fn rotate(&self, open: &mut Open, epoch: u64) -> std::io::Result<()> {
        if let Some((_, full)) = open.file.take() {
            full.sync_data()?;
            for entry in std::fs::read_dir(&self.folder)? {
                let entry = entry?;
                let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
                if age > self.keep {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        let path = self.folder.join(format!("{epoch:016}.ndjson"));
        let file = File::options().create_new(true).append(true).open(&path)?;
        (open.file, open.length) = (Some((path, file)), 0);
        Ok(())
    }
}

impl Record for Log {
    fn binding(&self, binding: &Binding) -> Result<(), String> {
        let line = write(binding) + "\n";
        let open = &mut *self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let cannot = |e| format!("cannot write to {}: {e}; without it the run could not be repeated", self.folder.display());
        if open.length >= FULL || open.file.is_none() {
            self.rotate(open, binding.epoch).map_err(cannot)?;
        }
        if let Some((_, file)) = &mut open.file {
            file.write_all(line.as_bytes()).map_err(cannot)?;
        }
        open.length += line.len() as u64;
        open.last = Some(binding.epoch);
        Ok(())
    }
}

/// The pieces of a state directory, each with its first epoch, in order.
fn pieces(state: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let folder = state.join(FOLDER);
    let cannot = |e: std::io::Error| Error::Input(format!("cannot read the recorded bindings in {}: {e}", folder.display()));
    let mut all = vec![];
    for entry in std::fs::read_dir(&folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let first = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".ndjson")?.parse().ok());
        all.extend(first.map(|first| (first, path)));
    }
    all.sort_unstable();
    Ok(all)
}

/// The first epoch that is recorded still.
///
/// # Errors
/// When the folder cannot be read.
pub fn oldest(state: &Path) -> Result<Option<u64>, Error> {
    Ok(pieces(state)?.first().map(|(first, _)| *first))
}

/// The last epoch that is recorded.
fn last(state: &Path) -> Result<Option<u64>, Error> {
    // The last piece may hold no whole line yet.
    for (_, path) in pieces(state)?.into_iter().rev() {
        let text = std::fs::read_to_string(&path).map_err(|e| Error::Input(format!("cannot read {}: {e}", path.display())))?;
        let whole = &text[..text.rfind('\n').unwrap_or(0)];
        if let Some(line) = whole.lines().next_back() {
            let binding = read(line).map_err(|e| Error::Input(format!("the last line of {}: {e}", path.display())))?;
            return Ok(Some(binding.epoch));
        }
    }
    Ok(None)
}

/// The length of the file up to its last line end.
fn whole(file: &mut File) -> std::io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut piece = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let piece = &mut piece[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        std::io::Read::read_exact(file, piece)?;
        if let Some(at) = memchr::memrchr(b'\n', piece) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The bindings of a state directory behind the epoch `after`, or from the first on, as far as they stand there now.
///
/// # Errors
/// When they cannot be read, or do not reach back as far as that.
pub fn recording(state: &Path, after: Option<u64>) -> Result<Recording, Error> {
    behind(state, after).map(Recording::new)
}

/// Bindings, or why one of them cannot be read.
pub type Bindings = Box<dyn Iterator<Item = Result<Binding, String>> + Send>;

/// What [`recording`] draws from.
///
/// # Errors
/// As there.
pub fn behind(state: &Path, after: Option<u64>) -> Result<Bindings, Error> {
    let next = after.map_or(0, |epoch| epoch + 1);
    let mut all = pieces(state)?;
    let first = all.partition_point(|(first, _)| *first <= next);
    match all.first() {
        Some((oldest, _)) if first == 0 => {
            return Err(Error::Input(format!(
                "the recorded bindings in {} begin with epoch {oldest}, and epoch {next} is needed: what is older than \
                 [kafka] keep_bindings is gone",
                state.join(FOLDER).display()
            )));
        }
        _ => all.drain(..first.saturating_sub(1)),
    };
    let lines = all.into_iter().flat_map(|(_, path)| lines(&path)).filter(move |binding| match binding {
        Ok(binding) => binding.epoch >= next,
        Err(_) => true,
    });
    Ok(Box::new(lines))
}

/// The bindings in a piece, up to its last line end.
fn lines(path: &Path) -> Bindings {
    let cannot = |e: std::io::Error| format!("cannot read the recorded bindings {}: {e}", path.display());
    let opened = File::open(path).and_then(|mut file| {
        let whole = whole(&mut file)?;
        file.rewind()?;
        Ok(BufReader::new(std::io::Read::take(file, whole)).lines())
    });
    let lines = match opened {
        Ok(lines) => lines,
        Err(e) => return Box::new(std::iter::once(Err(cannot(e)))),
    };
    let path = path.to_path_buf();
    Box::new(lines.zip(1..).map(move |(line, number): (_, u64)| {
        let bad = |e: String| format!("line {number} of {}: {e}", path.display());
        read(&line.map_err(|e| bad(e.to_string()))?).map_err(bad)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(epoch: u64) -> Binding {
        let blocks = vec![Bound { input: 2, start: 10 * epoch, upto: 10 * epoch + 10, settled: Default::default() }];
        let (before, after, added) = (4, 5, vec![(3, 7)]);
        Binding { epoch, before, after, added, blocks, last: None, stop: false, checkpoint: false, weight: (0, 0), newest: None }
    }

    #[test]
    fn a_line_comes_back() {
        let line = write(&binding(7));
        assert_eq!(line, r#"{"epoch":7,"before":4,"after":5,"added":[[3,7]],"blocks":[[2,70,80]]}"#);
        assert_eq!(read(&line), Ok(binding(7)));
        assert!(read(r#"{"epoch":7,"before":4,"after":3}"#).is_err());
        assert!(read(r#"{"epoch":7,"before":4,"after":4,"blocks":[[0,5,5]]}"#).is_err());
    }

    const LONG: Duration = Duration::from_secs(1 << 30);

    #[test]
    fn what_a_kill_left_half_written_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::open(folder.path(), LONG).expect("a log");
        assert_eq!(log.last(), None);
        log.binding(&binding(0)).expect("written");
        assert!(Log::open(folder.path(), LONG).is_err(), "one run at a time");
        drop(log);
        let path = folder.path().join("bindings/0000000000000000.ndjson");
        let half = std::fs::read_to_string(&path).expect("text") + "{\"epoch\":1,\"bef";
        std::fs::write(&path, &half).expect("written");
        assert_eq!(epochs(folder.path(), None), Ok(vec![0]));
        let log = Log::open(folder.path(), LONG).expect("a log");
        assert_eq!(log.last(), Some(0));
        log.binding(&binding(1)).expect("written");
        log.sync().expect("synced");
        assert_eq!(epochs(folder.path(), None), Ok(vec![0, 1]));
    }

    #[test]
    fn a_start_reads_what_it_needs_and_old_pieces_go() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::open(folder.path(), LONG).expect("a log");
        for epoch in 0..6 {
            if epoch % 2 == 0 {
                log.open.lock().expect("no panic").length = FULL;
            }
            log.binding(&binding(epoch)).expect("written");
        }
        assert_eq!(pieces(folder.path()).expect("pieces").iter().map(|p| p.0).collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(epochs(folder.path(), None), Ok(vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(epochs(folder.path(), Some(2)), Ok(vec![3, 4, 5]));
        assert_eq!(epochs(folder.path(), Some(5)), Ok(vec![]));
        drop(log);
        let log = Log::open(folder.path(), Duration::ZERO).expect("a log");
        assert_eq!(log.last(), Some(5));
        std::thread::sleep(Duration::from_millis(20));
        log.open.lock().expect("no panic").length = FULL;
        log.binding(&binding(6)).expect("written");
        assert_eq!(epochs(folder.path(), Some(5)), Ok(vec![6]));
        let gone = epochs(folder.path(), Some(3)).expect_err("they are gone");
        assert!(gone.contains("begin with epoch 6, and epoch 4 is needed"), "{gone}");
    }

    fn epochs(state: &Path, after: Option<u64>) -> Result<Vec<u64>, String> {
        let bindings = behind(state, after).map_err(|e| e.to_string())?;
        bindings.map(|binding| binding.map(|binding| binding.epoch)).collect()
    }
}

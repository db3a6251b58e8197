//! Recorded bindings: `bindings.ndjson` in the state directory, one line an epoch.
//!
//! A line is `{"epoch":7,"before":3,"after":4,"added":[[0,0]],"blocks":[[0,120,250]]}`: the watermark ticks before and after,
//! the partitions that count from the next epoch on with their first offsets, and what was read: partition, from, up to. With the
//! topic it is all that repeats a run to the byte. It is written before anything follows from it; the file needs no sync for a
//! process that is killed, and gets one when the run ends.

use crate::error::Error;
use dataflows::clock::binding::{Binding, Bound};
use dataflows::clock::{Record, policy::Recording};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The file in the state directory.
pub const FILE: &str = "bindings.ndjson";

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
    Ok(Binding { epoch, before, after, added, blocks, last: None, stop: false, checkpoint: false, weight: (0, 0) })
}

/// Keeps the bindings of a run.
pub struct Log {
    path: PathBuf,
    file: Mutex<File>,
}

impl Log {
    /// Opens the log of a state directory, which is made if need be. What a kill left half-written at its end is cut off.
    ///
    /// # Errors
    /// When another run has it, or the system refuses.
    pub fn open(state: &Path) -> Result<Log, Error> {
        let path = state.join(FILE);
        let cannot = |e: std::io::Error| Error::Output(format!("cannot write {}: {e}", path.display()));
        std::fs::create_dir_all(state)
            .map_err(|e| Error::Output(format!("cannot make the state directory {}: {e}", state.display())))?;
        let mut file = File::options().create(true).read(true).append(true).open(&path).map_err(cannot)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(Error::Unavailable(format!("another run uses the state directory {}", state.display())));
        }
        let whole = whole(&mut file).map_err(cannot)?;
        file.set_len(whole).map_err(cannot)?;
        drop(path);
        Ok(Log { path: state.join(FILE), file: Mutex::new(file) })
    }

    /// Whether nothing is recorded.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn is_empty(&self) -> Result<bool, Error> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let length = file.metadata().map_err(|e| Error::Input(format!("cannot read {}: {e}", self.path.display())))?.len();
        Ok(length == 0)
    }

    /// Brings it to the disk.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&self) -> Result<(), Error> {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.sync_data().map_err(|e| Error::Output(format!("cannot write {}: {e}", self.path.display())))
    }
}

impl Record for Log {
    fn binding(&self, binding: &Binding) -> Result<(), String> {
        let line = write(binding) + "\n";
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let cannot = |e| format!("cannot write {}: {e}; without it the run could not be repeated", self.path.display());
        file.write_all(line.as_bytes()).map_err(cannot)
    }
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

/// The bindings of a state directory, as far as they stand there now.
///
/// # Errors
/// When there are none.
pub fn recording(state: &Path) -> Result<Recording, Error> {
    let path = state.join(FILE);
    let cannot = |e: std::io::Error| Error::Input(format!("cannot read the recorded bindings {}: {e}", path.display()));
    let mut file = File::open(&path).map_err(cannot)?;
    let whole = whole(&mut file).and_then(|whole| file.rewind().map(|()| whole)).map_err(cannot)?;
    let lines = BufReader::new(std::io::Read::take(file, whole)).lines();
    Ok(Recording::new(lines.zip(1..).map(move |(line, number): (_, u64)| {
        let bad = |e: String| format!("line {number} of {}: {e}", path.display());
        read(&line.map_err(|e| bad(e.to_string()))?).map_err(bad)
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(epoch: u64) -> Binding {
        let blocks = vec![Bound { input: 2, start: 10 * epoch, upto: 10 * epoch + 10, settled: Default::default() }];
        let (before, after, added) = (4, 5, vec![(3, 7)]);
        Binding { epoch, before, after, added, blocks, last: None, stop: false, checkpoint: false, weight: (0, 0) }
    }

    #[test]
    fn a_line_comes_back() {
        let line = write(&binding(7));
        assert_eq!(line, r#"{"epoch":7,"before":4,"after":5,"added":[[3,7]],"blocks":[[2,70,80]]}"#);
        assert_eq!(read(&line), Ok(binding(7)));
        assert!(read(r#"{"epoch":7,"before":4,"after":3}"#).is_err());
        assert!(read(r#"{"epoch":7,"before":4,"after":4,"blocks":[[0,5,5]]}"#).is_err());
    }

    #[test]
    fn what_a_kill_left_half_written_is_cut_off() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::open(folder.path()).expect("a log");
        assert!(log.is_empty().expect("a length"));
        log.binding(&binding(0)).expect("written");
        assert!(Log::open(folder.path()).is_err(), "one run at a time");
        drop(log);
        let path = folder.path().join(FILE);
        let half = std::fs::read_to_string(&path).expect("text") + "{\"epoch\":1,\"bef";
        std::fs::write(&path, &half).expect("written");
        assert_eq!(lines(folder.path()), [0]);
        let log = Log::open(folder.path()).expect("a log");
        log.binding(&binding(1)).expect("written");
        log.sync().expect("synced");
        assert_eq!(lines(folder.path()), [0, 1]);
    }

    fn lines(state: &Path) -> Vec<u64> {
        let Ok(text) = std::fs::read_to_string(state.join(FILE)) else { return vec![] };
        let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
        assert!(recording(state).is_ok());
        whole.lines().map(|line| read(line).expect("a binding").epoch).collect()
    }
}

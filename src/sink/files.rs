//! A folder with one NDJSON file a table, and `summary.json`.
//!
//! While rows come in, a table is `NAME.ndjson.partial`; at success each file is synced and renamed, and `summary.json` comes
//! last. So a file that looks whole is whole, and a folder with a summary is complete. Whatever stops the run leaves the
//! `.partial` files as they are, for a look; the next run into the folder replaces them.
//!
//! The lock on each `.partial` file keeps two runs from writing into one folder.

use dataflows::edge::{Marks, RowSink, Table, TickRows};
use std::fs::{File, TryLockError};
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rows stand on the disk at most so long after their tick, as long as ticks come.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

const SUMMARY: &str = "summary.json";
const PARTIAL: &str = "partial";

/// What cannot be done with the folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It holds results already.
    #[error("{} holds the results of an earlier run ({name}): name another --out, or overwrite them with --force", dir.display())]
    Results {
        /// The folder.
        dir: PathBuf,
        /// One of the files.
        name: String,
    },
    /// Another process writes there.
    #[error("another run is writing to {}: wait for it, or name another --out", .0.display())]
    Busy(PathBuf),
    /// The operating system says no.
    #[error("cannot write {}: {source}{}", path.display(), advice(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space or name another --out",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "; name an --out that you may write to",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "; --out names a folder",
        _ => "",
    }
}

struct Out {
    table: Table,
    path: PathBuf,
    file: BufWriter<File>,
}

struct Inner {
    dir: PathBuf,
    outs: Vec<Out>,
    flushed: Instant,
}

/// The folder. Clones are handles to the same files: one for the engine, one to finish with.
#[derive(Clone)]
pub struct Files(Arc<Mutex<Inner>>);

fn file_name(table: Table) -> String {
    format!("{}.ndjson", table.name())
}

impl Files {
    /// Makes the folder and the `.partial` files of `tables`.
    ///
    /// # Errors
    /// When the folder holds results and `force` is not given, when another run writes there, or when the system refuses.
    pub fn create(dir: &Path, tables: &[Table], force: bool) -> Result<Files, Error> {
        let io = |path: &Path, source| Error::Io { path: path.into(), source };
        std::fs::create_dir_all(dir).map_err(|e| io(dir, e))?;
        // The summary first: without it, what is left of an earlier run no longer looks complete.
        let results: Vec<String> = [SUMMARY.to_owned()].into_iter().chain(Table::ALL.map(file_name)).collect();
        let present: Vec<&String> = results.iter().filter(|name| dir.join(name).exists()).collect();
        if let (Some(name), false) = (present.first(), force) {
            return Err(Error::Results { dir: dir.into(), name: name.to_string() });
        }
        let mut outs = vec![];
        for &table in tables {
            let path = dir.join(format!("{}.{PARTIAL}", file_name(table)));
            // Locked before it is emptied: it may be another run's.
            let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(|e| io(&path, e))?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => return Err(Error::Busy(dir.into())),
                // A file system without locks: go without.
                Err(TryLockError::Error(_)) | Ok(()) => {}
            }
            outs.push(Out { table, path, file: BufWriter::with_capacity(1 << 16, file) });
        }
        for out in &outs {
            out.file.get_ref().set_len(0).map_err(|e| io(&out.path, e))?;
        }
        for path in present.into_iter().map(|name| dir.join(name)) {
            std::fs::remove_file(&path).map_err(|e| io(&path, e))?;
        }
        for table in Table::ALL.into_iter().filter(|table| !tables.contains(table)) {
            // What an earlier run left behind would look like ours.
            let _ = std::fs::remove_file(dir.join(format!("{}.{PARTIAL}", file_name(table))));
        }
        Ok(Files(Arc::new(Mutex::new(Inner { dir: dir.into(), outs, flushed: Instant::now() }))))
    }

    /// The files of a run before, to be gone on with: what stands in them is cut to where the checkpoint was by
    /// [`RowSink::resume`].
    ///
    /// # Errors
    /// When another run writes there, or when the system refuses.
    pub fn again(dir: &Path, tables: &[Table]) -> Result<Files, Error> {
        let io = |path: &Path, source| Error::Io { path: path.into(), source };
        std::fs::create_dir_all(dir).map_err(|e| io(dir, e))?;
        let summary = dir.join(SUMMARY);
        match std::fs::remove_file(&summary) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(io(&summary, e)),
            _ => {}
        }
        let mut outs = vec![];
        for &table in tables {
            let whole = dir.join(file_name(table));
            let path = dir.join(format!("{}.{PARTIAL}", file_name(table)));
            if whole.exists() {
                std::fs::rename(&whole, &path).map_err(|e| io(&path, e))?;
            }
            let file = File::options().create(true).write(true).truncate(false).open(&path).map_err(|e| io(&path, e))?;
            if let Err(TryLockError::WouldBlock) = file.try_lock() {
                return Err(Error::Busy(dir.into()));
            }
            outs.push(Out { table, path, file: BufWriter::with_capacity(1 << 16, file) });
        }
        Ok(Files(Arc::new(Mutex::new(Inner { dir: dir.into(), outs, flushed: Instant::now() }))))
    }

    /// Syncs and names the files, then writes `summary`.
    ///
    /// # Errors
    /// When the system refuses; what is not named yet stays `.partial`.
    pub fn finish(&self, summary: &str) -> Result<(), Error> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let dir = inner.dir.clone();
        let io = |path: &Path, source| Error::Io { path: path.into(), source };
        for out in &mut inner.outs {
            out.file.flush().and_then(|()| out.file.get_ref().sync_all()).map_err(|e| io(&out.path, e))?;
        }
        for out in &inner.outs {
            std::fs::rename(&out.path, dir.join(file_name(out.table))).map_err(|e| io(&out.path, e))?;
        }
        let path = dir.join(format!("{SUMMARY}.{PARTIAL}"));
        let write = || {
            let mut file = File::create(&path)?;
            file.write_all(summary.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&path, dir.join(SUMMARY))?;
            // The names themselves are on the disk only once the folder is.
            File::open(&dir)?.sync_all()
        };
        write().map_err(|e| io(&path, e))
    }
}

impl RowSink for Files {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let flush = inner.flushed.elapsed() >= FLUSH_EVERY;
        for out in &mut inner.outs {
            let lines = &rows.lines[out.table as usize];
            let written = out.file.write_all(lines).and_then(|()| if flush { out.file.flush() } else { Ok(()) });
            written.map_err(|source| Error::Io { path: out.path.clone(), source }.to_string())?;
        }
        if flush {
            inner.flushed = Instant::now();
        }
        Ok(())
    }

    /// The length of each file, once it is on the disk.
    fn save(&mut self, into: &mut Marks) -> Result<(), String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for out in &mut inner.outs {
            let io = |source| Error::Io { path: out.path.clone(), source }.to_string();
            out.file.flush().and_then(|()| out.file.get_ref().sync_data()).map_err(io)?;
            let length = out.file.stream_position().map_err(io)?;
            into.insert(mark(out.table), length.to_string());
        }
        Ok(())
    }

    fn resume(&mut self, from: &Marks) -> Result<(), String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for out in &mut inner.outs {
            let io = |source| Error::Io { path: out.path.clone(), source }.to_string();
            // A table that is new begins here.
            let length = from.get(&mark(out.table)).and_then(|length| length.parse().ok()).unwrap_or(0);
            if out.file.get_ref().metadata().map_err(io)?.len() < length {
                return Err(format!(
                    "{} is shorter than at the checkpoint ({length} bytes): name the --out of the earlier run, or begin anew with \
                     another --state",
                    out.path.display()
                ));
            }
            out.file.get_ref().set_len(length).map_err(io)?;
            out.file.seek(SeekFrom::Start(length)).map_err(io)?;
        }
        Ok(())
    }
}

/// What a checkpoint calls the length of a file.
fn mark(table: Table) -> String {
    format!("files/{}", table.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(windows: &str, events: &str) -> TickRows {
        let mut rows = TickRows::default();
        rows.lines[Table::Windows as usize] = windows.into();
        rows.lines[Table::Events as usize] = events.into();
        rows
    }

    fn names(dir: &Path) -> Vec<String> {
        let entry = |e: std::io::Result<std::fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = std::fs::read_dir(dir).unwrap().map(entry).collect();
        names.sort();
        names
    }

    const TABLES: [Table; 2] = [Table::Windows, Table::Events];

    fn run(dir: &Path, force: bool) -> Result<(), Error> {
        let mut files = Files::create(dir, &TABLES, force)?;
        files.tick(&rows("{\"a\":1}\n", "")).unwrap();
        files.tick(&rows("{\"a\":2}\n", "{\"e\":1}\n")).unwrap();
        files.finish("{}\n")
    }

    #[test]
    fn files_are_partial_until_all_is_well() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::create(dir.path(), &TABLES, false).unwrap();
        files.tick(&rows("{\"a\":1}\n", "")).unwrap();
        assert_eq!(names(dir.path()), ["events.ndjson.partial", "windows.ndjson.partial"]);
        files.clone().finish("{}\n").unwrap();
        assert_eq!(names(dir.path()), ["events.ndjson", "summary.json", "windows.ndjson"]);
        assert_eq!(std::fs::read_to_string(dir.path().join("windows.ndjson")).unwrap(), "{\"a\":1}\n");
        assert_eq!(std::fs::read_to_string(dir.path().join("events.ndjson")).unwrap(), "");
        assert_eq!(std::fs::read_to_string(dir.path().join("summary.json")).unwrap(), "{}\n");
    }

    #[test]
    fn rows_reach_the_disk_while_the_input_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::create(dir.path(), &TABLES, false).unwrap();
        files.0.lock().unwrap().flushed = Instant::now() - FLUSH_EVERY;
        files.tick(&rows("{\"a\":1}\n", "")).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join("windows.ndjson.partial")).unwrap(), "{\"a\":1}\n");
    }

    #[test]
    fn earlier_results_are_kept_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine.txt"), "mine").unwrap();
        run(dir.path(), false).unwrap();
        let refusal = run(dir.path(), false).unwrap_err().to_string();
        assert!(
            refusal.ends_with(
                "holds the results of an earlier run (summary.json): name another --out, or overwrite them with --force"
            )
        );
        run(dir.path(), true).unwrap();
        assert_eq!(names(dir.path()), ["events.ndjson", "mine.txt", "summary.json", "windows.ndjson"]);
    }

    #[test]
    fn what_a_failed_run_left_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("windows.ndjson.partial"), "half a li").unwrap();
        std::fs::write(dir.path().join("suppressed.ndjson.partial"), "half a li").unwrap();
        run(dir.path(), false).unwrap();
        assert_eq!(names(dir.path()), ["events.ndjson", "summary.json", "windows.ndjson"]);
        assert_eq!(std::fs::read_to_string(dir.path().join("windows.ndjson")).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
    }

    #[test]
    fn a_forced_run_that_fails_leaves_nothing_that_looks_whole() {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), false).unwrap();
        drop(Files::create(dir.path(), &TABLES, true).unwrap());
        assert_eq!(names(dir.path()), ["events.ndjson.partial", "windows.ndjson.partial"]);
    }

    #[test]
    fn two_runs_do_not_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Files::create(dir.path(), &TABLES, false).unwrap();
        let refusal = Files::create(dir.path(), &TABLES, true).err().unwrap().to_string();
        assert!(refusal.starts_with("another run is writing to "), "{refusal}");
    }

    #[test]
    fn a_full_disk_is_one_clear_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files::create(dir.path(), &TABLES, false).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        files.0.lock().unwrap().outs[0].file = BufWriter::with_capacity(16, full);
        let refusal = files.tick(&rows(&"x".repeat(100), "")).unwrap_err();
        assert!(
            refusal.ends_with(
                "windows.ndjson.partial: No space left on device (os error 28); free some space or name another --out"
            )
        );
        assert_eq!(names(dir.path()), ["events.ndjson.partial", "windows.ndjson.partial"]);
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let refusal = Files::create(file.path(), &TABLES, false).err().unwrap().to_string();
        assert!(refusal.ends_with("File exists (os error 17); --out names a folder"), "{refusal}");
    }
}

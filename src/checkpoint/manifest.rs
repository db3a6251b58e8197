//! The manifest of a checkpoint, and the folders around it.

use super::fingerprint::Fingerprint;
use crate::error::Error;
use crate::fault::Kill;
use dataflows::snapshot::Cut;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Of the format of a checkpoint. 2: inputs are named.
pub const VERSION: u32 = 2;

/// How many checkpoints are kept.
pub const KEPT: usize = 2;

/// A checkpoint, complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this format.
    pub version: u32,
    /// The program that wrote it.
    pub engine: String,
    /// When, milliseconds since the Unix epoch.
    pub made_at: i64,
    /// Where it cuts.
    pub cut: Cut,
    /// The tick `cut.tick` as a time, milliseconds since the Unix epoch.
    pub event_time: i64,
    /// How many workers wrote it.
    pub workers: u64,
    /// What it depends on.
    pub fingerprint: Fingerprint,
    /// The binding of its last epoch, as the log of bindings has it.
    pub binding: String,
    /// One for each worker, in order.
    pub parts: Vec<Piece>,
    /// The journal, as far back as it is needed.
    pub segments: Vec<Segment>,
}

/// A file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Below the folder it belongs to.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// xxh3-64 of all of it, in hex.
    pub hash: String,
}

/// A part of a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// The worker of a run that wrote it.
    pub lane: String,
    /// Its place among those of the lane.
    pub number: u64,
    /// Least and greatest tick of its entries.
    pub ticks: (u32, u32),
    /// Where it lies.
    pub piece: Piece,
}

impl Manifest {
    /// Bytes of its parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }

    /// Bytes of the journal that it needs.
    pub fn journal_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.piece.bytes).sum()
    }
}

/// The folder of the journal.
pub fn journal(state: &Path) -> PathBuf {
    state.join("journal")
}

/// The folder of the checkpoint behind an epoch.
pub fn folder(state: &Path, epoch: u64) -> PathBuf {
    state.join("checkpoints").join(format!("{epoch:016}"))
}

/// The manifest in it.
pub const FILE: &str = "manifest.json";

/// Makes a folder, and all above it.
///
/// # Errors
/// In words.
pub fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))
}

/// What was renamed or made in a folder is on disk.
///
/// # Errors
/// In words.
pub fn sync(folder: &Path) -> Result<(), String> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|e| format!("cannot bring {} to the disk: {e}", folder.display()))
}

/// Writes a manifest: beside its place, then all at once.
///
/// # Errors
/// In words.
pub fn write(state: &Path, manifest: &Manifest, kill: &Kill) -> Result<(), String> {
    let folder = folder(state, manifest.cut.epoch);
    let (partial, path) = (folder.join("manifest.partial"), folder.join(FILE));
    let text = serde_json::to_string_pretty(manifest).map_err(|e| e.to_string())?;
    let written = File::create(&partial)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| {
            kill.at("manifest");
            fs::rename(&partial, &path)
        });
    written.map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    sync(&folder)?;
    folder.parent().map_or(Ok(()), sync)
}

/// The complete checkpoints of a state directory, the newest first.
///
/// # Errors
/// When the directory or a manifest in it cannot be read.
pub fn list(state: &Path) -> Result<Vec<Manifest>, Error> {
    let mut all = vec![];
    for folder in entries(&state.join("checkpoints"))? {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(e) => return Err(Error::Input(format!("cannot read {}: {e}", path.display()))),
        };
        let bad = |e: &str| Error::Input(format!("{} is no manifest: {e}; remove its folder", path.display()));
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| bad(&e.to_string()))?;
        if manifest.version != VERSION {
            return Err(bad(&format!("version {} is not known to this program", manifest.version)));
        }
        all.push(manifest);
    }
    all.sort_by_key(|manifest| std::cmp::Reverse(manifest.cut.epoch));
    Ok(all)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let cannot = |e: std::io::Error| Error::Input(format!("cannot read {}: {e}", folder.display()));
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(cannot)?.path())).collect(),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(vec![]),
        Err(e) => Err(cannot(e)),
    }
}

/// Removes all but the newest complete checkpoints up to the one behind `epoch` (all of them without), and journal files that
/// none of these needs.
///
/// # Errors
/// When the system refuses.
pub fn tidy(state: &Path, epoch: Option<u64>) -> Result<(), Error> {
    let older = |manifest: &Manifest| epoch.is_some_and(|epoch| manifest.cut.epoch <= epoch);
    let kept: Vec<Manifest> = list(state)?.into_iter().filter(older).take(KEPT).collect();
    let folders: BTreeSet<PathBuf> = kept.iter().map(|manifest| folder(state, manifest.cut.epoch)).collect();
    let files: BTreeSet<PathBuf> =
        kept.iter().flat_map(|m| &m.segments).map(|segment| journal(state).join(&segment.piece.file)).collect();
    let gone = |path: &Path, e: std::io::Error| Error::Output(format!("cannot remove {}: {e}", path.display()));
    for path in entries(&state.join("checkpoints"))?.into_iter().filter(|path| !folders.contains(path)) {
        fs::remove_dir_all(&path).map_err(|e| gone(&path, e))?;
    }
    for path in entries(&journal(state))?.into_iter().filter(|path| !files.contains(path)) {
        fs::remove_file(&path).map_err(|e| gone(&path, e))?;
    }
    Ok(())
}

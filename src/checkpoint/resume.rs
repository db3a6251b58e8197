//! Reads a checkpoint for the workers that go on from it, which may be more or fewer than those that wrote it.

use super::frame::Reader;
use super::manifest::{self, Manifest, Piece, Segment};
use crate::error::Error;
use dataflows::snapshot::merge::Merge;
use dataflows::snapshot::{Entry, First, Part, Resume};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// From where worker `worker` of `workers` goes on.
///
/// # Errors
/// When a file is missing or damaged.
pub fn resume(state: &Path, from: &Manifest, worker: usize, workers: usize) -> Result<Resume, Error> {
    let folder = manifest::folder(state, from.cut.epoch);
    let mut parts = from.parts.iter().map(|piece| part(&folder, piece)).collect::<Result<Vec<Part>, Error>>()?;
    let first = parts.first_mut().and_then(|part| part.first.take());
    let first = first.ok_or_else(|| Error::Input(format!("the checkpoint {} has no part of worker 0", folder.display())))?;
    let ids = parts.iter().flat_map(|part| part.ids.clone()).collect();
    let stages = parts.iter_mut().map(|part| Arc::new(std::mem::take(&mut part.stages))).collect();
    let mine = |k: usize| k % workers == worker;
    let mut lanes: BTreeMap<&str, Vec<(usize, &Segment)>> = BTreeMap::new();
    for (number, segment) in from.segments.iter().enumerate() {
        lanes.entry(&segment.lane).or_default().push((number, segment));
    }
    let lanes = lanes.into_values().enumerate().filter(|(k, _)| mine(*k)).map(|(_, mut segments)| {
        segments.sort_by_key(|(_, segment)| segment.number);
        let files = segments.into_iter().map(|(n, s)| (n, manifest::journal(state).join(&s.piece.file), s.piece.clone()));
        Lane { files: files.collect::<Vec<_>>().into_iter(), open: None }
    });
    Ok(Resume {
        cut: from.cut,
        clock: Arc::new(first.clock.clone()),
        ids,
        stages,
        parts: parts.into_iter().enumerate().filter(|(k, _)| mine(*k)).map(|(_, part)| part).collect(),
        journal: Some(Box::new(Merge::new(lanes))),
        first: (worker == 0).then_some(first),
    })
}

/// What worker 0 alone knew.
///
/// # Errors
/// When its part is missing or damaged.
pub fn first(state: &Path, from: &Manifest) -> Result<First, Error> {
    let folder = manifest::folder(state, from.cut.epoch);
    let none = || Error::Input(format!("the checkpoint {} has no part of worker 0", folder.display()));
    let piece = from.parts.first().ok_or_else(none)?;
    part(&folder, piece)?.first.ok_or_else(none)
}

fn part(folder: &Path, piece: &Piece) -> Result<Part, Error> {
    let path = folder.join(&piece.file);
    let read = || {
        let mut reader = Reader::open(&path, piece)?;
        let part = reader.read::<Part>()?;
        reader.read::<Part>()?; // the end is where the file is known to be the right one
        Ok(part)
    };
    read().map_err(Error::Input)?.ok_or_else(|| Error::Input(format!("{} is empty", path.display())))
}

/// The journal of one worker of an earlier run, one file open at a time.
struct Lane {
    files: std::vec::IntoIter<(usize, PathBuf, Piece)>,
    open: Option<(usize, Reader)>,
}

impl Iterator for Lane {
    type Item = Result<(usize, Entry), String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((segment, reader)) = &mut self.open {
                match reader.read() {
                    Ok(Some(entry)) => return Some(Ok((*segment, entry))),
                    Ok(None) => self.open = None,
                    Err(problem) => return Some(Err(problem)),
                }
            }
            let (segment, path, piece) = self.files.next()?;
            match Reader::open(&path, &piece) {
                Ok(reader) => self.open = Some((segment, reader)),
                Err(problem) => return Some(Err(problem)),
            }
        }
    }
}

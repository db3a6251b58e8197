//! Checkpoints in a state directory: what [`dataflows::snapshot`] says must survive, as files.
//!
//! ```text
//! STATE/journal/RUN-WORKER-NUMBER.journal      what a worker sent, tick by tick; one file from cut to cut
//! STATE/checkpoints/EPOCH/worker-0.part ...    the small states of each worker
//!                        /manifest.json        written last: with it, and not before, the checkpoint exists
//! ```
//! All files are framed and checksummed ([`frame`]); the manifest names each with its hash. Two checkpoints are kept, and the
//! journal as far back as the older one needs it. A thread beside each worker writes ([`keeper`]): the worker hands over values
//! and goes on. A manifest from other windows, features or schema is refused with what differs ([`fingerprint`]).

pub mod frame;
pub mod fingerprint;
pub mod manifest;
pub mod keeper;
pub mod resume;

use crate::error::Error;
use crate::fault::Kill;
use crate::metrics::Metrics;
use dataflows::edge::Marks;
use dataflows::plan::Plan;
use dataflows::snapshot::{Keeper, Resume};
use fingerprint::Fingerprint;
use manifest::Manifest;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How checkpoints went, for whoever tells a person.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pace {
    /// Complete checkpoints of this run.
    pub complete: u64,
    /// Of the last one: how long worker 0 stood still for it, from the cut to the hand-over.
    pub pause: Duration,
    /// The longest such pause of any worker of this process in this run.
    pub longest_pause: Duration,
    /// Of the last complete one: from the cut until the manifest was on disk.
    pub took: Duration,
    /// Its size: the parts, without the journal.
    pub bytes: u64,
    /// When it was complete, milliseconds since the Unix epoch.
    pub at: Option<i64>,
}

/// The checkpoints of a run.
#[derive(Clone)]
pub struct Store {
    state: PathBuf,
    plan: Arc<Plan>,
    fingerprint: Fingerprint,
    kill: Kill,
    /// Which run this is among those that use the directory.
    run: String,
    pace: Arc<Mutex<Pace>>,
    /// Who hears of them.
    metrics: Option<Arc<Metrics>>,
}

impl Store {
    /// For a run that keeps its state in this directory. The fingerprint is what must fit a checkpoint; `kill`
    /// is where the process dies, in tests.
    pub fn new(state: &Path, plan: Arc<Plan>, fingerprint: Fingerprint, kill: Kill) -> Store {
        let run = format!("{:013}-{}", crate::engine::now(), std::process::id());
        Store { state: state.to_path_buf(), plan, fingerprint, kill, run, pace: Arc::default(), metrics: None }
    }

    /// These numbers say how checkpoints go.
    pub fn watched(self, metrics: Arc<Metrics>) -> Store {
        Store { metrics: Some(metrics), ..self }
    }

    /// A folder beside the checkpoints.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.state.join(name)
    }

    /// What its checkpoints depend on.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// The complete checkpoints, the newest first.
    ///
    /// # Errors
    /// When the directory or a manifest in it cannot be read.
    pub fn list(&self) -> Result<Vec<Manifest>, Error> {
        manifest::list(&self.state)
    }

    /// The newest checkpoint that `fits` accepts, if it was made under the same plan.
    ///
    /// # Errors
    /// When it cannot be read, or was made under another plan: what differs, and what to do.
    pub fn newest(&self, fits: impl Fn(&Manifest) -> bool) -> Result<Option<Manifest>, Error> {
        let Some(manifest) = self.list()?.into_iter().find(fits) else { return Ok(None) };
        self.fingerprint.check(&manifest, &self.state)?;
        Ok(Some(manifest))
    }

    /// The checkpoint behind this epoch.
    ///
    /// # Errors
    /// As [`Store::newest`], and when there is none.
    pub fn of(&self, epoch: u64) -> Result<Manifest, Error> {
        let found = self.newest(|manifest| manifest.cut.epoch == epoch)?;
        found.ok_or_else(|| {
            let state = self.state.display();
            Error::Input(format!("there is no checkpoint {epoch} in {state}: all processes need the same state directory"))
        })
    }

    /// Where the sinks stood at a checkpoint.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn marks(&self, manifest: &Manifest) -> Result<Marks, Error> {
        resume::first(&self.state, manifest).map(|first| first.edge.sinks)
    }

    /// Removes what a run that goes on from `from` will never need: newer checkpoints, and what was left by runs that ended
    /// before theirs was complete. Before a run, on process 0.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn tidy(&self, from: Option<&Manifest>) -> Result<(), Error> {
        manifest::tidy(&self.state, from.map(|from| from.cut.epoch))
    }

    /// What worker `worker` of this run keeps; `from` is the checkpoint that the run goes on from.
    ///
    /// # Errors
    /// When the checkpoints there are cannot be read.
    pub fn keeper(&self, worker: usize, from: Option<&Manifest>) -> Result<Box<dyn Keeper>, Error> {
        let kept = if worker == 0 { self.list()? } else { vec![] };
        let kept = kept.into_iter().rev().filter(|m| from.is_some_and(|from| m.cut.epoch <= from.cut.epoch)).collect();
        Ok(Box::new(keeper::Writer::start(self, worker, kept)))
    }

    /// From where worker `worker` of so many goes on.
    ///
    /// # Errors
    /// When a file is missing or damaged.
    pub fn resume(&self, from: &Manifest, worker: usize, workers: usize) -> Result<Resume, Error> {
        resume::resume(&self.state, from, worker, workers)
    }

    /// How checkpoints went so far.
    pub fn pace(&self) -> Pace {
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Pace)) {
        change(&mut self.pace.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

//! Where a stage runs: the worker's context, and what is said of the run in its rows.

use crate::clock::Context;
use crate::fault::{Faults, Naps};
use crate::pane::class::Kind;
use crate::row::event::Origin;
use std::sync::Arc;
use timely::dataflow::operators::generic::OperatorInfo;

/// What is said of a run in its rows; the same on all workers.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Source, settings and engine as they stand in the lineage of events.
    pub origin: Origin,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// The accepted ways of payment, by their place.
    pub payments: Vec<String>,
}

/// What the stages of one worker share.
#[derive(Clone)]
pub struct Site {
    /// Plan, dictionaries, counters.
    pub context: Context,
    /// What is said of the run.
    pub setup: Arc<Setup>,
}

impl Site {
    /// Injected naps of an operator.
    pub fn naps(&self, info: &OperatorInfo, worker: usize) -> Naps {
        self.setup.faults.naps(info.global_id, worker)
    }

    /// Notes how much a class of keys keeps.
    pub fn keep(&self, kind: Kind, size: (usize, usize)) {
        let sizes = &self.context.sizes;
        let mut all = sizes.get();
        all.classes[kind as usize] = size;
        sizes.set(all);
    }
}

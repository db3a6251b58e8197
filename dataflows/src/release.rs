//! What the clock hands to the data dataflow: decoded records of one input, released in one epoch.

use crate::clock::Binding;
use crate::plan::{Plan, ceil};
use crate::sale::Decoded;
use std::cell::RefCell;
use std::rc::Rc;

/// Records of one input that an epoch counts, on the worker that decoded them. Never crosses a worker boundary.
#[derive(Debug, Default)]
pub struct Released {
    /// Number of the epoch.
    pub epoch: u64,
    /// The watermark tick before the epoch: what is at or before it is late. The open tick is `before + 1`.
    pub before: u32,
    /// Index of the input (a file, a partition).
    pub input: u32,
    /// The stamp under which the dictionaries interned the names of this block.
    pub block: u64,
    /// The records were messages of a broker.
    pub live: bool,
    /// The records.
    pub decoded: Decoded,
    /// Records of the block that turned out to be duplicates and are no longer among the records.
    pub duplicates: u64,
    /// Number of the block among those that this worker has released, where duplicates are sought.
    pub block_number: u64,
    /// This worker releases nothing more of this epoch, which the binding describes; there are no records in it.
    pub ends: Option<Box<Binding>>,
}

/// How all inputs ended: set on each worker before its source moves past `whole + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The watermark tick of the largest event time over all inputs: windows up to it are whole, later ones partial.
    pub whole: u32,
    /// The newest pane of any sale.
    pub last: u32,
}

impl Ending {
    /// The tick at which every window and feature that holds a sale has ended.
    pub fn close(&self, plan: &Plan) -> u32 {
        let longest = plan.windows.iter().map(|w| w.size).max().unwrap_or(0);
        let features = if plan.features.enabled { ceil(self.last, plan.features.slide) } else { 0 };
        self.whole.max(self.last + longest).max(features)
    }
}

/// Shared by the clock and the operators of one worker.
pub type SharedEnding = Rc<RefCell<Option<Ending>>>;

//! What the dataflows of one worker share.
//!
//! Timely runs all operators of a worker on one thread, so that plain cells do. Nothing here crosses a worker boundary.

use super::live::STOCK;
use crate::dictionary::Dictionaries;
use crate::edge::RowSink;
use crate::plan::Plan;
use crate::release::SharedEnding;
use crate::snapshot::Snapshots;
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

/// What the dataflows of one worker share.
#[derive(Clone)]
pub struct Context {
    /// What is computed.
    pub plan: Arc<Plan>,
    /// The inputs as they were named, by index; one name for all partitions of a live source.
    pub sources: Arc<[String]>,
    /// What the live source of the stock is called, if there is one.
    pub stock: Option<Arc<str>>,
    /// The names that this worker's decoder has met.
    pub names: Rc<RefCell<Dictionaries>>,
    /// How all inputs ended, set before this worker's source moves past the last whole tick.
    pub ending: SharedEnding,
    /// The first watermark tick; 0 before there is one. Set before this worker's source moves past the first tick.
    pub first_watermark: Rc<Cell<u32>>,
    /// What this worker has counted.
    pub counters: Rc<Counters>,
    /// How much this worker keeps.
    pub sizes: Rc<Cell<Sizes>>,
    /// The blocks of this worker that were decoded and not taken in yet.
    pub waiting: Rc<Waiting>,
    /// Memory of blocks that this worker is done with, for the next ones.
    pub spare: Rc<Spare>,
    /// Where the rows go: on worker 0 of process 0 until the edge takes it, nowhere else.
    pub sink: Rc<RefCell<Option<Box<dyn RowSink + Send>>>>,
    /// Journal and checkpoints.
    pub snapshots: Snapshots,
    /// The edge has handed over the epochs before this one, on worker 0; without an edge, all that come.
    pub handed: Rc<Cell<u64>>,
    failure: Rc<RefCell<Option<Failure>>>,
}

impl Context {
    /// For a worker; `sink` on worker 0 of process 0 only.
    pub fn new(plan: Arc<Plan>, sources: Arc<[String]>, sink: Option<Box<dyn RowSink + Send>>) -> Context {
        Context {
            plan,
            sources,
            stock: None,
            names: Rc::default(),
            ending: Rc::default(),
            first_watermark: Rc::default(),
            counters: Rc::default(),
            sizes: Rc::default(),
            waiting: Rc::default(),
            spare: Rc::default(),
            sink: Rc::new(RefCell::new(sink)),
            snapshots: Snapshots::default(),
            handed: Rc::new(Cell::new(u64::MAX)),
            failure: Rc::default(),
        }
    }

    /// The name of an input and its number there; live inputs are the partitions of one source, or of the one of the stock.
    pub fn source(&self, input: u32) -> (&str, u32) {
        match (&self.stock, input.checked_sub(STOCK)) {
            (Some(stock), Some(partition)) => (stock, partition),
            _ => (self.sources.get(input as usize).or(self.sources.first()).map_or("", String::as_str), input),
        }
    }

    /// The same, with a journal and checkpoints.
    pub fn with(self, snapshots: Snapshots) -> Context {
        snapshots.resume(|resume| {
            self.first_watermark.set(resume.clock.first_watermark);
            resume.parts.iter().for_each(|part| add(&self.counters.read, part.read));
        });
        Context { snapshots, ..self }
    }

    /// Ends the run with an error. The first failure counts.
    pub fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
    }

    /// The failure that ends the run, if there is one.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.borrow().clone()
    }
}

/// Memory of blocks that a worker is done with. A new block would be filled with zeros, only to be read into.
#[derive(Debug, Default)]
pub struct Spare(RefCell<Vec<Vec<u8>>>);

impl Spare {
    /// As many as are under way at once by default; an input that never asks for one leaves no more behind.
    const MOST: usize = 2;

    /// Memory for a block, with anything in it.
    pub fn take(&self) -> Vec<u8> {
        self.0.borrow_mut().pop().unwrap_or_default()
    }

    /// A block is done with.
    pub fn put(&self, bytes: Vec<u8>) {
        let mut all = self.0.borrow_mut();
        if all.len() < Spare::MOST && !bytes.is_empty() {
            all.push(bytes);
        }
    }
}

/// Live state of one worker, for a person: how much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// By class of keys (sellers, categories, products): (key, pane) entries and the bytes reserved for them.
    pub classes: [(usize, usize); 3],
}

/// Why a run cannot go on; in words for a person: what failed and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Reading an input.
    Input(String),
    /// Writing rows.
    Output(String),
    /// A service that is needed is away.
    Unavailable(String),
}

/// What one worker counts. Records are counted at the source, dispositions at the ends of the dataflow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records released by the source.
    pub read: Cell<u64>,
    /// Records that broke rules.
    pub rejected: Cell<u64>,
    /// Records that no window and no feature would take.
    pub too_late: Cell<u64>,
    /// Records that came before.
    pub duplicate: Cell<u64>,
    /// Records that count.
    pub accepted: Cell<u64>,
    /// Keys that this worker owns.
    pub keys: Cell<u64>,
    /// Of the accepted records, those whose pane had closed.
    pub late: Cell<u64>,
    /// Records of closed ticks that have no disposition: 0, or something is broken. On worker 0.
    pub missing: Cell<i64>,
    /// By window definition: closed instances that late records found too old to be revised. On worker 0.
    pub unrevised: RefCell<Vec<u64>>,
    /// Products of baskets that held more than are counted.
    pub dropped: Cell<u64>,
    /// Events that the cooldown has held back. On worker 0.
    pub suppressed: Cell<u64>,
}

impl Counters {
    /// The counts as they stand.
    pub fn counts(&self) -> Counts {
        Counts {
            read: self.read.get(),
            rejected: self.rejected.get(),
            too_late: self.too_late.get(),
            duplicate: self.duplicate.get(),
            accepted: self.accepted.get(),
            keys: self.keys.get(),
        }
    }
}

/// Adds to a counter.
pub fn add(counter: &Cell<u64>, n: u64) {
    counter.set(counter.get() + n);
}

/// What a worker has counted, as a value. See [`Counters`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records released by the source.
    pub read: u64,
    /// Records that broke rules.
    pub rejected: u64,
    /// Records that no window and no feature would take.
    pub too_late: u64,
    /// Records that came before.
    pub duplicate: u64,
    /// Records that count.
    pub accepted: u64,
    /// Keys owned.
    pub keys: u64,
}

impl Counts {
    /// Records read that have no disposition: 0, or something is broken.
    pub fn unaccounted(&self) -> i64 {
        self.read as i64 - (self.rejected + self.too_late + self.duplicate + self.accepted) as i64
    }
}

impl std::ops::Add for Counts {
    type Output = Counts;
    fn add(self, other: Counts) -> Counts {
        Counts {
            read: self.read + other.read,
            rejected: self.rejected + other.rejected,
            too_late: self.too_late + other.too_late,
            duplicate: self.duplicate + other.duplicate,
            accepted: self.accepted + other.accepted,
            keys: self.keys + other.keys,
        }
    }
}

/// The stamps of the blocks that were decoded and not taken in yet: their names must not be forgotten.
///
/// A stamp leaves when the fold has taken the block in (an empty block when its epoch is carried out).
#[derive(Debug, Default)]
pub struct Waiting(RefCell<BTreeSet<u64>>);

impl Waiting {
    /// A block was decoded.
    pub fn add(&self, stamp: u64) {
        self.0.borrow_mut().insert(stamp);
    }

    /// A block was taken in.
    pub fn release(&self, stamp: u64) {
        self.0.borrow_mut().remove(&stamp);
    }

    /// The least stamp that waits: names used since must stay.
    pub fn least(&self) -> Option<u64> {
        self.0.borrow().first().copied()
    }
}

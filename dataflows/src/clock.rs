//! Epochs, bindings and the watermark: from inputs to a stream of released records.
//!
//! All that makes two runs differ is decided in one place and written down. A *control* dataflow carries reports to one
//! [`Clock`](policy::Clock) and its bindings back to all workers; the *data* dataflow's source releases exactly the records
//! of each binding; an *intake* dataflow serves inputs that one worker alone can read. After a binding there is no wall
//! clock, no order of arrival and no worker count in any output: it depends on the bindings and the records alone.
//!
//! | module | what it does |
//! |---|---|
//! | [`context`] | what the dataflows of one worker share |
//! | [`feed`] | what the clock needs of an input |
//! | [`blocks`] | plain files of lines, cut into blocks that any worker can read |
//! | [`live`] | partitions of messages that go on for ever |
//! | [`jump`] | one wild date must not move the watermark |
//! | [`binding`] | what workers and clock say to each other |
//! | [`checkpoint`] | when a checkpoint is cut |
//! | [`policy`] | from reports to bindings |
//! | `reader`, `raw`, `control`, `bound`, `tally`, `run` | the operators around them |
//! | `front`, `intake` | inputs that are read from front to end |

pub mod context;
pub mod feed;
pub mod blocks;
pub mod live;
pub mod jump;
pub mod binding;
pub mod checkpoint;
pub mod policy;
mod reader;
mod raw;
mod front;
mod intake;
mod control;
mod bound;
mod tally;
mod run;

pub use binding::Block;
pub use checkpoint::Every;
pub use context::{Context, Counters, Counts, Failure, Sizes, Waiting};
pub use feed::{Blocks, Decode, Feed, Format, Input, Inputs, Keep, Kept, KeptBlock, Pull, Pulled, RawBlock};
pub use policy::{Binding, Policy};
pub use run::{Running, install, worker_config};

use crate::plan::Plan;
use crate::time::Bi;
use binding::Order;
use raw::Raw;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use timely::dataflow::operators::probe::Handle;
use timely::scheduling::Activator;

/// How a run is clocked: the same on all workers, but for the progress.
#[derive(Clone)]
pub struct Settings {
    /// What is computed.
    pub plan: Arc<Plan>,
    /// How bindings are made.
    pub policy: Policy,
    /// Length of a block.
    pub epoch_bytes: u64,
    /// How many blocks are read past what is bound, times the number of workers; besides one of each input. Of files as many epochs
    /// may be unfinished: the stages work on one each, and what a step of all of them costs is shared by so many.
    pub ahead: u64,
    /// The character between the fields of a CSV record.
    pub delimiter: u8,
    /// An input whose largest date is more than this many milliseconds ahead of the least one sits out.
    pub max_drift: i64,
    /// A date this many milliseconds ahead of its input needs to be confirmed. See [`jump`].
    pub max_jump: Option<i64>,
    /// How often a checkpoint is cut, where a journal is kept.
    pub checkpoint: Option<Every>,
    /// Asks for a stop at the next binding; who sets it wakes the workers.
    pub stop: Arc<AtomicBool>,
    /// How far the run is, as worker 0 knows it.
    pub progress: Arc<Progress>,
    /// The time of day in milliseconds since the Unix epoch, for live inputs. Asked on worker 0 only.
    pub wall: Option<Arc<dyn Fn() -> i64 + Send + Sync>>,
    /// Who keeps the bindings of live inputs. Told on worker 0 only.
    pub record: Option<Arc<dyn Record>>,
}

/// Keeps bindings, so that they can be carried out again.
pub trait Record: Send + Sync {
    /// Keeps a binding, before anything follows from it.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn binding(&self, binding: &Binding) -> Result<(), String>;
}

/// How far a run is; written by worker 0 for all workers, read by whoever displays it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the stored inputs that are bound.
    pub bytes: AtomicU64,
    /// Records that are bound.
    pub records: AtomicU64,
    /// Bindings.
    pub epochs: AtomicU64,
    /// The watermark in milliseconds since the Unix epoch; 0 before there is one.
    pub watermark: AtomicI64,
}

impl Progress {
    fn bound(&self, binding: &Binding, plan: &Plan) {
        self.records.fetch_add(binding.weight.0, Ordering::Relaxed);
        self.bytes.fetch_add(binding.weight.1, Ordering::Relaxed);
        self.epochs.store(binding.epoch + 1, Ordering::Relaxed);
        if binding.after > 0 {
            self.watermark.store(plan.millis(binding.after), Ordering::Relaxed);
        }
    }
}

/// What the operators of one worker hand to each other.
struct State {
    raw: Raw,
    for_source: VecDeque<Binding>,
    for_reader: Vec<Order>,
    for_pull: Vec<Order>,
    /// Reports of what the intake decoded.
    decoded: Vec<binding::Report>,
    /// The source has carried out the epochs before this one.
    carried: u64,
    /// The source has dropped its capability.
    closed: bool,
    probe: Option<Handle<Bi>>,
    /// Address of the reader.
    reader: Vec<usize>,
    wake: Wake,
}

impl State {
    /// The data dataflow has ended, on all workers.
    fn ended(&self) -> bool {
        self.closed && self.probe.as_ref().is_some_and(Handle::done)
    }
}

type Shared = Rc<RefCell<State>>;

#[derive(Default)]
struct Wake {
    source: Option<Activator>,
    reader: Option<Activator>,
    pull: Option<Activator>,
    clock: Option<Activator>,
    tally: Option<Activator>,
}

impl Wake {
    fn activate(who: &Option<Activator>) {
        if let Some(activator) = who {
            activator.activate();
        }
    }
    fn reader(&self) {
        Self::activate(&self.reader);
    }
    fn all(&self) {
        Self::activate(&self.source);
        self.reader();
        Self::activate(&self.pull);
    }
}

/// The system tick before which the dataflow is complete; the greatest one when it has ended.
///
/// With pair times `probe.less_than(&(t, t))` would not do: a held `(t - L, t)` satisfies it for ever.
fn least_system_tick(probe: &Handle<Bi>) -> u32 {
    probe.with_frontier(|frontier| frontier.iter().map(|time| time.s).min().unwrap_or(u32::MAX))
}

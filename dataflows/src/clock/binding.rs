//! What workers and clock say to each other: reports there, orders back. Plain data.

use super::jump::{Dates, Settled};
use crate::release::Ending;
use crate::snapshot::Kept;
use serde::{Deserialize, Serialize};

/// What a worker tells the clock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    /// A block was decoded and waits on the sender.
    Read(Block),
    /// These live inputs exist.
    Found(Vec<Found>),
    /// This live input has stood at its end for the idle timeout.
    Idle {
        /// The input.
        input: u32,
    },
    /// It is no longer known whether this live input stands at its end.
    Awake {
        /// The input.
        input: u32,
    },
    /// The run shall stop at the next binding.
    Stop,
    /// A worker's part of a checkpoint is durable.
    Kept(Kept),
}

/// A live input that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The input: a partition's number, and that of one with records of the stock from [`STOCK`](super::live::STOCK) on.
    pub input: u32,
    /// Where to begin, unless it is known already.
    pub start: u64,
    /// Where it ended when the run began, for a run that ends there.
    pub until: Option<u64>,
}

/// A decoded block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Block {
    /// The input.
    pub input: u32,
    /// It holds the records that begin in `start..next`.
    pub start: u64,
    /// See `start`.
    pub next: u64,
    /// How many there are.
    pub records: u64,
    /// Bytes of the stored input that were read for it, for the progress display: compressed ones of a compressed file.
    pub bytes: u64,
    /// The dates of its valid records.
    pub dates: Dates,
    /// The broker's time of its newest message, milliseconds since the Unix epoch; nothing in a file.
    pub newest: Option<i64>,
    /// Whether nothing of the input follows. Known with the block, never found out later: the watermark depends on it.
    pub ended: bool,
}

/// A block that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The input.
    pub input: u32,
    /// The records that begin in `start..upto` count.
    pub start: u64,
    /// See `start`.
    pub upto: u64,
    /// Which of its dates count.
    pub settled: Settled,
}

/// What the clock tells all workers: what an epoch counts, and how it moves the watermark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Number of the epoch.
    pub epoch: u64,
    /// The watermark tick before it; its records are released while `before + 1` is open.
    pub before: u32,
    /// The watermark tick after it.
    pub after: u32,
    /// Live inputs that count from the next epoch on, each with the offset at which it begins.
    pub added: Vec<(u32, u64)>,
    /// What it counts.
    pub blocks: Vec<Bound>,
    /// All inputs have ended with this epoch; the newest pane of any sale.
    pub last: Option<u32>,
    /// The run stops here; the watermark does not move.
    pub stop: bool,
    /// A checkpoint is cut behind it: no other follows until all workers have completed what it brought.
    pub checkpoint: bool,
    /// Of `blocks`, for the progress display: records, and bytes of the stored inputs.
    pub weight: (u64, u64),
    /// Of `blocks`, for whoever measures how long rows take: the broker's time of the newest message.
    pub newest: Option<i64>,
}

impl Binding {
    /// Whether no binding follows.
    pub fn closes(&self) -> bool {
        self.stop || self.last.is_some()
    }

    /// How all inputs ended, if they did.
    pub fn ending(&self) -> Option<Ending> {
        self.last.map(|last| Ending { whole: self.after, last })
    }
}

/// What the clock asks of the workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Carry out a binding.
    Bind(Binding),
    /// Read the blocks of `input` that start before `upto`, whatever the read-ahead allows. A live input is cut there.
    Read {
        /// The input.
        input: u32,
        /// See there.
        upto: u64,
    },
    /// Nothing recorded is left to be asked for: read the live inputs on.
    Live,
}

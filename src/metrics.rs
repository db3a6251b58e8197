//! How a run is doing, in numbers: plain atomics that the parts of the engine set and that the HTTP endpoint reads.
//!
//! Whoever knows a number sets it where it arises; nothing is computed until somebody asks. There are three ways to ask:
//! [`text`] for Prometheus, [`status`] as JSON, [`checks`] for "is it well". In a cluster each process has its own.
//!
//! Labels come from short lists that the settings or the code give: dispositions, tables, window definitions, event types, and
//! the first [`MOST_PARTITIONS`] partitions. Numbers by seller, product or category are rows, never labels.

pub mod checks;
pub mod histogram;
pub mod serving;
pub mod source;
pub mod status;
pub mod text;
pub mod watch;

use dataflows::clock::{Binding, Context, Every, Progress};
use dataflows::edge::Table;
use dataflows::plan::Plan;
use histogram::Histogram;
use serving::Serving;
pub use source::{Partition, Source, label};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Partitions that have numbers of their own; those behind them are in the sums only.
pub const MOST_PARTITIONS: usize = 256;

/// Types of events that are counted by name.
pub const EVENT_TYPES: [&str; 3] = ["activity_spike", "activity_drop", "revenue_surge"];

/// What the engine is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Connecting, making topics, opening files.
    Starting,
    /// Carrying out again what a checkpoint or recorded bindings say.
    Restoring,
    /// Taking in records.
    Running,
    /// Ending: what was read leaves.
    Draining,
}

impl Stage {
    const ALL: [Stage; 4] = [Stage::Starting, Stage::Restoring, Stage::Running, Stage::Draining];

    /// Its name.
    pub fn name(self) -> &'static str {
        ["starting", "restoring", "running", "draining"][self as usize]
    }
}

/// What one worker counts. The worker stores its own sums, so that nobody adds anything up until somebody asks.
#[derive(Debug, Default)]
pub struct Worker {
    /// Records released by the source.
    pub read: AtomicU64,
    /// By disposition: rejected, too late, duplicate, accepted.
    pub fates: [AtomicU64; 4],
    /// Accepted records whose pane had closed.
    pub late: AtomicU64,
    /// Records of closed ticks that have no disposition.
    pub missing: AtomicI64,
    /// Keys that it owns.
    pub keys: AtomicU64,
    /// (key, pane) entries that it keeps, and bytes reserved for them.
    pub state: [AtomicU64; 2],
}

/// Names of [`Worker::fates`].
pub const FATES: [&str; 4] = ["rejected", "too_late", "duplicate", "accepted"];

/// A window definition.
#[derive(Debug)]
pub struct Window {
    /// As in the settings.
    pub name: String,
    /// Rows that restated a window.
    pub revised: AtomicU64,
    /// Closed instances that late records found too old to be revised.
    pub unrevised: AtomicU64,
}

/// Writing to Kafka.
#[derive(Debug, Default)]
pub struct Sink {
    /// Whether rows go to Kafka.
    pub live: AtomicBool,
    /// Whether a broker takes what is sent.
    pub reachable: AtomicBool,
    /// Messages that wait in the producer.
    pub queued: AtomicU64,
    /// Times that the brokers asked us to try again.
    pub errors: AtomicU64,
    /// Transactions that were committed.
    pub committed: AtomicU64,
    /// Transactions that were aborted.
    pub aborted: AtomicU64,
    /// How long transactions took, from the first message to the commit.
    pub transaction: Histogram,
}

/// Events that went to a webhook, and those that did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// Events that the receiver took.
    pub sent: u64,
    /// Attempts that failed and were repeated.
    pub retried: u64,
    /// Events that the receiver will never take.
    pub refused: u64,
    /// Events that were given up since too many waited, or the run ended.
    pub dropped: u64,
    /// Events that wait.
    pub waiting: usize,
}

/// Asks a webhook how it goes.
pub struct Ask(pub Box<dyn Fn() -> Posted + Send + Sync>);

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)().fmt(f)
    }
}

/// Checkpoints.
#[derive(Debug, Default)]
pub struct Checkpoint {
    /// How often one is cut, in milliseconds; 0 when none is kept.
    pub every: AtomicI64,
    /// When the last one was complete, in milliseconds since the Unix epoch; 0 before there is one.
    pub last: AtomicI64,
    /// From the cut to the complete checkpoint.
    pub duration: Histogram,
    /// How long the cut kept a worker from its work.
    pub pause: Histogram,
    /// Bytes of the last one.
    pub bytes: AtomicU64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Metrics {
    /// When this was made, in milliseconds since the Unix epoch.
    pub started: i64,
    sources: OnceLock<Vec<String>>,
    /// How far the run is.
    pub progress: Arc<Progress>,
    stage: AtomicU8,
    failed: AtomicBool,
    /// By worker of this process.
    pub workers: Vec<Worker>,
    /// By window definition.
    pub windows: Vec<Window>,
    /// Rows by table.
    pub rows: [AtomicU64; Table::COUNT],
    /// Events by type: sent, taken back.
    pub events: [[AtomicU64; 2]; EVENT_TYPES.len()],
    /// Events that the cooldown held back.
    pub suppressed: AtomicU64,
    /// Epochs whose rows have all been handed over: this one is next.
    pub handed: AtomicU64,
    /// The epochs before this one were bound by an earlier run.
    recorded: AtomicU64,
    /// When an epoch that moved the watermark was handed over last, in milliseconds since the Unix epoch.
    pub moved: AtomicI64,
    /// The epoch that the last check found on its way, and when it was first found so.
    waits: Mutex<Option<(u64, i64)>>,
    /// From the broker's time of the newest record of an epoch until all rows of the epoch had been handed over.
    pub latency: Histogram,
    /// Reading.
    pub source: Source,
    /// Writing.
    pub sink: Sink,
    /// Asks the webhook, where there is one.
    pub posted: OnceLock<Ask>,
    /// Checkpoints.
    pub checkpoint: Checkpoint,
    /// Serving.
    pub serving: Serving,
}

/// The time of day in milliseconds since the Unix epoch.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_millis() as i64)
}

impl Metrics {
    /// Of a run with so many workers in this process.
    pub fn new(plan: &Plan, workers: usize, progress: Arc<Progress>) -> Metrics {
        let window = |w: &dataflows::plan::Window| Window {
            name: w.name.clone(),
            revised: AtomicU64::new(0),
            unrevised: AtomicU64::new(0),
        };
        Metrics {
            started: now(),
            sources: OnceLock::new(),
            progress,
            stage: AtomicU8::new(Stage::Starting as u8),
            failed: AtomicBool::new(false),
            workers: (0..workers).map(|_| Worker::default()).collect(),
            windows: plan.windows.iter().map(window).collect(),
            rows: Default::default(),
            events: Default::default(),
            suppressed: AtomicU64::new(0),
            handed: AtomicU64::new(0),
            recorded: AtomicU64::new(0),
            moved: AtomicI64::new(0),
            waits: Mutex::default(),
            latency: Histogram::default(),
            source: Source::default(),
            sink: Sink::default(),
            posted: OnceLock::new(),
            checkpoint: Checkpoint::default(),
            serving: Serving::default(),
        }
    }

    /// The run is about to begin: what it reads, whether that is live, and how often a checkpoint is cut.
    pub fn begin(&self, sources: Vec<String>, live: bool, every: Option<Every>) {
        let _ = self.sources.set(sources); // a run begins once
        self.source.live.store(live, Relaxed);
        let every = match every {
            Some(Every::Millis(ms)) => ms,
            _ => 0,
        };
        self.checkpoint.every.store(every, Relaxed);
    }

    /// The run goes on behind this epoch of a checkpoint, or begins. It is restoring until it has said again what came before.
    pub fn resume(&self, epoch: Option<u64>) {
        self.handed.fetch_max(epoch.map_or(0, |epoch| epoch + 1), Relaxed);
        self.enter(if epoch.is_some() { Stage::Restoring } else { Stage::Running });
    }

    /// The recorded bindings up to this epoch are carried out again before anything new is bound.
    pub fn again(&self, last: Option<u64>) {
        self.recorded.store(last.map_or(0, |last| last + 1), Relaxed);
    }

    /// What is read, by name.
    pub fn sources(&self) -> &[String] {
        self.sources.get().map_or(&[], Vec::as_slice)
    }

    /// What the engine is about now.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
    }

    /// What the engine is about.
    pub fn stage(&self) -> Stage {
        match Stage::ALL[usize::from(self.stage.load(Relaxed)).min(3)] {
            Stage::Running if self.handed.load(Relaxed) < self.recorded.load(Relaxed) => Stage::Restoring,
            stage => stage,
        }
    }

    /// A worker has failed: the process will end.
    pub fn fail(&self) {
        self.failed.store(true, Relaxed);
    }

    /// Stores what a worker of this process has counted; after each of its steps.
    pub fn publish(&self, worker: usize, context: &Context) {
        let Some(w) = self.workers.get(worker) else { return };
        let counters = &context.counters;
        w.read.store(counters.read.get(), Relaxed);
        let fates = [&counters.rejected, &counters.too_late, &counters.duplicate, &counters.accepted];
        w.fates.iter().zip(fates).for_each(|(to, from)| to.store(from.get(), Relaxed));
        w.late.store(counters.late.get(), Relaxed);
        w.missing.store(counters.missing.get(), Relaxed);
        w.keys.store(counters.keys.get(), Relaxed);
        self.suppressed.fetch_max(counters.suppressed.get(), Relaxed);
        let sizes = context.sizes.get().classes;
        w.state[0].store(sizes.iter().map(|c| c.0 as u64).sum(), Relaxed);
        w.state[1].store(sizes.iter().map(|c| c.1 as u64).sum(), Relaxed);
        for (to, n) in self.windows.iter().zip(counters.unrevised.borrow().iter()) {
            to.unrevised.fetch_max(*n, Relaxed);
        }
    }

    /// A complete checkpoint of so many bytes, which took so long from its cut.
    pub fn checkpointed(&self, took: Duration, bytes: u64) {
        self.checkpoint.duration.observe(took.as_secs_f64());
        self.checkpoint.bytes.store(bytes, Relaxed);
        self.checkpoint.last.store(now(), Relaxed);
    }

    fn sum(&self, of: impl Fn(&Worker) -> &AtomicU64) -> u64 {
        self.workers.iter().map(|w| of(w).load(Relaxed)).sum()
    }

    /// All rows of an epoch have left: how long that took since the brokers had the newest record that closed its ticks, whoever
    /// read it.
    pub fn left(&self, binding: &Binding) {
        if let Some(newest) = binding.newest.filter(|_| binding.after > binding.before) {
            self.latency.observe((now() - newest) as f64 / 1000.0);
        }
    }

    /// For how long the same epoch has been on its way, as far as checks have seen it; 0 when none is.
    fn waits(&self, now: i64) -> i64 {
        let (bound, handed) = (self.progress.epochs.load(Relaxed), self.handed.load(Relaxed));
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        *waits = waits.filter(|(epoch, _)| *epoch == handed).or(Some((handed, now))).filter(|_| bound > handed);
        waits.map_or(0, |(_, since)| now - since)
    }

    /// Records of closed ticks that have no disposition: 0, or something is broken.
    pub fn unaccounted(&self) -> i64 {
        self.workers.iter().map(|w| w.missing.load(Relaxed)).sum()
    }

    /// Records that could be read and have not been, over all partitions that are read here.
    pub fn lag(&self) -> i64 {
        self.source.partitions().values().map(|p| p.lag()).sum()
    }

    /// The watermark in milliseconds since the Unix epoch, when there is one.
    pub fn watermark(&self) -> Option<i64> {
        Some(self.progress.watermark.load(Relaxed)).filter(|w| *w > 0)
    }
}

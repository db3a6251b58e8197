//! Rows to Kafka: every table to its topic, exactly once.
//!
//! One producer of process 0 writes all, under one transactional id, the job. A transaction holds whole epochs: their rows, their
//! dead letters, and one record on the progress topic that says which epochs these were and what their bindings counted. So
//! what a reader with `read_committed` sees ends between two epochs, and the progress topic knows which.
//!
//! ```text
//! engine thread                          sink thread
//! tick, epoch ──► Queue (bounded) ──► begin, send ..., progress, offsets, wait for delivery, commit
//! ```
//!
//! 1. A transaction is committed when it holds rows and the end of their epoch, or two seconds after its first epoch. When more
//!    whole epochs wait than that, they go along: the price of a transaction is paid less often when there is much to do.
//! 2. `commit_transaction` of the client flushes first, in slices of 100 ms. So all is waited for by looking every millisecond
//!    whether something is in flight, and then the commit finds nothing to flush.
//! 3. A start takes over: it fences whoever writes for this job, then reads the progress topic up to a record of its own. What was
//!    committed before is known exactly then, whatever happened to the answer of the last commit.
//! 4. After a start, epochs that were committed are carried out again and not said again.
//! 5. A commit is tried for ever. A record that cannot be delivered, and another run of the same job, end the process.
//!
//! `at-least-once` writes the same records without transactions: less delay, and what was not on the progress topic when the
//! process died is said again.

pub mod record;
pub mod letter;
pub mod progress;
mod queue;
mod reports;
mod group;
mod writer;
mod start;

pub use progress::Recovered;
pub use start::{Wanted, open};

use crate::error::Error;
use crate::metrics::Metrics;
use dataflows::clock::Binding;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use queue::{Item, Queue};
use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

/// How many of the last progress records are remembered by their offset.
const REMEMBERED: usize = 10_000;

/// What the sink has done so far, for whoever watches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Rows and dead letters that are committed.
    pub rows: u64,
    /// Transactions that are committed.
    pub transactions: u64,
    /// The last epoch that is committed.
    pub epoch: Option<u64>,
    /// Bytes that wait for the sink thread.
    pub waiting: usize,
    /// Dead letters without their payload, which was too large to be sent once more.
    pub cut: u64,
    /// How long the last commit took, from its first record to the broker's answer, in microseconds.
    pub took: u64,
}

/// What both threads know.
struct Shared {
    queue: Queue,
    stats: Mutex<Stats>,
    /// Of the last progress records: the last epoch, the offset.
    records: Mutex<VecDeque<(u64, i64)>>,
    /// Who hears how writing goes.
    metrics: Arc<OnceLock<Arc<Metrics>>>,
}

/// The sink. Clones are handles to the same one: one for the engine, one to finish with.
#[derive(Clone)]
pub struct KafkaSink {
    shared: Arc<Shared>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
    tables: Arc<[Table]>,
    /// The epoch that is being handed over.
    epoch: u64,
    /// Epochs up to here were committed before this run.
    said: Option<u64>,
    /// The certificate of what was handed over.
    certificate: String,
    /// The certificate of what was committed before this run.
    expected: Option<String>,
}

impl KafkaSink {
    /// The first epoch that will be handed over is this one: what a checkpoint resumes with. It is 0 unless said otherwise.
    pub fn resume(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// The offset of the progress record that tells of an epoch: a start that knows the state after this epoch reads the topic
    /// from there. `None` when the epoch is not committed yet, or so long ago that it is forgotten.
    pub fn offset_of(&self, epoch: u64) -> Option<i64> {
        let records = self.shared.records.lock().unwrap_or_else(PoisonError::into_inner);
        let i = records.partition_point(|(last, _)| *last < epoch);
        // What was before the oldest that is remembered is not known to be in it.
        records.get(i).filter(|_| i > 0 || records.len() < REMEMBERED).map(|(_, offset)| *offset)
    }

    /// These numbers say how writing goes.
    pub fn watched(&self, metrics: Arc<Metrics>) {
        metrics.sink.live.store(true, Relaxed);
        let _ = self.shared.metrics.set(metrics); // once
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        let stats = *self.shared.stats.lock().unwrap_or_else(PoisonError::into_inner);
        Stats { waiting: self.shared.queue.bytes(), ..stats }
    }

    /// Why it failed, if it did.
    pub fn failure(&self) -> Option<Error> {
        self.shared.queue.failure()
    }

    /// Commits what whole epochs were handed over, and ends the sink.
    ///
    /// # Errors
    /// Why not all of it is committed.
    pub fn finish(&self) -> Result<(), Error> {
        self.shared.queue.close(true);
        self.join();
        self.failure().map_or(Ok(()), Err)
    }

    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(_)) = thread.map(JoinHandle::join) {
            self.shared.queue.fail(Error::Bug("the thread that writes to Kafka panicked".into()));
        }
    }

    /// Whether the epoch that is being handed over was committed before this run.
    fn repeats(&self) -> bool {
        self.said.is_some_and(|said| self.epoch <= said)
    }

    fn push(&self, item: Item) -> Result<(), String> {
        self.shared.queue.push(item).map_err(|e| e.to_string())
    }
}

impl RowSink for KafkaSink {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        self.certificate.clone_from(&rows.certificate);
        if self.repeats() {
            return Ok(());
        }
        for &table in self.tables.iter() {
            let lines = &rows.lines[table as usize];
            match table {
                _ if lines.is_empty() => {}
                Table::DeadLetters => {
                    self.push(Item::Letters { lines: lines.clone(), originals: rows.originals.clone() })?;
                }
                _ => self.push(Item::Rows { table, lines: lines.clone() })?,
            }
        }
        Ok(())
    }

    /// The record of the last epoch that is committed now: those of later ones stand behind it.
    fn save(&mut self, into: &mut Marks) -> Result<(), String> {
        let offset = self.stats().epoch.and_then(|epoch| self.offset_of(epoch));
        into.extend(offset.map(|offset| (MARK.to_string(), offset.to_string())));
        Ok(())
    }

    /// What is committed stands in Kafka, not in a checkpoint.
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }

    fn epoch(&mut self, binding: &Binding) -> Result<(), String> {
        if binding.epoch != self.epoch {
            return Err(format!("epoch {} was handed over where epoch {} was to come", binding.epoch, self.epoch));
        }
        let repeats = self.repeats();
        self.epoch += 1;
        if !repeats {
            // A stop counts nothing and moves nothing: the next run binds its number again.
            let item = Item::Epoch { binding: Box::new(binding.clone()), certificate: self.certificate.clone() };
            return if binding.stop { self.push(Item::Stop) } else { self.push(item) };
        }
        if self.said == Some(binding.epoch)
            && let Some(expected) = self.expected.take()
            && expected != self.certificate
            && !self.certificate.is_empty()
        {
            let now = &self.certificate;
            tracing::error!("up to epoch {} other rows were said before ({expected}) than now ({now})", binding.epoch);
        }
        Ok(())
    }
}

/// What a checkpoint calls the offset from which on the progress topic has to be read.
const MARK: &str = "kafka/progress";

/// From where on the progress topic has to be read by a start that knows these marks, or newer ones.
pub fn known_from(marks: &Marks) -> Option<i64> {
    marks.get(MARK)?.parse().ok()
}

/// The last handle has gone without [`KafkaSink::finish`]: what is not committed is aborted, so that the next start need not wait
/// for it.
impl Drop for KafkaSink {
    fn drop(&mut self) {
        if Arc::strong_count(&self.thread) == 1 {
            self.shared.queue.close(false);
            self.join();
        }
    }
}

#[cfg(test)]
mod tests;

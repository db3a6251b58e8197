//! Live inputs: partitions of messages that go on for ever. The shell implements the reading; no I/O here.
//!
//! Partition `p` is read by the worker `p % peers`. Offsets are the broker's, with gaps where it keeps marks of its own; so a
//! block says where the next one begins, and that alone makes a chain of them. How messages are cut into blocks does not show:
//! an epoch counts whole ranges of offsets, and when recorded bindings are carried out again, reading stops at their ends.

use super::binding::{Found, Order, Report};
use super::context::Failure;
use super::raw::Raw;
use super::reader::{Decoding, Place};
use crate::message::Messages;
use std::collections::VecDeque;
use timely::scheduling::SyncActivator;

/// Partitions with records of the stock are numbered from here on.
pub const STOCK: u32 = 1 << 31;

/// How many bytes of messages a worker reads past what is bound, over all of its partitions.
const AHEAD: u64 = 8 << 20;

/// The least that each partition may be ahead, however many there are.
const LEAST_AHEAD: u64 = 64 << 10;

/// Messages of one partition, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// Their values, each with one byte behind it that does not count.
    pub bytes: Vec<u8>,
    /// Where they stand, and what came with them.
    pub messages: Messages,
    /// The offset to be read next.
    pub next: u64,
}

/// What has become of a partition.
#[derive(Debug)]
pub enum Taken {
    /// These messages came, or none, and only the offset moved.
    Batch(Batch),
    /// It has stood at its end for the idle timeout.
    Idle,
    /// It is no longer known whether it stands at its end.
    Awake,
    /// Nothing yet; the reader is woken when there is.
    Nothing,
}

/// The partitions that one worker reads.
pub trait Partitions {
    /// How to wake the reader when anything has come. Called once, before all else.
    fn wake_by(&mut self, wake: SyncActivator);
    /// Partitions that exist and were not told yet. One worker of all is told.
    fn found(&mut self) -> Vec<Found>;
    /// From now on this partition is read, from `start` on.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn begin(&mut self, partition: u32, start: u64) -> Result<(), Failure>;
    /// What has come of a partition since it was last asked for; no messages from `upto` on.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn take(&mut self, partition: u32, upto: u64) -> Result<Taken, Failure>;
}

/// A partition that this worker reads.
struct Owned {
    partition: u32,
    /// The offset to be read next.
    next: u64,
    /// Read and not bound: ends of blocks, with their bytes.
    unbound: VecDeque<(u64, u64)>,
    bytes: u64,
    /// Where recorded blocks end that are not bound yet.
    cuts: VecDeque<u64>,
}

impl Owned {
    fn bound(&mut self, upto: u64) {
        while let Some((_, bytes)) = self.unbound.pop_front_if(|(end, _)| *end <= upto) {
            self.bytes -= bytes;
        }
        while self.cuts.pop_front_if(|cut| *cut <= upto).is_some() {}
    }

    /// Up to where it may be read now.
    fn limit(&self, live: bool, room: u64) -> Option<u64> {
        let limit = match self.cuts.iter().position(|cut| *cut > self.next) {
            // The next binding waits for this one: there must be room for it.
            Some(0) => return Some(self.cuts[0]),
            Some(i) => self.cuts[i],
            None if live => u64::MAX,
            None => return None,
        };
        (self.bytes < room).then_some(limit)
    }
}

/// Reads and decodes the partitions of one worker.
pub struct LiveReader {
    partitions: Box<dyn Partitions>,
    index: u64,
    peers: u64,
    bounds: Vec<(u32, u64)>,
    owned: Vec<Owned>,
    turn: usize,
    /// The clock has said that nothing recorded is left.
    live: bool,
}

impl LiveReader {
    /// The reader of one worker of so many. `bounds`: where the partitions begin that a checkpoint knows.
    pub fn new(partitions: Box<dyn Partitions>, bounds: Vec<(u32, u64)>, (index, peers): (usize, usize)) -> LiveReader {
        let (index, peers) = (index as u64, peers as u64);
        LiveReader { partitions, index, peers, bounds, owned: vec![], turn: 0, live: false }
    }

    /// Begins to read; `wake` wakes the reader.
    ///
    /// # Errors
    /// Those of the partitions.
    pub fn begin(&mut self, wake: SyncActivator) -> Result<(), Failure> {
        self.partitions.wake_by(wake);
        std::mem::take(&mut self.bounds).into_iter().try_for_each(|(partition, start)| self.add(partition, start))
    }

    /// One more partition, if this worker reads it.
    fn add(&mut self, partition: u32, start: u64) -> Result<(), Failure> {
        if u64::from(partition) % self.peers == self.index {
            self.partitions.begin(partition, start)?;
            let (unbound, cuts) = (VecDeque::new(), VecDeque::new());
            self.owned.push(Owned { partition, next: start, unbound, bytes: 0, cuts });
        }
        Ok(())
    }

    /// Hears what the clock says.
    pub fn hear(&mut self, order: &Order) -> Result<(), Failure> {
        match order {
            Order::Bind(binding) => {
                binding.blocks.iter().for_each(|block| self.with(block.input, |owned| owned.bound(block.upto)));
                binding.added.iter().try_for_each(|(partition, start)| self.add(*partition, *start))?;
            }
            Order::Read { input, upto } => self.with(*input, |owned| owned.cuts.push_back(*upto)),
            Order::Live => self.live = true,
        }
        Ok(())
    }

    fn with(&mut self, partition: u32, change: impl FnOnce(&mut Owned)) {
        if let Some(owned) = self.owned.iter_mut().find(|owned| owned.partition == partition) {
            change(owned);
        }
    }

    /// Takes one batch, of the partitions in turn; says whether there may be more.
    ///
    /// # Errors
    /// Those of the partitions.
    pub fn step(&mut self, decoding: &Decoding, queue: &mut Raw, reports: &mut Vec<Report>) -> Result<bool, Failure> {
        let found = self.partitions.found();
        if !found.is_empty() {
            reports.push(Report::Found(found));
        }
        let count = self.owned.len();
        let room = (AHEAD / count.max(1) as u64).max(LEAST_AHEAD);
        for k in 0..count {
            let i = (self.turn + k) % count;
            let owned = &mut self.owned[i];
            let Some(upto) = owned.limit(self.live, room) else { continue };
            let input = owned.partition;
            match self.partitions.take(input, upto)? {
                Taken::Nothing => (),
                Taken::Idle => reports.push(Report::Idle { input }),
                Taken::Awake => reports.push(Report::Awake { input }),
                Taken::Batch(batch) => {
                    let (start, next, bytes) = (owned.next, batch.next, batch.bytes.len() as u64);
                    owned.next = next;
                    owned.unbound.push_back((next, bytes));
                    owned.bytes += bytes;
                    let place = Place { input, start, next, bytes, ended: false };
                    reports.push(Report::Read(decoding.messages(place, batch, queue)));
                    self.turn = (i + 1) % count;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

//! How each partition of a worker stands: what its worker writes down, and its watch reads, and what the watch has to say.

use dataflows::clock::live::Taken;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What the watch has found out, for the worker to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// A broker has confirmed that it stands at its end, and it has for the idle timeout.
    Idle,
    /// That is no longer known.
    Awake,
    /// There is more, and it does not come: start it again.
    Restart,
}

/// One partition.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The offset to be read next.
    pub next: u64,
    /// When it last moved, or was started again.
    pub moved: Instant,
    /// The worker has asked in vain since then.
    pub hungry: bool,
    /// Since when it stands at its end.
    pub end: Option<Instant>,
    /// Told to be idle, and when that was last confirmed.
    pub idle: Option<Instant>,
    /// For the worker.
    pub word: Option<Word>,
}

impl Standing {
    fn new(next: u64, now: Instant) -> Standing {
        Standing { next, moved: now, hungry: false, end: None, idle: None, word: None }
    }

    /// It was read up to `next`, and stands at its end there or not.
    pub fn read(&mut self, next: u64, at_end: bool, now: Instant) {
        if next > self.next {
            *self = Standing::new(next, now);
        }
        if at_end {
            self.end.get_or_insert(now);
        }
    }

    /// Nothing came; what the watch has said meanwhile.
    pub fn nothing(&mut self, now: Instant) -> (Taken, bool) {
        self.hungry = true;
        match self.word.take() {
            None => (Taken::Nothing, false),
            Some(Word::Idle) => {
                self.idle = Some(now);
                (Taken::Idle, false)
            }
            Some(Word::Awake) => {
                (self.idle, self.end) = (None, self.end.map(|_| now));
                (Taken::Awake, false)
            }
            Some(Word::Restart) => {
                self.moved = now;
                (Taken::Nothing, true)
            }
        }
    }
}

/// The partitions of a worker.
#[derive(Default)]
pub struct Standings(Mutex<BTreeMap<u32, Standing>>);

impl Standings {
    /// All of them.
    pub fn all(&self) -> MutexGuard<'_, BTreeMap<u32, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more.
    pub fn add(&self, partition: u32, next: u64) {
        self.all().insert(partition, Standing::new(next, Instant::now()));
    }

    /// Does something with one.
    pub fn with<T>(&self, partition: u32, act: impl FnOnce(&mut Standing) -> T) -> Option<T> {
        self.all().get_mut(&partition).map(act)
    }
}

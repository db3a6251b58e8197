//! Ending a run from another thread: a stop is a wish, an abort is not.

use crate::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use timely::scheduling::SyncActivator;

/// Whom to wake.
#[derive(Clone, Default)]
struct Sleepers(Arc<Mutex<Vec<SyncActivator>>>);

impl Sleepers {
    fn add(&self, sleeper: SyncActivator) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sleeper);
    }
    fn wake(&self) {
        for sleeper in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = sleeper.activate(); // a worker that is gone needs no waking
        }
    }
}

/// Asks a run to stop at the next binding; Ctrl-C and SIGTERM do. Clones ask the same run.
#[derive(Clone, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
    sleepers: Sleepers,
}

impl Stop {
    /// Asks. Asking twice changes nothing.
    pub fn request(&self) {
        self.flag.store(true, Ordering::Relaxed);
        self.sleepers.wake();
    }

    /// Whether someone asked.
    pub fn requested(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.flag.clone()
    }

    /// A worker to wake. One that comes after the request finds the flag set.
    pub(super) fn wakes(&self, worker: SyncActivator) {
        self.sleepers.add(worker);
    }
}

/// The failure that ends all workers of this process: the first one counts.
#[derive(Clone, Default)]
pub(super) struct Abort {
    error: Arc<Mutex<Option<Error>>>,
    sleepers: Sleepers,
}

impl Abort {
    pub(super) fn fail(&self, error: Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.sleepers.wake();
    }

    pub(super) fn error(&self) -> Option<Error> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A worker to wake. One that comes after the failure finds it before it sleeps.
    pub(super) fn wakes(&self, worker: SyncActivator) {
        self.sleepers.add(worker);
    }
}

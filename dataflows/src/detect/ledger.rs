//! What was said of each (window end, kind) of one definition, and so what a change of mind must say.
//!
//! ```text
//!               holds, cooldown suppresses
//!    unknown ──────────────────────────────► suppressed      (for good: nothing leaves any more)
//!       │ holds, cooldown sends
//!       ▼          no longer holds: retraction
//!      sent ─────────────────────────────────► retracted
//!       ▲ │ severity above all that was sent       │
//!       └─┘ since: the event again                 │
//!       └──────────────────────────────────────────┘
//!                 holds again: the event again
//! ```
//! The cooldown is asked once, on the first detection of an end; all that follows speaks of an event that somebody was told
//! of, passes, and changes no state of the cooldown. Nothing sent is forgotten while its window can still change: an entry
//! stays until corrections no longer reach its end.

use crate::cooldown::Decision;
use crate::plan::ceil;
use crate::row::event::{Kind, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The event, for the first time, or again.
    Sent,
    /// The event, to the `suppressed` table.
    Suppressed,
    /// That the event is taken back.
    Retracted,
}

/// What leaves, with the columns that the ledger knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub what: What,
    pub revision: u32,
    pub severity: Severity,
    pub suppressed_since_last: u64,
    /// Milliseconds.
    pub cooldown: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Status {
    Sent,
    Retracted,
    Suppressed,
}

/// What was said of one (window end, kind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    status: Status,
    /// The greatest severity that was sent since it last began to hold.
    severity: Severity,
    /// Of the event, as last sent.
    revision: u32,
    /// Retractions that were sent.
    retractions: u32,
    /// As the first sending reported.
    suppressed_since_last: u64,
    quiet: i64,
}

/// The entries of one definition.
#[derive(Clone, Debug)]
pub(super) struct Ledger<K: Ord = Kind> {
    /// Corrections reach this many ticks back.
    horizon: u32,
    entries: BTreeMap<(u32, K), Entry>,
}

impl<K: Ord + Clone> Ledger<K> {
    /// Nothing said yet of windows with this slide and lateness.
    pub fn new(lateness: u32, slide: u32) -> Self {
        Ledger { horizon: ceil(lateness, slide), entries: BTreeMap::new() }
    }

    /// As it was when [`Ledger::save`] was called.
    pub fn restore(lateness: u32, slide: u32, saved: Vec<(u32, K, Entry)>) -> Self {
        let entries = saved.into_iter().map(|(end, kind, entry)| ((end, kind), entry)).collect();
        Ledger { entries, ..Ledger::new(lateness, slide) }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Vec<(u32, K, Entry)> {
        self.entries.iter().map(|((end, kind), entry)| (*end, kind.clone(), *entry)).collect()
    }

    /// How many ticks corrections reach back.
    pub fn horizon(&self) -> u32 {
        self.horizon
    }

    /// Takes note that the event of `kind` for the window that ends at `end` holds or not, and says what must leave.
    pub fn settle(&mut self, end: u32, kind: K, holds: bool, now: Severity, decide: impl FnOnce() -> Decision) -> Option<Notice> {
        let key = (end, kind);
        let Some(entry) = self.entries.get_mut(&key) else {
            return holds.then(|| {
                let (status, what, suppressed_since_last, quiet) = match decide() {
                    Decision::Send { suppressed_since_last, quiet } => (Status::Sent, What::Sent, suppressed_since_last, quiet),
                    Decision::Suppress { suppressed, quiet } | Decision::Repeat { suppressed, quiet } => {
                        (Status::Suppressed, What::Suppressed, suppressed, quiet)
                    }
                };
                let entry = Entry { status, severity: now, revision: 0, retractions: 0, suppressed_since_last, quiet };
                self.entries.insert(key, entry);
                Notice { what, revision: 0, severity: now, suppressed_since_last, cooldown: Some(quiet) }
            });
        };
        match (entry.status, holds) {
            (Status::Sent, true) if now > entry.severity => {}
            (Status::Retracted, true) => {}
            (Status::Sent, false) => {
                entry.status = Status::Retracted;
                entry.retractions += 1;
                return Some(Notice {
                    what: What::Retracted,
                    revision: entry.retractions - 1,
                    severity: entry.severity,
                    suppressed_since_last: 0,
                    cooldown: None,
                });
            }
            (Status::Sent, true) | (Status::Retracted, false) | (Status::Suppressed, _) => return None,
        }
        (entry.status, entry.severity) = (Status::Sent, now);
        entry.revision += 1;
        Some(Notice {
            what: What::Sent,
            revision: entry.revision,
            severity: now,
            suppressed_since_last: entry.suppressed_since_last,
            cooldown: Some(entry.quiet),
        })
    }

    /// Learned tick `learned` is settled: ends that no later tick can correct are forgotten.
    pub fn forget(&mut self, learned: u32) {
        let least = (learned.saturating_add(1)).saturating_sub(self.horizon);
        while let Some(entry) = self.entries.first_entry() {
            if entry.key().0 >= least {
                break;
            }
            entry.remove();
        }
    }
}

//! What became of the records of a tick, told by every reader: partial windows, health, and the summary of a run come from it.

use serde::{Deserialize, Serialize};

/// What worker 0 must know of what a worker learned at a tick.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The system tick.
    pub s: u32,
    /// Records by fate: rejected, too late, duplicate, accepted.
    pub fates: [u64; 4],
    /// Of the accepted ones, those whose pane had closed.
    pub late: u64,
    /// The least and greatest epoch that released records while the tick was open; `None` when none did.
    pub epochs: Option<(u64, u64)>,
    /// The least event time of an accepted record that was learned, `i64::MAX` without one.
    pub first: i64,
    /// By window definition: closed instances that a late record did not revise, being older than the allowed lateness.
    pub unrevised: Vec<u64>,
}

impl Note {
    /// Of a tick, with so many window definitions.
    pub fn new(s: u32, windows: usize) -> Note {
        Note { s, fates: [0; 4], late: 0, epochs: None, first: i64::MAX, unrevised: vec![0; windows] }
    }
}

/// Indices into [`Note::fates`].
pub mod fate {
    /// Broke a rule.
    pub const REJECTED: usize = 0;
    /// No window or feature takes it any more.
    pub const TOO_LATE: usize = 1;
    /// Was accepted before.
    pub const DUPLICATE: usize = 2;
    /// Counted.
    pub const ACCEPTED: usize = 3;
}

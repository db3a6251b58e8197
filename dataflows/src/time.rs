//! The timestamp of the data dataflow: (event tick, system tick), in product order.
//!
//! `e` is the newest pane that an update speaks of, `s` the system tick at which the engine learned it. Every time in use has
//! `e <= s`. A sale that is on time lives on the diagonal; a late one at `(pane, learned)`, and differential then corrects
//! exactly the closed windows that change. Two `u32` are half the size of `Product<u64, u64>`, and the path summary [`Step`]
//! can say "e back by L", which `Product`'s cannot: the pane store may speak of panes that closed up to L ticks ago.

use differential_dataflow::lattice::Lattice;
use serde::{Deserialize, Serialize};
use timely::order::PartialOrder;
use timely::progress::frontier::MutableAntichain;
use timely::progress::timestamp::{PathSummary, Refines, Timestamp};

/// (event tick, system tick).
///
/// The order of the fields makes the derived `Ord` (s, e), a linear extension of the product order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Bi {
    /// The system tick at which this was learned.
    pub s: u32,
    /// The event tick: the end of the newest pane it speaks of.
    pub e: u32,
}

impl Bi {
    /// The time at which tick `t` is on time.
    #[inline]
    pub fn diagonal(t: u32) -> Bi {
        Bi { s: t, e: t }
    }

    /// The least time that may still be spoken of while tick `t` is open and corrections reach back `lateness` ticks.
    #[inline]
    pub fn reach(t: u32, lateness: u32) -> Bi {
        Bi { s: t, e: t.saturating_sub(lateness) }
    }

    /// The first tick that some of these inputs may still speak of; `None` when all have ended.
    pub fn open(frontiers: &[MutableAntichain<Bi>]) -> Option<u32> {
        frontiers.iter().flat_map(|frontier| frontier.frontier().iter().map(|t| t.s).min()).min()
    }
}

impl std::fmt::Debug for Bi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(e{}, s{})", self.e, self.s)
    }
}

impl PartialOrder for Bi {
    #[inline]
    fn less_equal(&self, other: &Self) -> bool {
        self.e <= other.e && self.s <= other.s
    }
}

impl Lattice for Bi {
    #[inline]
    fn join(&self, other: &Self) -> Self {
        Bi { e: self.e.max(other.e), s: self.s.max(other.s) }
    }
    #[inline]
    fn meet(&self, other: &Self) -> Self {
        Bi { e: self.e.min(other.e), s: self.s.min(other.s) }
    }
}

/// A path summary: how far an operator may move the two ticks. `de` may be negative.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Step {
    /// Change of the event tick.
    pub de: i32,
    /// Change of the system tick.
    pub ds: u32,
}

impl PartialOrder for Step {
    fn less_equal(&self, other: &Self) -> bool {
        self.de <= other.de && self.ds <= other.ds
    }
}

impl PathSummary<Bi> for Step {
    fn results_in(&self, t: &Bi) -> Option<Bi> {
        Some(Bi { e: t.e.saturating_add_signed(self.de), s: t.s.checked_add(self.ds)? })
    }
    fn followed_by(&self, other: &Self) -> Option<Self> {
        Some(Step { de: self.de.checked_add(other.de)?, ds: self.ds.checked_add(other.ds)? })
    }
}

impl Timestamp for Bi {
    type Summary = Step;
    fn minimum() -> Self {
        Bi { e: 0, s: 0 }
    }
}

impl Refines<()> for Bi {
    fn to_inner(_: ()) -> Self {
        Self::minimum()
    }
    fn to_outer(self) {}
    fn summarize(_: Step) {}
}

//! What a detector says of one series at one end, on its way to the stage that makes episodes and events of it.
//!
//! A detector speaks on its own slide. At a learned tick `s` it says, for each end in `(s - 60 s, s]`, what differs from what it
//! last said of that (subject, end): a finding while its score is at half of the threshold or above it, and nothing
//! ([`Signal::found`] is `None`) where a finding that was said has no ground any more. An end of which nothing was ever said is
//! quiet. So what is known of an end is the signal that was learned last, a correction needs no words of its own, and the
//! stage behind can open, escalate, close and take back without knowing any detector.
//!
//! Who says something of one sale (a price, a large order) says it of the end of the pane in which the sale lies; several in
//! one pane are one signal, of the greatest score.

use crate::row::event::{Direction, Figure, Severity, Subject};
use serde::{Deserialize, Serialize};

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signal {
    /// The tick at which this was learned, a multiple of the slide.
    pub learned: u32,
    /// Type, level and name of the key.
    pub subject: Subject,
    /// The end of the window, a tick.
    pub end: u32,
    /// What was found; `None` takes back what was said of this subject and end before.
    pub found: Option<Box<Found>>,
}

/// What a detector found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Found {
    /// Above or below what was expected.
    pub direction: Direction,
    /// The start of the window, a tick: of several scales the one that stands out most.
    pub start: u32,
    /// How much it stands out, in millionths, in the detector's own unit (decades of a tail probability, distance of logarithms).
    pub score: i64,
    /// It holds from this score on, and lasts from half of it on.
    pub threshold: i64,
    /// An open episode escalates when its score rises by so much.
    pub step: i64,
    /// How much it matters.
    pub severity: Severity,
    /// What was found: baskets, lines, cents.
    pub value: Figure,
    /// What was expected.
    pub expected: Option<Figure>,
    /// How the value compares with the expectation, in millionths of a per cent.
    pub growth_pct: Option<i64>,
    /// Names the method and what it looks at, e.g. `nb/baskets`; part of the ids, so no threshold is in it.
    pub rule: String,
    /// One line for a person.
    pub message: String,
    /// Why, in words, each a sentence without its stop: observed, expected, how rare, which scale, who has what share.
    pub insights: Vec<String>,
}

impl Found {
    /// Whether an episode opens on it.
    pub fn holds(&self) -> bool {
        self.score >= self.threshold
    }

    /// Whether an open episode lasts.
    pub fn lasts(&self) -> bool {
        self.score.saturating_mul(2) >= self.threshold
    }
}

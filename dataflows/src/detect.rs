//! From windows to events.
//!
//! A detector is a function of the window and its reference windows as known at one learned tick, and of nothing else: no
//! state, so that a correction is judged by asking again. Integers decide (an exact comparison of growth with its threshold);
//! what is rounded only explains. One file a detector, in the order in which one window raises them:
//!
//! | module | event | holds when |
//! |---|---|---|
//! | `activity_spike` | `activity_spike` | sales grew by the threshold or more |
//! | `activity_drop` | `activity_drop` | sales fell by the threshold or more |
//! | `revenue_surge` | `revenue_surge` | revenue grew by the threshold or more |
//! | `growth` | | the comparison they share |
//! | `reference` | | which windows a window is compared with |
//! | `insight` | | message and insights, in words |
//! | `ledger` | | what was said of each window end, and so what a change of mind must say |
//! | `events` | | all of it behind one door, with the cooldown |
//! | `price_anomaly` | `price_anomaly` | a price is far from the product's own, or from its category's |
//! | `large_order` | `large_order` | one line is out of all proportion |
//! | `ticket` | `revenue_surge` | the mean log amount is far above its usual value |
//! | `category_trend` | `category_trend` | half an hour in one direction, after the season |
//! | `stock_depletion` | `stock_depletion` | the stock will probably not last through the lead time |
//! | `concentration` | | whether a burst of a seller comes from few buyers |
//! | `keyed` | | states by key, for stages with a long memory |
//! | `tail`, `table`, `dispersion`, `season`, `scan`, `trail` | | how rare a count is, and against what |
//! | `baskets`, `series`, `sellers` | | what is counted, and what was expected |
//! | `counts`, `blame`, `completeness`, `words` | `activity_*`, `seller_spike`, `fraud_like_burst`, `feed_incomplete` | a count is too rare, and no level above explains it |
//! | `episodes` | | what opens, escalates and closes, and who is told |
//! | `counting`, `notify` | | the operators around them |
//! | `signal` | | what the statistical detectors say of a series, see there |

mod activity_drop;
mod activity_spike;
mod revenue_surge;
mod growth;
mod reference;
mod insight;
mod ledger;
mod events;
pub mod signal;
pub mod baskets;
pub mod season;
pub mod scan;
pub mod trail;
pub mod series;
pub mod sellers;
mod blame;
mod words;
pub mod completeness;
pub mod counts;
pub mod episodes;
pub mod counting;
pub mod notify;
pub mod tail;
pub mod dispersion;
pub mod table;
pub mod keyed;
pub mod price_anomaly;
pub mod ticket;
pub mod large_order;
pub mod category_trend;
pub mod concentration;
pub mod stock_depletion;

pub use events::{At, Events, Saved};
pub use growth::Growth;
pub use reference::{Against, reference_ends};

use crate::plan::Plan;
use crate::row::WindowColumns;
use crate::row::event::{Figure, Kind, Severity};
use crate::row::{Gate, round};

/// A window as known at a learned tick. One without a row is all zero and fails its gates like any other.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Its columns.
    pub columns: &'a WindowColumns,
    /// The gates it fails.
    pub failed: &'a [Gate],
}

/// What a detector says of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of which event.
    pub kind: Kind,
    /// Whether the event is raised.
    pub holds: bool,
    /// How much it matters if it is.
    pub severity: Severity,
    /// What was found: sales, or cents.
    pub value: Figure,
    /// How it compares with the reference; `None` when there is no complete one or nothing in it, or the window is partial.
    pub growth: Option<Growth>,
    /// What the reference makes one expect.
    pub expected: Option<Figure>,
    /// Growth over the threshold, in millionths; of a drop, the fall over it.
    pub score: i64,
}

/// A score from here on is a warning, in millionths.
const WARNING: i64 = 1_500_000;

/// A score from here on is critical, in millionths.
const CRITICAL: i64 = 2_000_000;

/// How much a score matters.
fn severity(score: i64) -> Severity {
    match score {
        CRITICAL.. => Severity::Critical,
        WARNING.. => Severity::Warning,
        _ => Severity::Info,
    }
}

/// The growth rules of one window definition.
#[derive(Clone, Debug)]
pub struct Detector {
    against: Against,
    /// By [`Kind::GROWTH`]: millionths of a per cent, at least 1.
    thresholds: [i64; 3],
    /// By [`Kind::GROWTH`].
    rules: [String; 3],
    /// Whether drops are told. Where the counts of the shop are judged, that tells them: it knows of inputs that were silent.
    drops: bool,
}

impl Detector {
    /// The rules for the definition with this index; `None` when the settings raise no events on it.
    pub fn new(plan: &Plan, window: usize) -> Option<Detector> {
        let spec = &plan.events;
        let listed = spec.windows.is_empty() || spec.windows.contains(&plan.windows[window].name);
        if !spec.enabled || !listed {
            return None;
        }
        let against = Against::of(plan, window);
        let rule = |column: &str| format!("growth/{column}/{}", against.name());
        Some(Detector {
            against,
            thresholds: [spec.spike_pct, spec.drop_pct, spec.revenue_pct].map(|pct| round::round_millionths(pct).max(1)),
            rules: [rule("total_sales"), rule("total_sales"), rule("total_revenue")],
            drops: !(plan.detect.enabled && plan.detect.spec.levels[0]),
        })
    }

    /// What the window is compared with.
    pub fn against(&self) -> Against {
        self.against
    }

    /// The name of the rule that decides on `kind`: `growth/COLUMN/REFERENCE`. It is part of the event's id, so thresholds,
    /// which may change between two runs, are not in it.
    pub fn rule(&self, kind: Kind) -> &str {
        &self.rules[kind as usize]
    }

    /// Judges a window: `now`, or `None` when it has no row. `references` are the windows of [`reference_ends`] in that
    /// order, or none of them when not all were wholly seen.
    pub fn judge(&self, now: Option<&Judged>, references: &[Judged]) -> [Finding; 3] {
        let references = if references.len() == self.against.windows() as usize { references } else { &[] };
        let [spike, drop, revenue] = self.thresholds;
        let mut fallen = activity_drop::finding(drop, now, references);
        fallen.holds &= self.drops;
        [activity_spike::finding(spike, now, references), fallen, revenue_surge::finding(revenue, now, references)]
    }
}

#[cfg(test)]
mod tests;

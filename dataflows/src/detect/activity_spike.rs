//! `activity_spike`: far more sales than in the reference window.
//!
//! The gates are those of the window itself: a handful of sales, or sales of one seller, are no spike however they grew.

use super::growth::Growth;
use super::{Finding, Judged, severity};
use crate::row::event::{Figure, Kind};

/// Judges a window; the threshold is in millionths of a per cent.
pub(super) fn finding(threshold: i64, now: Option<&Judged>, references: &[Judged]) -> Finding {
    let growth = Growth::of(now, references, |columns| columns.total_sales);
    let sound = now.is_some_and(|now| now.failed.is_empty());
    let score = growth.map_or(0, |growth| growth.score(threshold));
    Finding {
        kind: Kind::ActivitySpike,
        holds: sound && growth.is_some_and(|growth| growth.reaches(threshold)),
        severity: severity(score),
        value: Figure::Count(now.map_or(0, |now| now.columns.total_sales)),
        growth,
        expected: growth.map(|growth| Figure::Millionths(growth.expected(1_000_000))),
        score,
    }
}

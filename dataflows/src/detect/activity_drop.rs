//! `activity_drop`: far fewer sales than in the reference window.
//!
//! The gates are those of the reference: the window itself is small by nature, and an outage must not hide behind a gate that
//! asks for sales. Of several reference windows each must pass. A fall to nothing is critical whatever the threshold: with
//! a threshold of 80 % no score could say so.

use super::growth::Growth;
use super::{Finding, Judged, severity};
use crate::row::event::{Figure, Kind, Severity};

/// Judges a window; the threshold is in millionths of a per cent.
pub(super) fn finding(threshold: i64, now: Option<&Judged>, references: &[Judged]) -> Finding {
    let growth = Growth::of(now, references, |columns| columns.total_sales);
    let sound = references.iter().all(|reference| reference.failed.is_empty());
    let score = growth.map_or(0, |growth| growth.score(threshold).saturating_neg());
    let sales = now.map_or(0, |now| now.columns.total_sales);
    Finding {
        kind: Kind::ActivityDrop,
        holds: sound && growth.is_some_and(|growth| growth.falls(threshold)),
        severity: if sales <= 0 { Severity::Critical } else { severity(score) },
        value: Figure::Count(sales),
        growth,
        expected: growth.map(|growth| Figure::Millionths(growth.expected(1_000_000))),
        score,
    }
}

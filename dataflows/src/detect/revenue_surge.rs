//! `revenue_surge`: far more revenue than in the reference window, by more sales or by dearer ones.

use super::growth::Growth;
use super::{Finding, Judged, severity};
use crate::row::event::{Figure, Kind};

/// Judges a window; the threshold is in millionths of a per cent.
pub(super) fn finding(threshold: i64, now: Option<&Judged>, references: &[Judged]) -> Finding {
    let growth = Growth::of(now, references, |columns| columns.total_revenue);
    let sound = now.is_some_and(|now| now.failed.is_empty());
    let score = growth.map_or(0, |growth| growth.score(threshold));
    Finding {
        kind: Kind::RevenueSurge,
        holds: sound && growth.is_some_and(|growth| growth.reaches(threshold)),
        severity: severity(score),
        value: Figure::Cents(now.map_or(0, |now| now.columns.total_revenue)),
        growth,
        expected: growth.map(|growth| Figure::Cents(growth.expected(1))),
        score,
    }
}

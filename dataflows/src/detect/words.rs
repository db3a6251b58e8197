//! What a count that stands out says, in words: observed, expected, how rare, which scale, who has what share.
//!
//! Words are compared byte by byte like all output: every number in them is rounded from integers or from a score that was.

use super::insight::decimal;
use super::scan::{SCALES, Stand};
use super::table::{ONE, Standing};
use crate::plan::detect::MINUTE;
use crate::row::event::{Kind, Level, Severity};
use crate::row::round::{div_half_even, narrow};

/// Distinct customers of a pane.
pub(super) const BASKETS: &str = "baskets";

/// Sale lines.
pub(super) const LINES: &str = "lines";

/// A mean of a window in millionths.
pub(super) fn millionths(mean: i64) -> i64 {
    narrow(div_half_even(i128::from(mean) * 1_000_000, ONE.into()))
}

/// How the count compares with the expectation, in millionths of a per cent.
pub(super) fn growth(stand: &Stand) -> i64 {
    let (count, mean) = (i128::from(stand.window.count) * i128::from(ONE), i128::from(stand.window.mean));
    if mean <= 0 { 0 } else { narrow(div_half_even((count - mean) * 100_000_000, mean)) }
}

/// How much it matters.
pub(super) fn severity(stand: &Stand, threshold: i64) -> Severity {
    match stand.score - threshold {
        3_000_000.. => Severity::Critical,
        0.. => Severity::Warning,
        _ => Severity::Info,
    }
}

/// `Books`, or the whole shop.
fn whose(level: Level, name: &str) -> String {
    match level {
        Level::Global => "the whole shop".into(),
        Level::Category => format!("category {name}"),
        Level::Seller => format!("seller {name}"),
        Level::Product => format!("product {name}"),
    }
}

/// The length of a scale.
fn length(scale: usize) -> String {
    match SCALES[scale] / MINUTE {
        0 => "30 s".into(),
        minutes => format!("{minutes} min"),
    }
}

/// `Activity spike in category Books: 84 baskets in 2 min, 41.2 expected (+103.9 %)`.
pub(super) fn message(kind: Kind, level: Level, name: &str, stand: &Stand, unit: &str) -> String {
    let tenths = narrow(div_half_even(growth(stand).into(), 100_000));
    let sign = if tenths < 0 { "" } else { "+" };
    format!(
        "{} {} {}: {} {unit} in {}, {} expected ({sign}{} %)",
        kind.title(),
        if level == Level::Seller { "at" } else { "in" },
        whose(level, name),
        decimal(stand.window.count, 0),
        length(stand.scale),
        expected(stand),
        decimal(tenths, 1),
    )
}

fn expected(stand: &Stand) -> String {
    decimal(narrow(div_half_even(i128::from(stand.window.mean) * 10, ONE.into())), 1)
}

/// How rare it is, and at which scale.
pub(super) fn rarity(stand: &Stand, warm: bool) -> Vec<String> {
    let tenths = narrow(div_half_even(stand.score.into(), 100_000));
    let standing = match stand.standing {
        Standing::Holds => "beyond the threshold",
        _ => "below the threshold",
    };
    let season = if warm {
        "expected from the same time of other days and the level of the last hour"
    } else {
        "expected from the last hour alone: this time of day has not been seen yet"
    };
    vec![
        format!("how rare: a chance of 1 in 10^{} if all were as usual, {standing}", decimal(tenths, 1)),
        format!("stands out most over {}, of 30 s to 15 min", length(stand.scale)),
        season.into(),
    ]
}

/// `category Books makes 63.0 % of the difference`.
pub(super) fn share(level: Level, name: &str, part: i64, of: i64) -> Option<String> {
    if of == 0 || part.signum() != of.signum() {
        return None;
    }
    let tenths = narrow(div_half_even(i128::from(part) * 1_000, of.into()));
    Some(format!("{} makes {} % of the difference", whose(level, name), decimal(tenths, 1)))
}

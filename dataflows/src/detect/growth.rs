//! Growth of a window against its reference, as an exact fraction.

use super::Judged;
use crate::row::WindowColumns;
use crate::row::round::{div_half_even, narrow};

/// A value against the mean of the reference windows, kept as N times the value against their sum: no division until a
/// column needs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    now: i128,
    reference: i128,
    windows: i128,
}

impl Growth {
    /// `None` when the window has no row or is partial, when there is no reference, or when nothing is in it.
    pub(super) fn of(now: Option<&Judged>, references: &[Judged], value: fn(&WindowColumns) -> i64) -> Option<Growth> {
        let now = now.filter(|now| !now.columns.partial)?;
        let windows = references.len() as i128;
        let reference = references.iter().map(|it| i128::from(value(it.columns))).sum();
        (reference > 0).then(|| Growth { now: windows * i128::from(value(now.columns)), reference, windows })
    }

    /// The numerator of `part` times the growth.
    fn numerator(&self, part: i128) -> i128 {
        part.saturating_mul(self.now - self.reference)
    }

    /// Whether it is at least `threshold` millionths of a per cent. Exact.
    pub fn reaches(&self, threshold: i64) -> bool {
        self.numerator(100_000_000) >= i128::from(threshold).saturating_mul(self.reference)
    }

    /// Whether it is a fall by at least `threshold` millionths of a per cent. Exact.
    pub fn falls(&self, threshold: i64) -> bool {
        self.numerator(-100_000_000) >= i128::from(threshold).saturating_mul(self.reference)
    }

    /// In millionths of a per cent.
    pub fn pct(&self) -> i64 {
        narrow(div_half_even(self.numerator(100_000_000), self.reference))
    }

    /// In tenths of a per cent, for words.
    pub fn tenths(&self) -> i64 {
        narrow(div_half_even(self.numerator(1_000), self.reference))
    }

    /// What the value is of the reference, in units of `1 / parts`.
    pub fn ratio(&self, parts: i128) -> i64 {
        narrow(div_half_even(self.now.saturating_mul(parts), self.reference))
    }

    /// Growth over a threshold in millionths of a per cent, as millionths.
    pub fn score(&self, threshold: i64) -> i64 {
        narrow(div_half_even(self.numerator(100_000_000_000_000), self.reference.saturating_mul(i128::from(threshold))))
    }

    /// The mean of the reference windows, in units of `1 / parts`.
    pub fn expected(&self, parts: i128) -> i64 {
        narrow(div_half_even(self.reference.saturating_mul(parts), self.windows))
    }
}

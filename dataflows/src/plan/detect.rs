//! The part of the plan that the detectors of counts follow.

use crate::row::event::Level;
use chrono_tz::Tz;

/// The slide of all statistical detectors, and the length of their panes, milliseconds: a part of half a minute.
pub const SLIDE: i64 = 15_000;

/// Scales and spans are whole numbers of panes.
const _: () = assert!(30_000 % SLIDE == 0);

/// Panes in a minute.
pub(crate) const MINUTE: u32 = (60_000 / SLIDE) as u32;

/// How long after its end a pane still takes late records, milliseconds.
pub(crate) const LATENESS: i64 = 60_000;

/// A time of sales that is known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announced {
    /// First moment, milliseconds since the Unix epoch.
    pub start: i64,
    /// First moment after it.
    pub end: i64,
    /// Of which category; `None` for the whole shop.
    pub category: Option<String>,
}

/// The detectors of counts as settings give them.
#[derive(Clone, Debug, PartialEq)]
pub struct DetectSpec {
    /// Whether counts are judged at all.
    pub enabled: bool,
    /// Whether the whole shop, categories and sellers are.
    pub levels: [bool; 3],
    /// False alarms a day that are put up with, for each thousand series.
    pub false_alarms: f64,
    /// The zone in which the shop's day and week pass.
    pub zone: Tz,
    /// Times of sales that are known beforehand: they raise nothing and teach nothing.
    pub announced: Vec<Announced>,
}

impl Default for DetectSpec {
    fn default() -> DetectSpec {
        DetectSpec { enabled: false, levels: [true; 3], false_alarms: 1.9, zone: Tz::UTC, announced: vec![] }
    }
}

/// The detectors of counts in ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Detect {
    /// Whether counts are judged.
    pub enabled: bool,
    /// The slide of all statistical detectors, in ticks, and the length of a pane.
    pub step: u32,
    /// How long after its end a pane still takes late records, in ticks.
    pub lateness: u32,
    /// The threshold of all series, decades of a tail probability.
    pub h: f64,
    /// What the settings say.
    pub spec: DetectSpec,
}

impl Detect {
    /// Whether series of a level are judged.
    pub fn level(&self, level: Level) -> bool {
        let [global, category, seller] = self.spec.levels;
        match level {
            Level::Global => global,
            Level::Category => category,
            Level::Seller => seller,
            Level::Product => false,
        }
    }
}

/// The threshold that keeps a budget of false alarms: `log10(series * half minutes a day * n / budget)`, where n = 2 stands for
/// scales and looks that overlap: the shortest window is half a minute long, and what a look between two others sees is mostly what
/// they see. A thousand series and 1.9 false alarms a day give 6.48 decades. Unit: decades. Source: Bonferroni over the half minutes
/// of a day; n was measured, with looks every 30 s and every 15 s.
pub(super) fn threshold(false_alarms: f64) -> f64 {
    const SERIES: f64 = 1_000.0;
    const SCALES: f64 = 2.0;
    const WINDOWS: f64 = 2_880.0;
    libm::log10(SERIES * WINDOWS * SCALES / false_alarms).max(1.0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_budget_of_the_targets_gives_their_threshold() {
        assert!((super::threshold(0.6 / 0.316) - 6.48).abs() < 0.005);
        assert_eq!(super::threshold(1e9), 1.0);
    }
}

//! Trends of categories: the same counts, half an hour at a time, each whole minute.
//!
//! A trend is said only where the counts themselves stand out in its direction, at half of the threshold or beyond. The test of
//! Mann and Kendall alone finds slow noise, and the way back after a sale or a drop, thirty times a day in fifteen categories.

use super::Counts;
use crate::detect::category_trend::{MINUTES, found};
use crate::detect::signal::Found;
use crate::row::event::{Direction, Kind, Level, Subject};
use crate::row::round::round_millionths;
use std::collections::BTreeMap;

impl Counts {
    /// Adds what is to be said of the trends of categories at an end.
    pub(super) fn trends(&self, pane: u32, to: &mut BTreeMap<Subject, Found>) {
        let (step, spec) = (self.plan.detect.step, &self.plan.signals.spec);
        let minute = self.plan.millis(pane * step) % 60_000 == 0;
        if !self.plan.signals.enabled || !self.plan.detect.level(Level::Category) || !minute {
            return;
        }
        let (decades, change) = (round_millionths(spec.trend_decades), round_millionths(spec.trend_change));
        let verdicts = self.ends.get(&pane).map_or(&[][..], |end| &end.series);
        for (series, verdict) in self.series.iter().zip(verdicts).filter(|(series, _)| series.level == Level::Category) {
            let Some(minutes) = series.minutes(pane).filter(|_| !self.announced(pane, series, true)) else { continue };
            let start = (pane - 2 * MINUTES as u32) * step;
            let stands_out = |found: &Found| match found.direction {
                Direction::Up => verdict.up.is_some(),
                Direction::Down => verdict.down.is_some(),
            };
            if let Some(found) = found(&minutes, start, decades, change).filter(stands_out) {
                to.insert(Subject { kind: Kind::CategoryTrend, level: Level::Category, key: series.name.clone() }, found);
            }
        }
    }
}

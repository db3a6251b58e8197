//! Trends of categories: the same counts, half an hour at a time, each whole minute.

use super::Counts;
use crate::detect::category_trend::{MINUTES, found};
use crate::detect::signal::Found;
use crate::row::event::{Kind, Level, Subject};
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
        for series in self.series.iter().filter(|series| series.level == Level::Category) {
            let Some(minutes) = series.minutes(pane).filter(|_| !self.announced(pane, series, true)) else { continue };
            let start = (pane - 2 * MINUTES as u32) * step;
            if let Some(found) = found(&minutes, start, decades, change) {
                to.insert(Subject { kind: Kind::CategoryTrend, level: Level::Category, key: series.name.clone() }, found);
            }
        }
    }
}

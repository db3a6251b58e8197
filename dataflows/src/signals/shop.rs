//! The tickets of the whole shop, on worker 0: each line against its own category.

use super::categories::PaneLines;
use super::{Said, first_end};
use crate::detect::signal::Signal;
use crate::detect::ticket::{self, Lines, SCALES, surge};
use crate::plan::Plan;
use crate::row::event::{Kind, Subject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a checkpoint holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    panes: BTreeMap<u32, Lines>,
    /// Lines by pane, for the hour before.
    counts: BTreeMap<u32, i64>,
    closed: u32,
    said: Said,
}

/// See the [module](self). Plain state.
pub struct Shop {
    plan: Plan,
    now: Saved,
}

impl Shop {
    pub fn new(plan: &Plan, saved: Option<Saved>) -> Shop {
        Shop { plan: plan.clone(), now: saved.unwrap_or_default() }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        self.now.clone()
    }

    /// The next end at which something may be said although nothing has come.
    pub fn busy(&self) -> Option<u32> {
        (!self.now.panes.is_empty()).then_some(self.now.closed + self.plan.signals.slide)
    }

    /// Closes the end `s`; ends after `last` are not spoken of.
    pub fn close(&mut self, s: u32, last: u32, lines: &[PaneLines], out: &mut Vec<Signal>) {
        let signals = &self.plan.signals;
        let (slide, from) = (signals.slide, first_end(signals, s));
        for pane in lines {
            self.now.panes.entry(pane.end).or_default().add(&pane.lines);
            *self.now.counts.entry(pane.end).or_default() += pane.lines.n;
        }
        let (hour, gap) = (signals.day / 24, 10 * slide);
        let mut end = from.max(lines.iter().map(|pane| pane.end).min().unwrap_or(s).min(s));
        while end <= s.min(last) {
            let surge = surge(self.now.panes.iter().map(|(end, lines)| (*end, lines)), end, slide);
            let found = surge.and_then(|surge| {
                let before = end.saturating_sub(gap);
                let counts = self.now.counts.iter().filter(|x| *x.0 <= before && x.0 + hour > before);
                ticket::found(&surge, end, slide, signals.spec.ticket_z, counts.map(|x| x.1).sum())
            });
            self.now.said.say(s, Subject::whole(Kind::RevenueSurge), end, found, out);
            end += slide;
        }
        self.now.said.forget(from + 1);
        let oldest = (from + slide).saturating_sub(SCALES[2] * slide);
        self.now.panes.retain(|end, _| *end > oldest);
        self.now.counts.retain(|end, _| end + hour + gap > from);
        self.now.closed = s;
    }
}

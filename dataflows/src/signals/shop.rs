//! Tickets, on worker 0: of the whole shop, each line against its own category, and which of its categories speak.

use super::categories::Word;
use super::{Said, first_end};
use crate::detect::signal::{Found, Signal};
use crate::detect::ticket::{self, LONGEST, Lines, Part, speakers};
use crate::plan::Plan;
use crate::plan::detect::MINUTE;
use crate::row::event::{Kind, Level, Subject};
use crate::row::round::round_millionths;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a checkpoint holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    panes: BTreeMap<u32, Lines>,
    /// Lines by pane, for the hour before.
    counts: BTreeMap<u32, i64>,
    /// By end that can change, and category.
    parts: BTreeMap<(u32, String), Part>,
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
    pub fn close(&mut self, s: u32, last: u32, words: Vec<Word>, out: &mut Vec<Signal>) {
        let signals = self.plan.signals.clone();
        let (slide, from) = (signals.slide, first_end(&signals, s));
        let mut changed = s;
        for word in words {
            match word {
                Word::Lines(pane) => {
                    changed = changed.min(pane.end);
                    self.now.panes.entry(pane.end).or_default().add(&pane.lines);
                    *self.now.counts.entry(pane.end).or_default() += pane.lines.n;
                }
                Word::Ticket(it) => {
                    changed = changed.min(it.end);
                    let key = (it.end, it.category);
                    if it.panes.is_empty() {
                        self.now.parts.remove(&key);
                    } else {
                        self.now.parts.insert(key, Part { hour: it.hour, panes: it.panes });
                    }
                }
            }
        }
        let mut end = from.max(changed);
        while end <= s.min(last) {
            self.judge(s, end, out);
            end += slide;
        }
        self.now.said.forget(from + 1);
        self.now.parts.retain(|(end, _), _| *end > from);
        let oldest = (from + slide).saturating_sub(LONGEST * slide);
        self.now.panes.retain(|end, _| *end > oldest);
        self.now.counts.retain(|end, _| end + signals.day / 24 + 5 * MINUTE * slide > from);
        self.now.closed = s;
    }

    fn judge(&mut self, s: u32, end: u32, out: &mut Vec<Signal>) {
        let signals = &self.plan.signals;
        let (slide, z) = (signals.slide, signals.spec.ticket_z);
        let panes: Vec<(u32, Lines)> = self.now.panes.iter().map(|(pane, lines)| (*pane, lines.clone())).collect();
        let (names, parts): (Vec<&String>, Vec<&Part>) =
            self.now.parts.range((end, String::new())..).take_while(|x| x.0.0 == end).map(|x| (&x.0.1, x.1)).unzip();
        let (whole, alone) = speakers(&panes, &parts, end, slide, round_millionths(z));
        let whole = whole.and_then(|surge| {
            let before = end.saturating_sub(5 * MINUTE * slide);
            let hour = self.now.counts.iter().filter(|x| *x.0 <= before && x.0 + signals.day / 24 > before).map(|x| x.1).sum();
            ticket::found(&surge, end, slide, z, hour)
        });
        let mut truth: BTreeMap<Subject, Option<Found>> = BTreeMap::new();
        truth.insert(Subject::whole(Kind::RevenueSurge), whole);
        for ((name, part), surge) in names.into_iter().zip(parts).zip(alone) {
            let subject = Subject { kind: Kind::RevenueSurge, level: Level::Category, key: name.clone() };
            truth.insert(subject, surge.and_then(|surge| ticket::found(&surge, end, slide, z, part.hour)));
        }
        // What was said of categories that do not stand out any more.
        let before: Vec<Subject> = self.now.said.0.keys().filter(|key| key.0 == end).map(|key| key.1.clone()).collect();
        before.into_iter().for_each(|subject| {
            truth.entry(subject).or_insert(None);
        });
        for (subject, found) in truth {
            self.now.said.say(s, subject, end, found, out);
        }
    }
}

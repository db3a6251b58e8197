//! What the verdicts of one stream add up to: counts and delays, which can be pooled over streams.

use super::matching::{Verdict, judge};
use super::{Alert, Label};
use serde::Serialize;
use std::collections::BTreeMap;

/// Delays of one detected event, in milliseconds from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// To the end of the first window that hit it.
    pub window: i64,
    /// To the moment at which the alert left, where that is known.
    pub emitted: Option<i64>,
}

/// An event, and whether and when it was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Its label.
    pub label: Label,
    /// `None` when nothing hit it.
    pub delay: Option<Delay>,
}

/// Alerts of one kind and level, by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Alerts {
    /// First to find an event.
    pub hits: u64,
    /// Found it once more.
    pub repeats: u64,
    /// Follow from an event.
    pub explained: u64,
    /// Echoes.
    pub rebounds: u64,
    /// Say what a hard negative is.
    pub admitted: u64,
    /// False.
    pub wrong: u64,
}

impl Alerts {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.hits + self.repeats + self.explained + self.rebounds + self.admitted + self.wrong
    }
}

impl std::ops::AddAssign for Alerts {
    fn add_assign(&mut self, other: Alerts) {
        self.hits += other.hits;
        self.repeats += other.repeats;
        self.explained += other.explained;
        self.rebounds += other.rebounds;
        self.admitted += other.admitted;
        self.wrong += other.wrong;
    }
}

/// A hard negative by its kind: how many there were, how many of them raised the wrong alert, and how many those were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hard {
    /// In the stream.
    pub events: u64,
    /// That misled.
    pub misled: u64,
    /// Wrong alerts.
    pub alerts: u64,
}

/// What one stream adds up to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// By kind and level of the alert.
    pub alerts: BTreeMap<(String, String), Alerts>,
    /// The events, in order of time.
    pub events: Vec<Outcome>,
    /// By kind.
    pub hard: BTreeMap<String, Hard>,
}

impl Tally {
    /// Judges the alerts of a stream that ends at `until`: events that begin later are none of it.
    pub fn new(labels: &[Label], alerts: &[Alert], until: i64) -> Tally {
        let mut tally = Tally::default();
        let mut delays = vec![None; labels.len()];
        let mut misled = vec![0; labels.len()];
        for (alert, verdict) in alerts.iter().zip(judge(labels, alerts)) {
            let of = tally.alerts.entry((alert.kind.clone(), alert.level.clone())).or_default();
            match verdict {
                Verdict::Hit(label) => {
                    let since = |at: i64| at - labels[label].start;
                    delays[label] = Some(Delay { window: since(alert.at), emitted: alert.emitted.map(since) });
                    of.hits += 1;
                }
                Verdict::Repeat(_) => of.repeats += 1,
                Verdict::Explained(_) => of.explained += 1,
                Verdict::Rebound(_) => of.rebounds += 1,
                Verdict::Admitted(_) => of.admitted += 1,
                Verdict::Wrong(hard) => {
                    of.wrong += 1;
                    if let Some(label) = hard {
                        misled[label] += 1;
                    }
                }
            }
        }
        for ((label, delay), misled) in labels.iter().zip(delays).zip(misled).filter(|((label, _), _)| label.start <= until) {
            if label.hard {
                let hard = tally.hard.entry(label.kind.clone()).or_default();
                *hard =
                    Hard { events: hard.events + 1, misled: hard.misled + u64::from(misled > 0), alerts: hard.alerts + misled };
            } else {
                tally.events.push(Outcome { label: label.clone(), delay });
            }
        }
        tally
    }

    /// All alerts together.
    pub fn total(&self) -> Alerts {
        let mut total = Alerts::default();
        self.alerts.values().for_each(|alerts| total += *alerts);
        total
    }

    /// How many events of those were found, and how many there are.
    pub fn found(&self, which: impl Fn(&Label) -> bool) -> (u64, u64) {
        let events = self.events.iter().filter(|event| which(&event.label));
        events.fold((0, 0), |(found, all), event| (found + u64::from(event.delay.is_some()), all + 1))
    }
}

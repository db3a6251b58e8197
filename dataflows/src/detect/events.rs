//! Detection, ledger and cooldown behind one door: windows in, rows of `events` and `suppressed` out.
//!
//! One instance sees all windows of all definitions, in the order of the rows: (learned tick, window index, window end).
//! That order decides what the cooldown lets through, so it is the caller's duty.

use super::ledger::{Entry, Ledger, Notice, What};
use super::{Detector, Finding, Judged, insight};
use crate::cooldown::{Cooldown, policy};
use crate::edge::Table;
use crate::plan::Plan;
use crate::row::event::{Event, Kind, Subject, event_id, retraction_id};
use serde::{Deserialize, Serialize};

/// Which window is judged, and what was known by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The learned tick.
    pub learned: u32,
    /// First and last epoch that released records learned by then.
    pub bindings: (u64, u64),
    /// Index of the definition.
    pub window: usize,
    /// The end of the window, a tick.
    pub end: u32,
}

/// Raises events and takes them back. See [`Events::window`].
#[derive(Clone, Debug)]
pub struct Events {
    plan: Plan,
    /// By window index; `None` where no events are raised.
    detectors: Vec<Option<Detector>>,
    /// By window index.
    ledgers: Vec<Ledger>,
    cooldown: Cooldown,
    suppressed: u64,
}

/// What a checkpoint must hold of [`Events`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    ledgers: Vec<Vec<(u32, Kind, Entry)>>,
    cooldown: Vec<(Subject, policy::State)>,
}

impl Events {
    /// Nothing raised yet.
    pub fn new(plan: &Plan) -> Events {
        Events {
            plan: plan.clone(),
            detectors: (0..plan.windows.len()).map(|window| Detector::new(plan, window)).collect(),
            ledgers: plan.windows.iter().map(|window| Ledger::new(window.lateness, window.slide)).collect(),
            cooldown: Cooldown::new(&plan.cooldown),
            suppressed: 0,
        }
    }

    /// As it was when [`Events::save`] was called, under a plan with the same windows; thresholds and quiet times may differ.
    pub fn restore(plan: &Plan, saved: Saved) -> Events {
        Events {
            ledgers: plan
                .windows
                .iter()
                .zip(saved.ledgers)
                .map(|(w, saved)| Ledger::restore(w.lateness, w.slide, saved))
                .collect(),
            cooldown: Cooldown::restore(&plan.cooldown, saved.cooldown),
            ..Events::new(plan)
        }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        Saved { ledgers: self.ledgers.iter().map(Ledger::save).collect(), cooldown: self.cooldown.save() }
    }

    /// Whether events are raised on the definition with this index.
    pub fn watches(&self, window: usize) -> bool {
        self.detectors[window].is_some()
    }

    /// Judges a window as known at `at.learned` and emits what must leave, with its table. It is to be called for each window
    /// that closes with a row, and again at each learned tick at which the truth of the window or of one of its references
    /// has changed; calling it more often changes nothing.
    ///
    /// `now` is `None` when the window has no row. `references` are the windows of [`reference_ends`](super::reference_ends),
    /// in that order, or none when not all of them lie wholly after the first event time of the run.
    pub fn window(&mut self, at: &At, now: Option<&Judged>, references: &[Judged], mut emit: impl FnMut(Table, Event)) {
        let Some(detector) = &self.detectors[at.window] else { return };
        let ledger = &mut self.ledgers[at.window];
        let end = self.plan.millis(at.end);
        for finding in detector.judge(now, references) {
            let decide = || self.cooldown.decide(&Subject::whole(finding.kind), end);
            let Some(notice) = ledger.settle(at.end, finding.kind, finding.holds, finding.severity, decide) else { continue };
            let table = match notice.what {
                What::Sent | What::Retracted => Table::Events,
                What::Suppressed => Table::Suppressed,
            };
            if table == Table::Suppressed {
                self.suppressed += 1;
                if !self.plan.events.write_suppressed {
                    continue;
                }
            }
            emit(table, event(&self.plan, detector, at, &finding, &notice, (now, references)));
        }
    }

    /// Events that the cooldown has held back since this was made.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// All windows of learned tick `learned` have been judged: what later ticks cannot change is forgotten.
    pub fn forget(&mut self, learned: u32) {
        for ledger in &mut self.ledgers {
            ledger.forget(learned);
        }
        let horizon = self.ledgers.iter().map(Ledger::horizon).max().unwrap_or(0);
        self.cooldown.forget(self.plan.millis((learned.saturating_add(1)).saturating_sub(horizon)));
    }
}

/// The row that says what a notice says.
fn event(
    plan: &Plan,
    detector: &Detector,
    at: &At,
    finding: &Finding,
    notice: &Notice,
    (now, references): (Option<&Judged>, &[Judged]),
) -> Event {
    let subject = Subject::whole(finding.kind);
    let (window, end) = (at.window as u8, plan.millis(at.end));
    let rule = detector.rule(finding.kind).to_string();
    let raised = event_id(plan, &subject, window, end, &rule);
    let (id, retracts, message, insights) = match (notice.what, now) {
        (What::Retracted, _) => {
            let id = retraction_id(plan, &subject, window, end, &rule);
            (id, Some(raised), insight::retraction(finding, detector.against(), now), vec![])
        }
        (What::Sent | What::Suppressed, now) => {
            let insights = now.map_or_else(Vec::new, |now| insight::insights(finding, now, references));
            (raised, None, insight::message(finding, detector.against(), now), insights)
        }
    };
    Event {
        id,
        subject,
        severity: notice.severity,
        window,
        start: end - i64::from(plan.windows[at.window].size) * plan.tick,
        end,
        revision: notice.revision,
        value: finding.value,
        expected: finding.expected,
        score: finding.score,
        growth_pct: finding.growth.map(|growth| growth.pct()),
        message,
        insights,
        suppressed_since_last: notice.suppressed_since_last,
        cooldown: notice.cooldown,
        retracts,
        bindings: at.bindings,
        learned: plan.millis(at.learned),
        rule,
    }
}

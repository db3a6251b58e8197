//! From signals to episodes and events: what opens, escalates, closes, and who is told.
//!
//! An episode of a subject (type, level, key) opens at the first end whose score reaches the threshold, escalates where the score
//! rises by a whole step above that of the last alert, and closes when it has been below half of the threshold for 5 minutes.
//! That is a walk over the ends in order. Corrections reach the last ends only, so each subject keeps what is final, walks over
//! the rest again, and says what differs: rows of `episodes`, before any cooldown; and for each opening and escalation an event,
//! after it. While an episode holds, every end counts for the cooldown like a detection that is suppressed, so an escalation is told
//! of only when the quiet time is over. An event that lost its ground is taken back; a drop has a cooldown of its own, so a spike never hides it.
//!
//! Plain state: the operator around it is in [`notify`](super::notify).

use super::ledger::{Entry, Ledger, What};
use super::signal::{Found, Signal};
use crate::cooldown::{Cooldown, policy};
use crate::edge::Table;
use crate::plan::Plan;
use crate::row::event::{Direction, Episode, Event, Figure, SCAN, Severity, State, Subject, event_id, retraction_id};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// An episode closes after so many slides below half of the threshold.
const QUIET: u32 = 5 * crate::plan::detect::MINUTE;

/// A step in the life of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Notice {
    state: State,
    /// The end at which it is taken.
    end: u32,
    /// The end of what was found: of a closing, the last one that lasted.
    at: u32,
    found: Found,
}

/// An episode as known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    notices: Vec<Notice>,
    /// The last end at half of the threshold or above, and what was found there.
    last: (u32, Found),
}

/// What was said of an episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    notices: Vec<Notice>,
    /// Of the next row.
    revision: u32,
    /// As in its id.
    rule: String,
}

/// One subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Track {
    /// The episode that was open when all ends had passed that are final.
    open: Option<Known>,
    /// What was found at ends that may still be corrected.
    ends: BTreeMap<u32, Found>,
    /// What was said of episodes that may still change, by the end that opened them.
    said: BTreeMap<u32, Said>,
    /// Ends that may still be corrected of which the ledger knows, with the rule as in the id.
    alerts: BTreeMap<u32, String>,
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    tracks: Vec<(Subject, Track)>,
    ledger: Vec<(u32, Subject, Entry)>,
    cooldown: Vec<(Subject, policy::State)>,
    now: u32,
}

/// A row that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Of `episodes`.
    Episode(Box<Episode>),
    /// Of `events` or `suppressed`.
    Event(Table, Box<Event>),
}

/// See the [module](self).
pub struct Episodes {
    plan: Arc<Plan>,
    tracks: BTreeMap<Subject, Track>,
    ledger: Ledger<Subject>,
    cooldown: Cooldown,
    /// The slide that was closed last.
    now: u32,
    suppressed: u64,
}

impl Known {
    fn opens(end: u32, found: &Found) -> Known {
        let opening = Notice { state: State::Opened, end, at: end, found: found.clone() };
        Known { notices: vec![opening], last: (end, found.clone()) }
    }

    fn opened(&self) -> u32 {
        self.notices.first().map_or(0, |notice| notice.end)
    }

    fn is_closed(&self) -> bool {
        self.notices.last().is_some_and(|notice| notice.state == State::Closed)
    }

    /// The next end of an episode that is open.
    fn pass(&mut self, end: u32, found: Option<&Found>, quiet: u32) {
        match found.filter(|found| found.lasts()) {
            Some(found) => {
                self.last = (end, found.clone());
                let alert = self.notices.last().map_or(0, |notice| notice.found.score);
                if found.holds() && found.score >= alert.saturating_add(found.step) {
                    self.notices.push(Notice { state: State::Escalated, end, at: end, found: found.clone() });
                }
            }
            None if end - self.last.0 >= quiet => {
                let (at, found) = self.last.clone();
                self.notices.push(Notice { state: State::Closed, end, at, found });
            }
            None => (),
        }
    }
}

/// The episodes after one more end.
fn pass(episodes: &mut Vec<Known>, end: u32, found: Option<&Found>, quiet: u32) {
    match episodes.last_mut().filter(|episode| !episode.is_closed()) {
        Some(episode) => episode.pass(end, found, quiet),
        None => episodes.extend(found.filter(|found| found.holds()).map(|found| Known::opens(end, found))),
    }
}

impl Track {
    /// The episodes as known at slide `s`, from `first` on.
    fn walk(&self, first: u32, s: u32, step: u32) -> Vec<Known> {
        let mut episodes: Vec<Known> = self.open.iter().cloned().collect();
        for end in (first..=s).step_by(step as usize) {
            pass(&mut episodes, end, self.ends.get(&end), QUIET * step);
        }
        episodes
    }

    /// The end `end` is final.
    fn settle(&mut self, end: u32, step: u32) {
        let mut episodes: Vec<Known> = self.open.take().into_iter().collect();
        pass(&mut episodes, end, self.ends.get(&end), QUIET * step);
        self.open = episodes.pop().filter(|episode| !episode.is_closed());
        self.ends = self.ends.split_off(&(end + 1));
        self.alerts = self.alerts.split_off(&(end + 1));
        self.said.retain(|opened, said| match said.notices.last() {
            None => *opened > end,
            Some(last) => last.state != State::Closed || last.end > end,
        });
    }

    fn is_idle(&self) -> bool {
        self.open.is_none() && self.ends.is_empty() && self.said.is_empty() && self.alerts.is_empty()
    }
}

/// What an end that holds, or held, means for those who are told.
enum Act {
    /// It opens or escalates an episode, or (`None`) no longer does; its rule.
    Alert(Option<Found>, String),
    /// The episode goes on.
    Exceeds,
}

/// At which slide something is said, and which epochs made what is known of a span of ticks.
struct At<'a> {
    plan: &'a Plan,
    s: u32,
    bindings: &'a dyn Fn(u32) -> (u64, u64),
}

impl Episodes {
    /// Nothing heard yet.
    pub fn new(plan: &Arc<Plan>) -> Episodes {
        Episodes {
            plan: plan.clone(),
            tracks: BTreeMap::new(),
            ledger: Ledger::new(plan.detect.lateness, plan.detect.step),
            cooldown: Cooldown::new(&plan.cooldown),
            now: 0,
            suppressed: 0,
        }
    }

    /// As they were when [`Episodes::save`] was called.
    pub fn restore(plan: &Arc<Plan>, saved: Saved) -> Episodes {
        Episodes {
            tracks: saved.tracks.into_iter().collect(),
            ledger: Ledger::restore(plan.detect.lateness, plan.detect.step, saved.ledger),
            cooldown: Cooldown::restore(&plan.cooldown, saved.cooldown),
            now: saved.now,
            ..Episodes::new(plan)
        }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        let tracks = self.tracks.iter().map(|(subject, track)| (subject.clone(), track.clone())).collect();
        Saved { tracks, ledger: self.ledger.save(), cooldown: self.cooldown.save(), now: self.now }
    }

    /// The next slide at which there is anything to do, when nothing new is heard.
    pub fn busy(&self) -> Option<u32> {
        (!self.tracks.is_empty()).then(|| self.now + self.plan.detect.step)
    }

    /// Events that the cooldown has held back since this was made.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Closes slide `s` with what was said at it; rows come in the order in which they leave, episodes first. `bindings` gives the
    /// epochs that made what is known since a tick. To be called for each slide while [`Episodes::busy`].
    pub fn close(&mut self, s: u32, signals: Vec<Signal>, bindings: &dyn Fn(u32) -> (u64, u64), mut give: impl FnMut(Row)) {
        let (step, lateness) = (self.plan.detect.step, self.plan.detect.lateness);
        // corrections reach the ends from here on
        let first = s.saturating_sub(lateness);
        for signal in signals {
            let ends = &mut self.tracks.entry(signal.subject).or_default().ends;
            match signal.found {
                Some(found) => ends.insert(signal.end, *found),
                None => ends.remove(&signal.end),
            };
        }
        let at = At { plan: &self.plan.clone(), s, bindings };
        let mut alerts: BTreeMap<(u32, Subject), Act> = BTreeMap::new();
        let mut rows: Vec<(u32, Episode)> = vec![];
        for (subject, track) in &mut self.tracks {
            let known = track.walk(first, s, step);
            for (end, rule) in &track.alerts {
                alerts.insert((*end, subject.clone()), Act::Alert(None, rule.clone()));
            }
            let notices = known.iter().flat_map(|episode| &episode.notices);
            for notice in notices.filter(|notice| notice.state != State::Closed && notice.end >= first) {
                let rule = track.alerts.entry(notice.end).or_insert_with(|| notice.found.rule.clone());
                alerts.insert((notice.end, subject.clone()), Act::Alert(Some(notice.found.clone()), rule.clone()));
            }
            for (end, _) in track.ends.iter().filter(|(_, found)| found.holds()) {
                alerts.entry((*end, subject.clone())).or_insert(Act::Exceeds);
            }
            at.differences(subject, track, known, &mut rows);
            track.settle(first, step);
        }
        rows.sort_by(|a, b| (a.0, &a.1.event.subject).cmp(&(b.0, &b.1.event.subject)));
        rows.into_iter().for_each(|(_, episode)| give(Row::Episode(Box::new(episode))));
        for ((end, subject), act) in alerts {
            match act {
                Act::Alert(found, rule) => self.alert(&at, end, subject, found.as_ref(), &rule, &mut give),
                Act::Exceeds => self.cooldown.exceed(&subject, self.plan.millis(end)),
            }
        }
        self.tracks.retain(|_, track| !track.is_idle());
        self.ledger.forget(s);
        self.cooldown.forget(self.plan.millis((s + step).saturating_sub(lateness)));
        self.now = s;
    }

    /// An opening or an escalation holds at `end`, or no longer does.
    #[expect(clippy::too_many_arguments, reason = "where, when, of whom, what, and a place for what comes out")]
    fn alert(&mut self, at: &At, end: u32, subject: Subject, found: Option<&Found>, rule: &str, give: &mut impl FnMut(Row)) {
        let millis = self.plan.millis(end);
        let severity = found.map_or(Severity::Info, |found| found.severity);
        let decide = || self.cooldown.decide(&subject, millis);
        let Some(notice) = self.ledger.settle(end, subject.clone(), found.is_some(), severity, decide) else { return };
        let raised = event_id(&self.plan, &subject, SCAN, millis, rule);
        let table = match notice.what {
            What::Sent | What::Retracted => Table::Events,
            What::Suppressed => Table::Suppressed,
        };
        if table == Table::Suppressed {
            self.suppressed += 1;
            if !self.plan.events.write_suppressed {
                return;
            }
        }
        let mut event = at.event(raised, &subject, end, found, rule);
        event.revision = notice.revision;
        event.severity = notice.severity;
        event.suppressed_since_last = notice.suppressed_since_last;
        event.cooldown = notice.cooldown;
        if notice.what == What::Retracted {
            event.id = retraction_id(&self.plan, &subject, SCAN, millis, rule);
            event.retracts = Some(raised);
            event.message = format!("{} retracted after a correction", subject.kind.title());
            event.insights.clear();
        }
        give(Row::Event(table, Box::new(event)));
    }
}

impl At<'_> {
    /// An event of a window that ends at `end`; without ground it is blank.
    fn event(&self, id: [u8; 16], subject: &Subject, end: u32, found: Option<&Found>, rule: &str) -> Event {
        let start = found.map_or(end, |found| found.start);
        Event {
            id,
            subject: subject.clone(),
            severity: found.map_or(Severity::Info, |found| found.severity),
            window: SCAN,
            start: self.plan.millis(start),
            end: self.plan.millis(end),
            revision: 0,
            value: found.map_or(Figure::Count(0), |found| found.value),
            expected: found.and_then(|found| found.expected),
            score: found.map_or(0, |found| found.score),
            growth_pct: found.and_then(|found| found.growth_pct),
            message: found.map_or_else(String::new, |found| found.message.clone()),
            insights: found.map_or_else(Vec::new, |found| found.insights.clone()),
            suppressed_since_last: 0,
            cooldown: None,
            retracts: None,
            bindings: (self.bindings)(start),
            learned: self.plan.millis(self.s),
            rule: rule.into(),
        }
    }

    /// What differs between the episodes of a subject as known and as said: rows with the end that orders them.
    fn differences(&self, subject: &Subject, track: &mut Track, known: Vec<Known>, rows: &mut Vec<(u32, Episode)>) {
        let gone: Vec<u32> = track.said.keys().filter(|end| known.iter().all(|it| it.opened() != **end)).copied().collect();
        for opened in gone {
            let Some(said) = track.said.get_mut(&opened).filter(|said| !said.notices.is_empty()) else { continue };
            // closed, and final: nothing is known of it any more
            if said.notices.last().is_some_and(|last| last.state == State::Closed) && opened < self.first() {
                continue;
            }
            rows.push((opened, self.episode(subject, opened, said, None)));
            said.notices.clear();
        }
        for episode in known {
            let opened = episode.opened();
            let rule = || episode.last.1.rule.clone();
            let said = track.said.entry(opened).or_insert_with(|| Said { notices: vec![], revision: 0, rule: rule() });
            let same = said.notices.iter().zip(&episode.notices).take_while(|(a, b)| a == b).count();
            // what was taken back is told by what is left
            let from = if same < said.notices.len() { same.min(episode.notices.len() - 1) } else { same };
            for notice in &episode.notices[from..] {
                rows.push((notice.end, self.episode(subject, opened, said, Some((notice, &episode)))));
            }
            said.notices = episode.notices;
        }
    }

    fn first(&self) -> u32 {
        self.s.saturating_sub(self.plan.detect.lateness)
    }

    fn episode(&self, subject: &Subject, opened: u32, said: &mut Said, notice: Option<(&Notice, &Known)>) -> Episode {
        let rule = format!("{}/episode", said.rule);
        let id = event_id(self.plan, subject, SCAN, self.plan.millis(opened), &rule);
        let (end, found) = notice.map_or((opened, None), |(notice, _)| (notice.at, Some(&notice.found)));
        let mut event = self.event(id, subject, end, found, &said.rule);
        event.revision = said.revision;
        said.revision += 1;
        let start = notice.and_then(|(_, known)| known.notices.first()).map_or(opened, |first| first.found.start);
        Episode {
            state: notice.map(|(notice, _)| notice.state),
            direction: found.map_or(Direction::Up, |found| found.direction),
            opened: self.plan.millis(start),
            ended: notice.filter(|(notice, _)| notice.state == State::Closed).map(|(notice, _)| self.plan.millis(notice.at)),
            event,
        }
    }
}

#[cfg(test)]
mod tests;

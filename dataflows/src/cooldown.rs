//! Which detections become notifications.
//!
//! A detection says that something holds; one told about it every slide stops listening. The [`policy`] lets the first one
//! of a [`Subject`] through and then keeps quiet for a time that doubles while detections go on. It runs in event time, on
//! detections in the order of the rows, so that a replay tells the same. A retraction takes back what somebody was told: it
//! always passes and never comes here.
//!
//! State is one small record a subject. Subjects that have been idle for the reset time act like new ones and are dropped,
//! except for those that still owe a count of suppressed detections to their next event.

pub mod policy;

use crate::plan::CooldownSpec;
use crate::row::event::Subject;
pub use policy::Decision;
use policy::State;
use std::collections::BTreeMap;

/// The policy over all subjects.
#[derive(Clone, Debug)]
pub struct Cooldown {
    spec: CooldownSpec,
    subjects: BTreeMap<Subject, State>,
    /// No detection before this comes any more.
    floor: i64,
    /// The floor when idle subjects were last looked for.
    swept: i64,
}

impl Cooldown {
    /// Nothing seen yet.
    pub fn new(spec: &CooldownSpec) -> Cooldown {
        Cooldown { spec: spec.clone(), subjects: BTreeMap::new(), floor: i64::MIN, swept: i64::MIN }
    }

    /// As it was when [`Cooldown::save`] was called. The spec may be another one: what is being kept quiet stays so.
    pub fn restore(spec: &CooldownSpec, saved: Vec<(Subject, State)>) -> Cooldown {
        Cooldown { subjects: saved.into_iter().collect(), ..Cooldown::new(spec) }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Vec<(Subject, State)> {
        self.subjects.iter().map(|(subject, state)| (subject.clone(), state.clone())).collect()
    }

    /// Decides on a detection at window end `t`, in milliseconds of event time. Called in the order of the rows.
    pub fn decide(&mut self, subject: &Subject, t: i64) -> Decision {
        let floor = self.floor;
        match self.subjects.get_mut(subject) {
            Some(state) => {
                state.forget(floor);
                state.decide(&self.spec, t)
            }
            None => {
                let mut state = State::new(&self.spec);
                let decision = state.decide(&self.spec, t);
                self.subjects.insert(subject.clone(), state);
                decision
            }
        }
    }

    /// What the subject was told of still holds at window end `t`, and is no detection of its own; see [`State::exceed`].
    pub fn exceed(&mut self, subject: &Subject, t: i64) {
        if let Some(state) = self.subjects.get_mut(subject) {
            state.forget(self.floor);
            state.exceed(&self.spec, t);
        }
    }

    /// Promises that no detection before `floor` comes any more. Idle subjects are looked for once in a reset time only.
    pub fn forget(&mut self, floor: i64) {
        self.floor = self.floor.max(floor);
        if self.floor.saturating_sub(self.swept) >= self.spec.reset {
            self.swept = self.floor;
            self.subjects.retain(|_, state| {
                state.forget(floor);
                !state.is_spent(&self.spec, floor)
            });
        }
    }

    /// Subjects that are held.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether no subject is held.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }
}

#[cfg(test)]
mod tests;

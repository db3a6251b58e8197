//! The contract's cooldown policy for one subject, as a plain state machine.
//!
//! With `quiet`, `max_quiet` and `reset` at 30, 240 and 600 s, a detection at window end t:
//!
//! 1. if t - seen >= 600 s: quiet = 30 s, and it is sent;
//! 2. else if t - sent <= quiet: it is suppressed, suppressed += 1, quiet = min(2 quiet, 240 s);
//! 3. else it is sent.
//!
//! Sending sets sent = t, reports suppressed and quiet, zeroes suppressed, leaves quiet. Then seen = max(seen, t). Only the
//! first detection of one window end counts: a second definition whose window ends there changes nothing. The first
//! detection of all is sent.
//!
//! Window ends may go backwards (a correction of an older window): t - sent is then negative, and rule 2 holds.

use crate::plan::CooldownSpec;
use serde::{Deserialize, Serialize};

/// What happens to a detection. Times are milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It becomes an event.
    Send {
        /// Detections that were suppressed since the last one that was sent.
        suppressed_since_last: u64,
        /// The quiet time that begins with it.
        quiet: i64,
    },
    /// It does not, and lengthens the quiet time.
    Suppress {
        /// Suppressed so far, this one included.
        suppressed: u64,
        /// The quiet time after it.
        quiet: i64,
    },
    /// It does not, and nothing changes: this window end has been decided on.
    Repeat {
        /// Suppressed so far.
        suppressed: u64,
        /// The quiet time as it stands.
        quiet: i64,
    },
}

/// What the policy remembers of one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Window end of the last event that was sent, and the greatest window end of any detection; `None` before the first.
    last: Option<Last>,
    /// The quiet time.
    quiet: i64,
    /// Suppressed since the last event that was sent.
    suppressed: u64,
    /// Window ends that have been decided on and may come again, ascending.
    counted: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    sent: i64,
    seen: i64,
}

impl State {
    /// Nothing seen yet.
    pub fn new(spec: &CooldownSpec) -> State {
        State { last: None, quiet: spec.quiet, suppressed: 0, counted: vec![] }
    }

    /// Decides on a detection at window end `t`.
    pub fn decide(&mut self, spec: &CooldownSpec, t: i64) -> Decision {
        let Err(place) = self.counted.binary_search(&t) else {
            return Decision::Repeat { suppressed: self.suppressed, quiet: self.quiet };
        };
        self.counted.insert(place, t);
        match &mut self.last {
            Some(last) if t.saturating_sub(last.seen) < spec.reset => {
                last.seen = last.seen.max(t);
                if t.saturating_sub(last.sent) <= self.quiet {
                    self.suppressed += 1;
                    self.quiet = self.quiet.saturating_mul(2).min(spec.max_quiet);
                    return Decision::Suppress { suppressed: self.suppressed, quiet: self.quiet };
                }
                last.sent = t;
            }
            _ => {
                self.quiet = spec.quiet;
                // t is not below the greatest end so far: it lies at least the reset time after it
                self.last = Some(Last { sent: t, seen: t });
            }
        }
        Decision::Send { suppressed_since_last: std::mem::take(&mut self.suppressed), quiet: self.quiet }
    }

    /// What was told of still holds at window end `t`: within the quiet time that counts like a detection that is suppressed,
    /// after it nothing is sent, and only the reset waits longer.
    pub fn exceed(&mut self, spec: &CooldownSpec, t: i64) {
        match &mut self.last {
            Some(last) if t.saturating_sub(last.seen) < spec.reset && t.saturating_sub(last.sent) > self.quiet => {
                last.seen = last.seen.max(t);
            }
            Some(_) => _ = self.decide(spec, t),
            None => (),
        }
    }

    /// Drops the window ends before `floor`: they do not come again.
    pub fn forget(&mut self, floor: i64) {
        self.counted.drain(..self.counted.partition_point(|&t| t < floor));
    }

    /// Whether a new state decides alike on all that comes at or after `floor`.
    pub fn is_spent(&self, spec: &CooldownSpec, floor: i64) -> bool {
        let idle = self.last.is_none_or(|last| floor.saturating_sub(last.seen) >= spec.reset);
        idle && self.suppressed == 0 && self.counted.is_empty()
    }
}

//! The cooldown, written from the contract's wording.

use super::params;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a detection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Sent {
        suppressed: i64,
        quiet: i64,
    },
    Suppressed,
    /// Another detection had this window end already.
    Repeated,
}

/// The state of one (type, level, key).
#[derive(Clone, Debug)]
struct State {
    sent: i64,
    seen: i64,
    quiet: i64,
    suppressed: i64,
    ends: BTreeSet<i64>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Cooldown {
    states: BTreeMap<&'static str, State>,
}

impl Cooldown {
    /// A detection of `subject` at window end `t`, in milliseconds.
    pub fn detect(&mut self, params: &params::Cooldown, subject: &'static str, t: i64) -> Decision {
        let Some(state) = self.states.get_mut(subject) else {
            let first = State { sent: t, seen: t, quiet: params.quiet, suppressed: 0, ends: BTreeSet::from([t]) };
            self.states.insert(subject, first);
            return Decision::Sent { suppressed: 0, quiet: params.quiet };
        };
        if !state.ends.insert(t) {
            return Decision::Repeated;
        }
        let sent = if t - state.seen >= params.reset {
            state.quiet = params.quiet;
            true
        } else {
            t - state.sent > state.quiet
        };
        state.seen = state.seen.max(t);
        if !sent {
            state.suppressed += 1;
            state.quiet = params.most.min(2 * state.quiet);
            return Decision::Suppressed;
        }
        let suppressed = std::mem::take(&mut state.suppressed);
        state.sent = t;
        Decision::Sent { suppressed, quiet: state.quiet }
    }
}

/// The contract's example: detections at 0, 30, ..., 300, 400, 1100 s are sent at 0, 270 (8 suppressed) and 1100 (2).
///
/// ```text
/// t      0  30  60  90 120 ... 240 270 300 400 1100
/// quiet 30  60 120 240 240 ... 240 240 240 240   30     after the detection
///        *   x   x   x   x       x   *   x   x    *     240 - 0 <= 240, 270 - 0 > 240, 400 - 270 <= 240, 1100 - 400 >= 600
/// ```
#[test]
fn example_of_the_contract() {
    let params = params::Params::default().cooldown;
    let mut cooldown = Cooldown::default();
    let sent: Vec<(i64, i64, i64)> = (0..=10)
        .map(|i| i * 30)
        .chain([400, 1100])
        .filter_map(|t| match cooldown.detect(&params, "activity_spike", t * 1000) {
            Decision::Sent { suppressed, quiet } => Some((t, suppressed, quiet / 1000)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(0, 0, 30), (270, 8, 240), (1100, 2, 30)]);
}

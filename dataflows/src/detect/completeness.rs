//! Whether a drop may be nothing but inputs that are silent.
//!
//! Of each live input (a partition) the sales by pane are known. An input is silent in panes that follow each other when nothing came
//! from it in them although at least three sales usually do. The share of what is usual that silent inputs owe is missing from a window: a drop
//! that is none against the rest of the expectation is reported as `feed_incomplete`. When all inputs are silent at once, that is
//! the feed, too. Unit: a share in 2^-20. Window: that of the drop, against the 60 minutes that end 5 minutes before it. Cold
//! start: an input owes nothing before 10 minutes of it are known. Files are never incomplete: they have no partitions.

use super::series::{GAP, SPAN};
use super::table::ONE;
use crate::plan::detect::MINUTE;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many sales must be missing; an input that usually brings fewer in half a minute is never silent.
const LEAST: i64 = 3;

/// Panes of an input that must be known.
const KNOWN: i64 = 10 * MINUTE as i64;

/// Sales by input and pane; plain state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    /// By input: its first pane, and sales by pane.
    by: BTreeMap<u32, (u32, BTreeMap<u32, i64>)>,
}

impl Inputs {
    /// Sales of a pane came from an input.
    pub fn arrive(&mut self, input: u32, pane: u32, sales: i64) {
        let (first, panes) = self.by.entry(input).or_insert((pane, BTreeMap::new()));
        *first = pane.min(*first);
        *panes.entry(pane).or_default() += sales;
    }

    /// No window before `pane` is asked for any more.
    pub fn forget(&mut self, pane: u32) {
        for (_, panes) in self.by.values_mut() {
            *panes = panes.split_off(&pane.saturating_sub(2 * SPAN));
        }
    }

    /// Which share of the panes in `(after, to]` is missing, and how many inputs were silent in one of them, of how many.
    pub fn missing(&self, after: u32, to: u32) -> (i64, usize, usize) {
        let until = (after + 1).saturating_sub(GAP);
        let (mut owed, mut all, mut silent) = (0i128, 0i128, 0);
        for (first, panes) in self.by.values() {
            let from = until.saturating_sub(SPAN).max(first.saturating_sub(1));
            let known = i64::from(until) - i64::from(from);
            let usual: i64 = if known > 0 { panes.range(from + 1..=until).map(|(_, n)| n).sum() } else { 0 };
            if known < KNOWN || usual * i64::from(MINUTE / 2) < LEAST * known {
                continue;
            }
            let (mut quiet, mut run) = (0, 0);
            for pane in after + 1..=to {
                run = if panes.contains_key(&pane) { 0 } else { run + 1 };
                // from the pane on with which enough is missing, those before it count, too
                if usual * run >= LEAST * known {
                    quiet += if usual * (run - 1) >= LEAST * known { 1 } else { run };
                }
            }
            silent += usize::from(quiet > 0);
            // a mean a pane, in the same unit for inputs that are known for different spans
            let mean = i128::from(usual) * i128::from(SPAN) / i128::from(known);
            owed += mean * i128::from(quiet);
            all += mean * i128::from(to - after);
        }
        let share = if all > 0 { (owed * i128::from(ONE) / all) as i64 } else { 0 };
        (share, silent, self.by.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(inputs: &[(u32, i64)]) -> Inputs {
        let mut known = Inputs::default();
        for pane in 1_000..1_200 {
            // one sale comes in every other pane only
            let now = inputs.iter().filter(|(_, n)| *n > 1 || pane % 2 == 0);
            now.for_each(|(input, n)| known.arrive(*input, pane, *n));
        }
        known
    }

    #[test]
    fn what_a_silent_input_usually_brings_is_missing() {
        let mut known = steady(&[(0, 30), (1, 10), (2, 1)]);
        assert_eq!(known.missing(1_195, 1_199), (0, 0, 3));
        for pane in 1_200..1_204 {
            known.arrive(0, pane, 30);
        }
        // the third brings too little for its silence to mean anything
        assert_eq!(known.missing(1_199, 1_203), (ONE / 4, 1, 3));
        assert_eq!(known.missing(1_197, 1_201), (ONE / 8, 1, 3));
        known.forget(1_203);
        assert_eq!(known.missing(1_199, 1_203), (ONE / 4, 1, 3));
        assert_eq!(known.missing(1_203, 1_205), (ONE, 2, 3));
    }

    #[test]
    fn without_live_inputs_nothing_is_missing() {
        assert_eq!(Inputs::default().missing(10, 20), (0, 0, 0));
        let mut new = Inputs::default();
        new.arrive(0, 1_000, 50);
        assert_eq!(new.missing(1_001, 1_003).0, 0);
    }
}

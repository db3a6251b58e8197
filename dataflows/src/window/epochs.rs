//! Which epochs made what is known: the `bindings` of a lineage.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// The epochs that released records while a tick was open.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Epochs(VecDeque<(u32, (u64, u64))>);

impl Epochs {
    /// Epochs `first` to `last` released records while `s` was open; what is more than `keep` ticks older is forgotten.
    pub fn learn(&mut self, s: u32, (first, last): (u64, u64), keep: u32) {
        match self.0.iter_mut().rev().find(|x| x.0 <= s) {
            Some((t, known)) if *t == s => *known = (known.0.min(first), known.1.max(last)),
            _ => {
                let at = self.0.partition_point(|x| x.0 < s);
                self.0.insert(at, (s, (first, last)));
            }
        }
        while self.0.len() > 1 && self.0.front().is_some_and(|x| x.0 + keep < s) {
            self.0.pop_front();
        }
    }

    /// First and last epoch that released records while a tick of `(start, learned]` was open.
    pub fn between(&self, start: u32, learned: u32) -> (u64, u64) {
        let upto = self.0.partition_point(|x| x.0 <= learned);
        let last = self.0.range(..upto).next_back().map_or(0, |x| x.1.1);
        let first = self.0.range(self.0.partition_point(|x| x.0 <= start)..upto).next().map_or(last, |x| x.1.0);
        (first, last)
    }
}

//! How many keys are present in a window, as a step function of the window end.
//!
//! Keys that are on time in a pane are many, and what they change lies at three places: a key that was not in the window comes at the
//! pane's own end, one that was stays beyond the end at which it would have left, and all leave a size later if nothing
//! follows. The first and the last are one sum each; only the second is a place of its own for each key.

use super::arena::Turn;
use super::due::Due;

/// See the [module](self).
pub struct Presence {
    size: u32,
    due: Due<1>,
    /// Of the pane at hand: keys that come, and keys that leave with it.
    came: i64,
    gone: i64,
}

impl Presence {
    /// Of windows of `size` that slide by `slide`.
    pub fn new(size: u32, slide: u32) -> Presence {
        Presence { size, due: Due::new(slide), came: 0, gone: 0 }
    }

    /// The first end at which something is due.
    pub fn busy(&self) -> Option<u32> {
        self.due.busy()
    }

    /// End `s` closes next.
    pub fn skip_to(&mut self, s: u32) {
        self.due.skip_to(s);
    }

    /// A key is on time in pane `s`; it was last live in the pane `before`, 0 for none. [`Presence::entered`] comes after the last.
    #[inline]
    pub fn enter(&mut self, before: u32, s: u32) {
        self.gone += 1;
        let until = before + self.size;
        if before > 0 && until > s { self.due.put(until, &[1]) } else { self.came += 1 }
    }

    /// All keys that are on time in pane `s` have entered.
    pub fn entered(&mut self, s: u32) {
        let (came, gone) = (std::mem::take(&mut self.came), std::mem::take(&mut self.gone));
        for (end, keys) in [(s, came), (s + self.size, -gone)] {
            if keys != 0 {
                self.due.put(end, &[keys]);
            }
        }
    }

    /// A late row changed whether its key is live in `pane`; it counts in the ends from `from` on.
    pub fn turn(&mut self, turn: Turn, pane: u32, from: u32) {
        if let Some((lo, hi)) = turn.ends(pane, self.size, from) {
            self.due.put(lo, &[turn.sign]);
            self.due.put(hi, &[-turn.sign]);
        }
    }

    /// Closes the next end: gives each end with its change, in order.
    pub fn close(&mut self, mut give: impl FnMut(u32, i64)) {
        self.due.close(|e, [keys]| give(e, keys));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Key by key and sum by sum come to the same.
        #[test]
        fn sums_of_keys_are_what_each_key_says(panes in prop::collection::vec(prop::collection::vec(0u32..60, 0..8), 1..60)) {
            let (size, slide) = (12, 3);
            let (mut sums, mut each) = (Presence::new(size, slide), Presence::new(size, slide));
            for (pane, ago) in panes.iter().enumerate() {
                let s = (pane as u32 + 1) * slide;
                for ago in ago {
                    let before = s.saturating_sub((ago + 1) * slide);
                    sums.enter(before, s);
                    each.turn(Turn { before, after: 0, sign: 1 }, s, 0);
                }
                sums.entered(s);
                let (mut a, mut b) = (vec![], vec![]);
                sums.close(|e, keys| a.push((e, keys)));
                each.close(|e, keys| b.push((e, keys)));
                prop_assert_eq!(a, b);
                prop_assert_eq!(sums.busy(), each.busy());
            }
        }
    }
}

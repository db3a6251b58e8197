//! Orders of a seller: distinct (customer, whole minute) pairs inside the window, exact under corrections.
//!
//! A customer's sales are kept by pane. The pair of a customer and a minute counts in a window while one of the panes of that
//! minute with sales lies in it, so a pane that begins or ceases to have sales changes the window ends between its live
//! neighbours *of the same minute*. What lies beyond the end at hand is not held back: when a pane expires, a look at
//! the later panes of its minute tells whether the pair leaves with it.
//!
//! Memory: one map entry of about 48 bytes for each (seller, customer, pane) of the last hour.

use hashbrown::HashMap;
use std::collections::VecDeque;

type Who = (u32, [u64; 2]);

/// See the [module](self).
pub struct Orders {
    size: u32,
    slide: u32,
    minute: u32,
    reach: u32,
    /// By pane, oldest first; only panes with sales.
    panes: VecDeque<(u32, HashMap<Who, i64>)>,
    open: HashMap<Who, i64>,
    /// Rows of closed panes: pane, first end that they change, who, sales.
    late: Vec<(u32, u32, Who, i64)>,
    /// All panes up to here have left the window.
    left: u32,
}

impl Orders {
    /// Spans in ticks; the slide divides the minute.
    pub fn new(size: u32, slide: u32, minute: u32, reach: u32) -> Orders {
        Orders { size, slide, minute, reach, panes: VecDeque::new(), open: HashMap::new(), late: vec![], left: 0 }
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.panes.iter().map(|p| p.1.len()).sum()
    }

    /// Bytes reserved for them.
    pub fn bytes(&self) -> usize {
        self.panes.iter().map(|p| p.1.allocation_size()).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.panes.is_empty()
    }

    /// Sales of the pane that is open.
    #[inline]
    pub fn add(&mut self, id: u32, customer: [u64; 2], sales: i64) {
        *self.open.entry((id, customer)).or_insert(0) += sales;
    }

    /// Sales of a pane that has closed; they count in the ends from `from` on.
    pub fn add_late(&mut self, id: u32, customer: [u64; 2], pane: u32, sales: i64, from: u32) {
        self.late.push((pane, from, (id, customer), sales));
    }

    /// The oldest pane that is still inside the window.
    pub fn leaving(&self) -> Option<u32> {
        self.panes.iter().map(|p| p.0).find(|p| *p > self.left)
    }

    fn live(&self, pane: u32, who: &Who) -> bool {
        let found = self.panes.binary_search_by_key(&pane, |p| p.0);
        found.is_ok_and(|i| self.panes[i].1.get(who).is_some_and(|n| *n > 0))
    }

    /// The live neighbours of a pane within its minute: before it, and after it up to `upto`.
    fn neighbours(&self, pane: u32, upto: u32, who: &Who) -> (Option<u32>, Option<u32>) {
        let end = pane.div_ceil(self.minute) * self.minute;
        let first = end - self.minute + self.slide;
        let panes = |from: u32, to: u32| (from / self.slide..=to / self.slide).map(|i| i * self.slide);
        let before = panes(first, pane - self.slide).rev().find(|p| self.live(*p, who));
        let after = panes(pane + self.slide, end.min(upto)).find(|p| self.live(*p, who));
        (before, after)
    }

    fn pane_mut(&mut self, pane: u32) -> &mut HashMap<Who, i64> {
        let i = match self.panes.binary_search_by_key(&pane, |p| p.0) {
            Ok(i) => i,
            Err(i) => {
                self.panes.insert(i, (pane, HashMap::new()));
                i
            }
        };
        &mut self.panes[i].1
    }

    /// Closes end `s`: gives (seller, end, difference), in no particular order.
    pub fn close(&mut self, s: u32, mut give: impl FnMut(u32, u32, i64)) {
        let open = std::mem::take(&mut self.open);
        if !open.is_empty() {
            self.panes.push_back((s, open));
            let (_, newest) = self.panes.back().expect("just pushed");
            for (who, _) in newest.iter().filter(|x| *x.1 > 0) {
                if self.neighbours(s, s, who).0.is_none() {
                    give(who.0, s, 1);
                }
            }
        }
        for (pane, from, who, sales) in std::mem::take(&mut self.late) {
            let n = self.pane_mut(pane).entry(who).or_insert(0);
            let was = *n > 0;
            *n += sales;
            let is = *n > 0;
            if was == is {
                continue;
            }
            let (before, after) = self.neighbours(pane, s, &who);
            let lo = before.map_or(pane, |a| pane.max(a + self.size)).max(from);
            let hi = after.map_or(pane + self.size, |b| b.min(pane + self.size));
            let sign = if is { 1 } else { -1 };
            if lo < hi && lo <= s {
                give(who.0, lo, sign);
                // What leaves at s or later is told by `leave`.
                if hi < s || (hi == s && after.is_some()) {
                    give(who.0, hi, -sign);
                }
            }
        }
        self.leave(s, &mut give);
        while self.panes.front().is_some_and(|p| p.0 + self.size + self.reach + self.slide < s) {
            self.panes.pop_front();
        }
    }

    /// The panes that leave the window at end `s`.
    fn leave(&mut self, s: u32, give: &mut impl FnMut(u32, u32, i64)) {
        let Some(pane) = s.checked_sub(self.size) else { return };
        if let Ok(i) = self.panes.binary_search_by_key(&pane, |p| p.0) {
            for (who, _) in self.panes[i].1.iter().filter(|x| *x.1 > 0) {
                if self.neighbours(pane, s, who).1.is_none() {
                    give(who.0, s, -1);
                }
            }
        }
        self.left = pane;
    }
}

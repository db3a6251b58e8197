//! How many keys are active in a window, and which of them sells most.

use dataflows::dictionary::Dictionary;
use std::collections::VecDeque;

/// Net sales by key in a window of slides. A key is active when it has net sales above 0 in at least one slide; the window
/// knows how many keys were active last in each of its slides, so that a slide that leaves takes them away in one step.
pub struct Keys {
    slides: usize,
    /// By id: net sales in the open slide.
    open: Vec<i32>,
    touched: Vec<u32>,
    /// Slides closed so far.
    number: u32,
    /// By id: number of the last slide in which it was active.
    last: Vec<u32>,
    /// By slide of the window: how many keys were active in it last.
    latest: VecDeque<u32>,
    active: i64,
    /// By id: net sales in the window. Only where the best is wanted.
    counts: Vec<i32>,
    closed: VecDeque<Vec<(u32, i32)>>,
    ranked: bool,
}

impl Keys {
    /// For windows of so many slides; `ranked`: whether the best is wanted.
    pub fn new(slides: usize, ranked: bool) -> Keys {
        Keys {
            slides,
            open: vec![],
            touched: vec![],
            number: 0,
            last: vec![],
            latest: VecDeque::new(),
            active: 0,
            counts: vec![],
            closed: VecDeque::new(),
            ranked,
        }
    }

    /// Adds net sales to the open slide.
    #[inline]
    pub fn add(&mut self, id: u32, sales: i32) {
        let i = id as usize;
        if self.open.len() <= i {
            self.open.resize(i + 1, 0);
        }
        if self.open[i] == 0 {
            self.touched.push(id);
        }
        self.open[i] += sales;
    }

    /// Closes the open slide: it enters the window, and the oldest one leaves.
    pub fn close(&mut self) {
        self.number += 1;
        self.last.resize(self.open.len(), 0);
        let mut slide = vec![];
        if self.latest.len() == self.slides {
            self.active -= i64::from(self.latest.pop_front().unwrap_or(0));
            if self.ranked {
                slide = self.closed.pop_front().unwrap_or_default();
                for (id, sales) in slide.drain(..) {
                    self.counts[id as usize] -= sales;
                }
            }
        }
        self.latest.push_back(0);
        if self.ranked {
            self.counts.resize(self.open.len(), 0);
        }
        let newest = self.latest.len() - 1;
        let oldest = self.number - newest as u32;
        for id in self.touched.drain(..) {
            // A key that was touched twice, or came back to nothing, has none.
            let sales = std::mem::take(&mut self.open[id as usize]);
            if sales > 0 {
                let last = std::mem::replace(&mut self.last[id as usize], self.number);
                if last >= oldest && last > 0 {
                    self.latest[(last - oldest) as usize] -= 1;
                } else {
                    self.active += 1;
                }
                self.latest[newest] += 1;
            }
            if self.ranked && sales != 0 {
                self.counts[id as usize] += sales;
                slide.push((id, sales));
            }
        }
        if self.ranked {
            self.closed.push_back(slide);
        }
    }

    /// Active keys in the window.
    pub fn active(&self) -> i64 {
        self.active
    }

    /// The key with the most net sales above 0; ties go to the smaller name.
    pub fn best(&self, names: &Dictionary) -> Option<(String, i64)> {
        let most = self.counts.iter().copied().max().filter(|n| *n > 0)?;
        let named = self.counts.iter().enumerate().filter(|(_, n)| **n == most).map(|(id, _)| names.name(id as u32));
        named.min().map(|name| (name.to_owned(), i64::from(most)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Windows of two slides. Sales by slide:  a 1, b 2 | a -1, c 2 | - | c 1
    #[test]
    fn a_key_is_active_while_one_of_its_slides_is_inside() {
        let mut names = Dictionary::default();
        let [a, b, c] = ["a", "b", "c"].map(|n| names.intern(n, 0));
        let mut keys = Keys::new(2, true);
        let mut seen = vec![];
        for slide in [vec![(a, 1), (b, 2)], vec![(a, -1), (c, 3), (c, -1)], vec![], vec![(c, 1)], vec![], vec![]] {
            slide.into_iter().for_each(|(id, n)| keys.add(id, n));
            keys.close();
            seen.push((keys.active(), keys.best(&names).map(|b| format!("{} {}", b.0, b.1)).unwrap_or_default()));
        }
        let text: Vec<_> = seen.iter().map(|(n, best)| (*n, best.as_str())).collect();
        assert_eq!(text, [(2, "b 2"), (3, "b 2"), (1, "c 2"), (1, "c 1"), (1, "c 1"), (0, "")]);
    }
}

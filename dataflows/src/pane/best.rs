//! The key with the most sales in a window, of the keys that this worker owns, as a step function of the window end.
//!
//! The counts of the newest window and their [`Maxima`] answer for it. The bests of the last ends are remembered, so that a
//! late row looks only at its own key, unless it takes sales from the best key itself: then the counts of that end are
//! rolled back from the newest.

use super::arena::Arena;
use super::maxima::Maxima;
use super::tally::Tally;
use super::texts::Texts;
use crate::bitemporal::Contest;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::VecDeque;

/// A candidate: the greatest is the one with the most sales, ties go to the smaller name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Candidate {
    /// Net sales in the window, above 0.
    pub sales: i64,
    /// The key's name.
    pub name: Reverse<String>,
}

/// What may be the greatest of a window; each kind competes with its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Peak {
    /// The seller with the most sales.
    Seller(Candidate),
    /// The category with the most sales.
    Category(Candidate),
    /// The biggest sale, in cents.
    Biggest(i64),
}

impl Contest for Peak {
    fn contest(&self) -> u8 {
        match self {
            Peak::Seller(_) => 0,
            Peak::Category(_) => 1,
            Peak::Biggest(_) => 2,
        }
    }
}

/// A node is (count, id + 1) in one word, so that a comparison reads names only where counts are equal. 0 is nobody.
type Node = u64;

#[inline]
fn node(id: u32, count: i64) -> Node {
    if count <= 0 { 0 } else { ((count.min(i64::from(u32::MAX)) as u64) << 32) | (u64::from(id) + 1) }
}

#[inline]
fn split(n: Node) -> Option<(u32, i64)> {
    (n != 0).then(|| ((n as u32) - 1, (n >> 32) as i64))
}

#[inline]
fn better(a: Node, b: Node, names: &Texts) -> Node {
    if (a ^ b) >> 32 != 0 || a == 0 || b == 0 {
        return a.max(b);
    }
    let name = |n: Node| names.get(n as u32 - 1);
    if name(a) <= name(b) { a } else { b }
}

/// A late row: it adds `sales` to a key in the ends from `from` on. The arena has it already.
struct Late {
    id: u32,
    pane: u32,
    from: u32,
    sales: i64,
}

impl Late {
    /// The first end that it changes, of windows of `size`.
    fn changes(&self, size: u32) -> Option<u32> {
        (self.from < self.pane + size).then_some(self.from)
    }

    /// What the arena says too much of the window that ends at `e`.
    fn excess(&self, e: u32, size: u32) -> i64 {
        if self.from > e && self.pane <= e && self.pane + size > e { self.sales } else { 0 }
    }
}

/// What was the best at an end, and by how much a key may have had more sales at the end before it.
#[derive(Clone, Copy, Default)]
struct Past {
    best: Node,
    slack: i64,
}

/// See the [module](self).
pub struct Best {
    size: u32,
    slide: u32,
    /// Sales in the window that closed last.
    counts: Maxima,
    late: Vec<Late>,
    /// Of sales taken back in the pane at hand.
    taken: i64,
    /// The last ends, the newest at the back.
    past: VecDeque<Past>,
    keep: usize,
    say: fn(Candidate) -> Peak,
}

impl Best {
    /// `reach`: how far back corrections go, in ticks, a multiple of the slide. `say`: what the best key is of.
    pub fn new(size: u32, slide: u32, reach: u32, say: fn(Candidate) -> Peak) -> Best {
        let keep = (reach / slide) as usize + 2;
        let past = VecDeque::from(vec![Past::default(); keep]);
        Best { size, slide, counts: Maxima::default(), late: vec![], taken: 0, past, keep, say }
    }

    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.counts.bytes()
    }

    /// Nothing changed at `ends` window ends in a row.
    pub fn skip(&mut self, ends: u32) {
        let best = self.past.back().map_or(0, |p| p.best);
        for _ in 0..(ends as usize).min(self.keep) {
            self.push(best, 0);
        }
    }

    fn push(&mut self, best: Node, slack: i64) {
        self.past.push_back(Past { best, slack });
        if self.past.len() > self.keep {
            self.past.pop_front();
        }
    }

    /// Where end `e` stands in `past` while end `s` is being closed.
    fn index(&self, e: u32, s: u32) -> Option<usize> {
        self.past.len().checked_sub(((s - e) / self.slide) as usize)
    }

    /// A row of the pane whose end closes next is added.
    #[inline]
    pub fn add_on_time(&mut self, id: u32, sales: i64) {
        self.counts.add(id, sales);
        self.taken += (-sales).max(0);
    }

    /// A row of an earlier pane is added at end `s`; it counts in the ends from `from` on.
    pub fn add(&mut self, id: u32, pane: u32, sales: i64, s: u32, from: u32) {
        // What leaves at s itself is taken away again in `close`.
        self.counts.add(id, if pane + self.size >= s { sales } else { 0 });
        // What is taken back is missing from the first end that the row changes on.
        let lost = (-sales).max(0);
        match (from < s).then(|| self.index(from, s)).flatten() {
            Some(i) => self.past[i].slack += lost,
            None => self.taken += lost,
        }
        if pane < s {
            self.late.push(Late { id, pane, from, sales });
            if let Some(i) = (pane + self.size < s).then(|| self.index(pane + self.size, s)).flatten() {
                self.past[i].slack += sales.max(0);
            }
        }
    }

    /// Closes end `s`: gives (end, candidate, difference) for what changes.
    pub fn close<V: Tally>(&mut self, s: u32, arena: &Arena<V>, names: &Texts, mut give: impl FnMut(u32, Peak, isize)) {
        // A key whose row came to nothing is in the arena, but was never added here.
        self.counts.grow(names.len());
        let mut slack = 0;
        if s > self.size {
            let counts = &mut self.counts;
            arena.pane(s - self.size, |e| {
                let n = e.tally.sales();
                counts.add(e.id, -n);
                slack = slack.max(n);
            });
        }
        slack += std::mem::take(&mut self.taken);
        let top = self.counts.greatest();
        let newest = self.counts.holders().map(|id| node(id, top)).fold(0, |a, b| better(a, b, names));
        let from = self.late.iter().filter_map(|x| x.changes(self.size)).min().unwrap_or(s).min(s);
        let old = |past: &VecDeque<Past>, i: Option<usize>| i.and_then(|i| past.get(i)).map_or(0, |p| p.best);
        let mut was = old(&self.past, self.index(from, s).and_then(|i| i.checked_sub(1)));
        let mut is = was;
        // Without this close the newest value would go on, as it was before any correction.
        let last = old(&self.past, self.past.len().checked_sub(1));
        let mut e = from;
        while e <= s {
            let (before, after) = if e == s {
                (last, newest)
            } else {
                let i = self.index(e, s);
                let before = old(&self.past, i);
                (before, self.corrected(e, s, slack, arena, names))
            };
            if (after, is) != (before, was) {
                let mut four = [(after, 1), (before, -1), (is, -1), (was, 1)];
                for i in 1..4 {
                    for j in 0..i {
                        if four[i].0 == four[j].0 {
                            four[j].1 += std::mem::take(&mut four[i].1);
                        }
                    }
                }
                for (n, d) in four {
                    if let (Some((id, sales)), true) = (split(n), d != 0) {
                        give(e, (self.say)(Candidate { sales, name: Reverse(names.get(id).to_string()) }), d);
                    }
                }
            }
            // The remembered value is replaced only once its successor has been compared with it.
            (was, is) = (before, after);
            if e < s
                && let Some(i) = self.index(e, s)
            {
                self.past[i].best = after;
            }
            e += self.slide;
        }
        self.push(newest, slack);
        self.late.clear();
    }

    /// The best at the end `e < s` with the late rows of end `s`. `slack` is that of `s` itself.
    fn corrected<V: Tally>(&self, e: u32, s: u32, slack: i64, arena: &Arena<V>, names: &Texts) -> Node {
        let old = self.index(e, s).and_then(|i| self.past.get(i)).map_or(0, |p| p.best);
        let counts = |x: &&Late| x.from <= e && x.pane + self.size > e;
        let mut rows: Vec<(u32, i64)> = self.late.iter().filter(counts).map(|x| (x.id, x.sales)).collect();
        if rows.is_empty() {
            return old;
        }
        rows.sort_unstable();
        let first = self.index(e, s).map_or(0, |i| i + 1);
        let slack: i64 = slack + self.past.range(first..).map(|p| p.slack).sum::<i64>();
        let mut best = old;
        for same in rows.chunk_by(|a, b| a.0 == b.0) {
            let (id, sales) = (same[0].0, same.iter().map(|x| x.1).sum::<i64>());
            if let Some((_, count)) = split(old).filter(|x| x.0 == id) {
                if sales < 0 {
                    return self.rolled_back(e, s, arena, names);
                }
                let mine = node(id, count + sales);
                best = if best == old { mine } else { better(best, mine, names) };
            } else if sales > 0 {
                let most = self.counts.counts()[id as usize] + slack;
                if split(best).is_none_or(|b| most >= b.1) {
                    best = better(best, node(id, self.count(id, e, s, arena)), names);
                }
            }
        }
        best
    }

    /// Sales of a key in the window that ends at `e < s`.
    fn count<V: Tally>(&self, id: u32, e: u32, s: u32, arena: &Arena<V>) -> i64 {
        let excess = self.late.iter().filter(|x| x.id == id).map(|x| x.excess(e, self.size)).sum::<i64>();
        let mut count = self.counts.counts()[id as usize] - excess;
        arena.back(id, e + 1, |x| count -= x.tally.sales());
        let mut end = e + self.slide;
        while end <= s {
            if end > self.size {
                arena.pane(end - self.size, |x| count += if x.id == id { x.tally.sales() } else { 0 });
            }
            end += self.slide;
        }
        count
    }

    /// The best of the window that ends at `e < s`, by rolling all counts back.
    fn rolled_back<V: Tally>(&self, e: u32, s: u32, arena: &Arena<V>, names: &Texts) -> Node {
        let mut counts = self.counts.counts().to_vec();
        for x in &self.late {
            counts[x.id as usize] -= x.excess(e, self.size);
        }
        let mut end = e + self.slide;
        while end <= s {
            arena.pane(end, |x| counts[x.id as usize] -= x.tally.sales());
            if end > self.size {
                arena.pane(end - self.size, |x| counts[x.id as usize] += x.tally.sales());
            }
            end += self.slide;
        }
        counts.iter().enumerate().map(|(i, c)| node(i as u32, *c)).fold(0, |a, b| better(a, b, names))
    }
}

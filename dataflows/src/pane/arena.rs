//! The panes of the keys that a worker owns, at one granularity: an arena in the order of arrival, threaded per key in the
//! order of panes.
//!
//! Cost: one entry of 16 bytes and a tally for each live (key, pane), and 20 bytes a key. Adding to the newest pane of a
//! key touches the key and one entry; a late row walks back over the panes of its key that are newer, 8 at a time: every eighth
//! entry of a key is a mark, and each entry knows the last mark before it.
//!
//! Sequence numbers wrap around; they are compared only with the base, and a key that has been idle for longer than its
//! panes are kept is forgotten (see [`crate::pane::delta`]) long before 2^31 entries have passed.

use super::tally::Tally;
use std::collections::{BTreeMap, VecDeque};

/// A pane of a key; `before` is the sequence number of the key's pane before it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<V> {
    /// The key.
    pub id: u32,
    /// The pane, by its end tick.
    pub pane: u32,
    before: u32,
    /// Sequence number of an older entry of the key: the last mark, if it still is there.
    skip: u32,
    /// The sums.
    pub tally: V,
}

/// Every so many entries of a key one is a mark.
const STRIDE: u32 = 8;

#[derive(Clone, Copy, Default)]
struct Key {
    /// Sequence number of the newest entry.
    newest: u32,
    /// Its pane; 0 when the key has none.
    pane: u32,
    /// The newest pane with sales; 0 when there is none.
    live: u32,
    /// Sequence number of the newest mark.
    mark: u32,
    /// Entries since the mark.
    since: u32,
}

struct Learned {
    pane: u32,
    start: u32,
    on_time: u32,
    end: u32,
}

/// A pane of a key began to have sales or ceased to: its neighbours that have some, 0 where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The newest live pane before it.
    pub before: u32,
    /// The oldest live pane after it.
    pub after: u32,
    /// +1 or -1.
    pub sign: i64,
}

impl Turn {
    /// The window ends `lo..hi` at which the presence of the key changes, for windows of `size` whose ends before `from` are
    /// settled: a key is present at end `e` when it is live in one of the panes `e - size < p <= e`.
    #[inline]
    pub fn ends(&self, pane: u32, size: u32, from: u32) -> Option<(u32, u32)> {
        let lo = if self.before > 0 { pane.max(self.before + size) } else { pane }.max(from);
        let hi = if self.after > 0 { self.after.min(pane + size) } else { pane + size };
        (lo < hi).then_some((lo, hi))
    }
}

/// Where the pane of a key belongs.
struct Walk {
    /// Sequence number of the next entry after it.
    newer: Option<u32>,
    /// Sequence number of the pane's own entry, or else of the last one before it.
    cursor: Option<u32>,
    /// The oldest pane with sales after it, of those that were walked over.
    after: u32,
}

/// See the [module](self).
pub struct Arena<V> {
    base: u32,
    entries: VecDeque<Entry<V>>,
    keys: Vec<Key>,
    spans: VecDeque<Learned>,
    /// Entries of late rows, by pane.
    late: BTreeMap<u32, Vec<u32>>,
    opened: (u32, u32),
}

impl<V: Tally> Default for Arena<V> {
    fn default() -> Self {
        Arena { base: 0, entries: VecDeque::new(), keys: vec![], spans: VecDeque::new(), late: BTreeMap::new(), opened: (0, 0) }
    }
}

impl<V: Tally> Arena<V> {
    /// Makes room for the ids `0..n`.
    pub fn grow(&mut self, n: usize) {
        if self.keys.len() < n {
            self.keys.resize(n, Key::default());
        }
    }

    /// Forgets a key; all its panes have expired. It may never have had one here.
    pub fn forget(&mut self, id: u32) {
        if let Some(key) = self.keys.get_mut(id as usize) {
            *key = Key::default();
        }
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no entry is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<V>>() + self.keys.capacity() * size_of::<Key>()
    }

    #[inline]
    fn at(&self, seq: u32) -> Option<&Entry<V>> {
        self.entries.get(seq.wrapping_sub(self.base) as usize)
    }

    #[inline]
    fn next(&self) -> u32 {
        self.base.wrapping_add(self.entries.len() as u32)
    }

    #[inline]
    fn newest(&self, id: u32) -> Option<u32> {
        let k = &self.keys[id as usize];
        (k.pane > 0 && self.at(k.newest).is_some()).then_some(k.newest)
    }

    /// Begins to learn a tick: its rows that are on time come first, by [`Arena::put`], late ones after [`Arena::settle`].
    pub fn open(&mut self) {
        self.opened = (self.next(), self.next());
    }

    /// Adds to a pane that is newer than all settled ones, the same for all keys.
    #[inline]
    pub fn put(&mut self, id: u32, pane: u32, tally: &V) {
        let seq = self.next();
        let key = &mut self.keys[id as usize];
        if key.pane == pane {
            self.entries[key.newest.wrapping_sub(self.base) as usize].tally.add(tally);
            return;
        }
        let nobody = self.base.wrapping_sub(1);
        let (before, skip) = if key.pane > 0 { (key.newest, key.mark) } else { (nobody, nobody) };
        (key.newest, key.pane) = (seq, pane);
        key.since += 1;
        if before == nobody || key.since == STRIDE {
            (key.mark, key.since) = (seq, 0);
        }
        self.entries.push_back(Entry { id, pane, before, skip, tally: *tally });
    }

    /// What was put is complete, and from here on rows are late. Gives the entries that came to something; the pane of a key
    /// with sales begins to have some.
    pub fn settle(&mut self, mut f: impl FnMut(&Entry<V>, Option<Turn>)) {
        let start = self.opened.0.wrapping_sub(self.base) as usize;
        for e in self.entries.range(start..).filter(|e| !e.tally.is_nothing()) {
            let turn = (e.tally.sales() > 0).then(|| {
                let before = std::mem::replace(&mut self.keys[e.id as usize].live, e.pane);
                Turn { before, after: 0, sign: 1 }
            });
            f(e, turn);
        }
        self.opened.1 = self.next();
    }

    /// All rows of tick `s` have been added.
    pub fn close(&mut self, s: u32) {
        let (start, on_time, end) = (self.opened.0, self.opened.1, self.next());
        if start != end {
            self.spans.push_back(Learned { pane: s, start, on_time, end });
        }
    }

    /// Adds to the pane of a key that has been settled. Says when the pane began or ceased to have sales.
    pub fn add_late(&mut self, id: u32, pane: u32, tally: &V) -> Option<Turn> {
        let Walk { newer, cursor, mut after } = self.walk(id, pane, true);
        if newer.and_then(|q| self.at(q)).is_some_and(|e| e.tally.sales() <= 0) {
            // The pane with sales after it may be among those that were skipped.
            after = self.walk(id, pane, false).after;
        }
        let mut older;
        let same = cursor.filter(|q| self.at(*q).is_some_and(|e| e.pane == pane));
        let (was, is);
        if let Some(q) = same {
            let e = &mut self.entries[q.wrapping_sub(self.base) as usize];
            was = e.tally.sales() > 0;
            e.tally.add(tally);
            is = e.tally.sales() > 0;
            older = e.before;
        } else {
            let seq = self.next();
            let before = cursor.unwrap_or(self.base.wrapping_sub(1));
            self.entries.push_back(Entry { id, pane, before, skip: before, tally: *tally });
            self.late.entry(pane).or_default().push(seq);
            match newer {
                Some(q) => self.entries[q.wrapping_sub(self.base) as usize].before = seq,
                None => {
                    let key = &mut self.keys[id as usize];
                    if cursor.is_none() {
                        (key.mark, key.since) = (seq, 0);
                    }
                    (key.newest, key.pane) = (seq, pane);
                }
            }
            (was, is, older) = (false, tally.sales() > 0, before);
        }
        if was == is {
            return None;
        }
        while let Some(e) = self.at(older).filter(|e| e.tally.sales() <= 0) {
            older = e.before;
        }
        let before = self.at(older).map_or(0, |e| e.pane);
        if after == 0 {
            self.keys[id as usize].live = if is { pane } else { before };
        }
        Some(Turn { before, after, sign: if is { 1 } else { -1 } })
    }

    /// Walks back over the entries of a key that are newer than `pane`; from mark to mark where it may skip some.
    fn walk(&self, id: u32, pane: u32, skip: bool) -> Walk {
        let mut walk = Walk { newer: None, cursor: self.newest(id), after: 0 };
        while let Some(e) = walk.cursor.and_then(|q| self.at(q)).filter(|e| e.pane > pane) {
            if e.tally.sales() > 0 {
                walk.after = e.pane;
            }
            walk.newer = walk.cursor;
            let far = skip && self.at(e.skip).is_some_and(|x| x.pane > pane);
            let next = if far { e.skip } else { e.before };
            walk.cursor = self.at(next).map(|_| next);
        }
        walk
    }

    /// The entries of a pane, the late ones too.
    pub fn pane(&self, pane: u32, mut f: impl FnMut(&Entry<V>)) {
        if let Ok(i) = self.spans.binary_search_by_key(&pane, |x| x.pane) {
            let x = &self.spans[i];
            let (from, to) = (x.start.wrapping_sub(self.base) as usize, x.on_time.wrapping_sub(self.base) as usize);
            self.entries.range(from..to).for_each(&mut f);
        }
        for e in self.late.get(&pane).into_iter().flatten().filter_map(|q| self.at(*q)) {
            f(e);
        }
    }

    /// The panes of a key from the newest back to `since`.
    pub fn back(&self, id: u32, since: u32, mut f: impl FnMut(&Entry<V>)) {
        let mut cursor = self.newest(id);
        while let Some(e) = cursor.and_then(|q| self.at(q)).filter(|e| e.pane >= since) {
            f(e);
            cursor = Some(e.before);
        }
    }

    /// The oldest pane after `pane` that has entries.
    pub fn pane_after(&self, pane: u32) -> Option<u32> {
        let i = self.spans.partition_point(|x| x.pane <= pane);
        let on_time = self.spans.range(i..).find(|x| x.start != x.on_time).map(|x| x.pane);
        let late = self.late.range(pane + 1..).next().map(|x| *x.0);
        on_time.into_iter().chain(late).min()
    }

    /// Drops the panes before `pane`, and the rows that were learned before it.
    pub fn expire(&mut self, pane: u32) {
        while let Some(x) = self.spans.pop_front_if(|x| x.pane < pane) {
            self.entries.drain(..x.end.wrapping_sub(self.base) as usize);
            self.base = x.end;
        }
        while self.late.first_key_value().is_some_and(|x| *x.0 < pane) {
            self.late.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pane::tally::SellerTally;
    use proptest::prelude::*;

    fn sales(sales: i64) -> SellerTally {
        SellerTally { sales, ..SellerTally::default() }
    }

    /// What is to happen to the sales of a pane, and the neighbours that it has then.
    fn turn(panes: &mut BTreeMap<u32, i64>, pane: u32, d: i64) -> Option<Turn> {
        let was = panes.get(&pane).is_some_and(|n| *n > 0);
        *panes.entry(pane).or_default() += d;
        let is = panes[&pane] > 0;
        let live = |x: &(&u32, &i64)| *x.1 > 0;
        let before = panes.range(..pane).rev().find(live).map_or(0, |x| *x.0);
        let after = panes.range(pane + 1..).find(live).map_or(0, |x| *x.0);
        (was != is).then_some(Turn { before, after, sign: if is { 1 } else { -1 } })
    }

    proptest! {
        #[test]
        fn turns_are_those_of_a_map(
            ticks in prop::collection::vec(
                (prop::collection::btree_set(0u32..4, 0..4), prop::collection::vec((0u32..4, 1u32..60, -2i64..3), 0..6)),
                1..80,
            ),
        ) {
            let (mut arena, mut model) = (Arena::<SellerTally>::default(), vec![BTreeMap::<u32, i64>::new(); 4]);
            arena.grow(4);
            for (s, (on_time, late)) in (1u32..).zip(ticks) {
                arena.open();
                on_time.iter().for_each(|id| arena.put(*id, s, &sales(1)));
                let mut told = vec![];
                arena.settle(|e, t| told.push((e.id, t)));
                let expected: Vec<_> = on_time.iter().map(|id| (*id, turn(&mut model[*id as usize], s, 1))).collect();
                prop_assert_eq!(told, expected);
                for (id, ago, d) in late {
                    let pane = s.saturating_sub(ago).max(1);
                    prop_assert_eq!(arena.add_late(id, pane, &sales(d)), turn(&mut model[id as usize], pane, d));
                }
                arena.close(s);
                for (id, panes) in (0..).zip(&model) {
                    let mut held = vec![];
                    arena.back(id, 1, |e| held.push((e.pane, e.tally.sales)));
                    prop_assert!(held.iter().copied().eq(panes.iter().rev().map(|(pane, n)| (*pane, *n))));
                }
            }
        }
    }
}

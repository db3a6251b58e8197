//! The panes of the keys that a worker owns, at one granularity: an arena in the order of arrival, threaded per key in the
//! order of panes.
//!
//! Cost: one entry of 12 bytes and a tally for each live (key, pane), and 12 bytes a key. Adding to the newest pane of a
//! key touches the key and one entry; a late row walks back over the panes of its key that are newer.
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
    /// The sums.
    pub tally: V,
}

#[derive(Clone, Copy, Default)]
struct Key {
    /// Sequence number of the newest entry.
    newest: u32,
    /// Its pane; 0 when the key has none.
    pane: u32,
    /// The newest pane with sales; 0 when there is none.
    live: u32,
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
        let before = if key.pane > 0 { key.newest } else { self.base.wrapping_sub(1) };
        (key.newest, key.pane) = (seq, pane);
        self.entries.push_back(Entry { id, pane, before, tally: *tally });
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
        let (mut cursor, mut newer, mut after) = (self.newest(id), None, 0);
        while let Some(e) = cursor.and_then(|q| self.at(q)).filter(|e| e.pane > pane) {
            if e.tally.sales() > 0 {
                after = e.pane;
            }
            newer = cursor;
            cursor = self.at(e.before).map(|_| e.before);
        }
        let same = cursor.filter(|q| self.at(*q).is_some_and(|e| e.pane == pane));
        let (was, is, mut older);
        if let Some(q) = same {
            let e = &mut self.entries[q.wrapping_sub(self.base) as usize];
            was = e.tally.sales() > 0;
            e.tally.add(tally);
            is = e.tally.sales() > 0;
            older = e.before;
        } else {
            let seq = self.next();
            let before = cursor.unwrap_or(self.base.wrapping_sub(1));
            self.entries.push_back(Entry { id, pane, before, tally: *tally });
            self.late.entry(pane).or_default().push(seq);
            match newer {
                Some(q) => self.entries[q.wrapping_sub(self.base) as usize].before = seq,
                None => (self.keys[id as usize].newest, self.keys[id as usize].pane) = (seq, pane),
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

//! The names of the keys that a worker owns, by its own dense ids, with forgetting.
//!
//! Rows are made from ids, and leave in the order of names: so each name's place in that order is kept for whoever writes
//! rows, and brought up to date only when new names have come.

use super::texts::Texts;
use crate::dictionary::identity;
use hashbrown::HashTable;
use std::collections::VecDeque;

/// Names by this worker's ids; shared with the operators that turn ids into rows.
#[derive(Default)]
pub struct Names {
    /// By id; empty when the id is free.
    pub names: Texts,
    keys: Vec<u128>,
    index: HashTable<u32>,
    /// Tick at which a name was last spoken of.
    seen: Vec<u32>,
    free: Vec<u32>,
    /// Ids on their way to `free`: the rows made from them must be out first.
    leaving: VecDeque<(u32, u32)>,
    /// Rows up to this tick are out.
    pub rows_out: u32,
    swept: u32,
    made: u64,
    /// Ids in the order of their names, those in `fresh` aside.
    order: Vec<u32>,
    fresh: Vec<u32>,
    /// By id: place in `order`.
    ranks: Vec<u32>,
}

impl Names {
    /// `served`: rows are made from the ids, and say when they are out through `rows_out`.
    pub fn new(served: bool) -> Names {
        Names { rows_out: if served { 0 } else { u32::MAX }, ..Names::default() }
    }

    /// Names that this worker has come to own, each time that it did.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The id of a name, spoken of at tick `s`.
    pub(super) fn id(&mut self, name: &str, s: u32) -> u32 {
        let key = identity(name.as_bytes());
        let keys = &self.keys;
        if let Some(&id) = self.index.find(key as u64, |&id| keys[id as usize] == key) {
            self.seen[id as usize] = s;
            return id;
        }
        self.made += 1;
        let id = match self.free.pop() {
            Some(id) => {
                self.names.set(id, name);
                (self.keys[id as usize], self.seen[id as usize]) = (key, s);
                id
            }
            None => {
                self.names.push(name);
                self.keys.push(key);
                self.seen.push(s);
                self.names.len() as u32 - 1
            }
        };
        let keys = &self.keys;
        self.index.insert_unique(key as u64, id, |&id| keys[id as usize] as u64);
        self.fresh.push(id);
        id
    }

    /// An id is spoken of at tick `s`.
    #[inline]
    pub(super) fn seen(&mut self, id: u32, s: u32) {
        self.seen[id as usize] = s;
    }

    /// Ids lie in `0..bound()`.
    pub(super) fn bound(&self) -> usize {
        self.names.len()
    }

    /// Brings [`Names::rank`] up to date.
    pub fn sort(&mut self) {
        if self.fresh.is_empty() {
            return;
        }
        let names = &self.names;
        self.order.append(&mut self.fresh);
        // A long run that is in order and a short one that is not: a stable sort merges them.
        self.order.sort_by(|a, b| names.get(*a).cmp(names.get(*b)));
        self.ranks.resize(names.len(), 0);
        for (rank, id) in self.order.iter().enumerate() {
            self.ranks[*id as usize] = rank as u32;
        }
    }

    /// The place of an id's name among all names, as of the last [`Names::sort`].
    #[inline]
    pub fn rank(&self, id: u32) -> u32 {
        self.ranks[id as usize]
    }

    /// Names held.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no name is held.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Forgets what nobody has spoken of for `hold` ticks, now and then; calls `gone` for each id.
    pub(super) fn sweep(&mut self, s: u32, hold: u32, mut gone: impl FnMut(u32)) {
        let mut left = vec![];
        while let Some((_, id)) = self.leaving.pop_front_if(|x| x.0 <= self.rows_out) {
            self.names.set(id, "");
            left.push(id);
        }
        if !left.is_empty() {
            left.sort_unstable();
            self.order.retain(|id| left.binary_search(id).is_err());
            self.fresh.retain(|id| left.binary_search(id).is_err());
            self.free.append(&mut left);
        }
        if s < self.swept.saturating_add(hold / 2) {
            return;
        }
        self.swept = s;
        let (seen, keys) = (&self.seen, &self.keys);
        let old: Vec<u32> = self.index.iter().copied().filter(|&id| seen[id as usize].saturating_add(hold) < s).collect();
        for id in old {
            if let Ok(e) = self.index.find_entry(keys[id as usize] as u64, |&other| other == id) {
                e.remove();
            }
            self.leaving.push_back((s, id));
            gone(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_order(names: &mut Names, ids: &[u32]) -> String {
        names.sort();
        let mut ids = ids.to_vec();
        ids.sort_by_key(|id| names.rank(*id));
        ids.iter().map(|id| names.names.get(*id)).collect()
    }

    #[test]
    fn ranks_follow_the_names_that_come_and_go() {
        let mut names = Names::default();
        let [m, c, x] = ["m", "c", "x"].map(|n| names.id(n, 1));
        assert_eq!(in_order(&mut names, &[m, c, x]), "cmx");
        let a = names.id("a", 5);
        assert_eq!(in_order(&mut names, &[m, c, x, a]), "acmx");
        names.seen(m, 5);
        names.seen(x, 5);
        let mut gone = vec![];
        names.sweep(6, 4, |id| gone.push(id));
        assert_eq!(gone, [c]);
        // The id is free once the rows that were made from it are out.
        assert_ne!(names.id("b", 6), c);
        names.rows_out = 6;
        names.sweep(7, 4, |_| ());
        let z = names.id("z", 7);
        assert_eq!(z, c);
        assert_eq!(in_order(&mut names, &[m, x, a, z]), "amxz");
    }
}

//! One class of keys on the worker that owns them: their profiles, and what happens to them at a tick.
//!
//! At a learned tick K the keys that records have come for, or of which something leaves the last hour, are gone through:
//!
//! ```text
//!   late records (pane < K - 1) enter ──► rows as of K - reach .. K - 1 are computed again, and said where they differ
//!   records of pane K - 1 in the order of event time: first the vector of each, then it enters ──► row as of K
//! ```
//!
//! So the vector of a sale is a function of the records before it, strictly, that are known at its tick. That of a sale that comes
//! late is as of the beginning of its pane; one that is later than the allowed lateness has none.

use super::env::Env;
use super::fact::Fact;
use super::kinds::Profile;
use super::said::Said;
use super::sums::Sums;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// So many keys are fetched at once: what they touch fits the nearest cache.
const TOUCHED: usize = 16;

/// A key.
struct Slot<P> {
    key: u64,
    name: Box<str>,
    profile: P,
    /// The last tick that is known to speak of it.
    seen: u32,
}

/// What a checkpoint holds of a key.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedKey<S> {
    pub(super) key: u64,
    name: String,
    profile: S,
    seen: u32,
    /// Ticks at which something leaves the hour.
    due: Vec<u32>,
    /// What was said, see [`Said`].
    said: Vec<(u32, u64, u32, bool)>,
}

/// Where vectors go: the record, and its columns.
pub struct Scored {
    /// The ticket of each sale.
    pub tickets: Vec<u64>,
    /// The columns of all, one after the other.
    pub cells: Vec<i64>,
}

/// See the [module](self).
pub struct Class<P: Profile> {
    index: HashMap<u64, u32>,
    slots: Vec<Option<Slot<P>>>,
    free: Vec<u32>,
    due: BTreeMap<u32, Vec<u32>>,
    said: Said,
    cells: Vec<i64>,
    dues: Vec<u32>,
    swept: u32,
}

impl<P: Profile> Default for Class<P> {
    fn default() -> Self {
        Class {
            index: HashMap::new(),
            slots: vec![],
            free: vec![],
            due: BTreeMap::new(),
            said: Said::default(),
            cells: vec![],
            dues: vec![],
            swept: 0,
        }
    }
}

/// A key that a tick speaks of: its place, and which of the records are its own.
#[derive(Clone, Copy)]
struct Own {
    i: u32,
    from: usize,
    to: usize,
}

/// What one tick says of a class.
pub struct Tick<'a> {
    /// The tick, as a look.
    pub k: u32,
    /// Whether rows of the class are wanted.
    pub rows: bool,
    /// Whether vectors are wanted.
    pub scores: bool,
    /// No rows after this look.
    pub last: u32,
    /// Room for sums of a customer.
    pub pad: &'a mut Sums,
}

/// The first bytes as a number of the same order.
fn prefix(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.iter_mut().zip(bytes).for_each(|(to, byte)| *to = *byte);
    u64::from_be_bytes(first)
}

impl<P: Profile> Class<P> {
    /// The place of a key that a record of tick `k` speaks of, whose name is given unless it is known.
    pub fn place(&mut self, key: u64, name: Option<&str>, k: u32) -> u32 {
        let i = *self.index.entry(key).or_insert_with(|| {
            let slot = Slot { key, name: Box::default(), profile: P::default(), seen: k };
            match self.free.pop() {
                Some(i) => {
                    self.slots[i as usize] = Some(slot);
                    i
                }
                None => {
                    self.slots.push(Some(slot));
                    self.slots.len() as u32 - 1
                }
            }
        });
        if let Some(slot) = &mut self.slots[i as usize] {
            slot.seen = slot.seen.max(k);
            if let Some(name) = name.filter(|_| slot.name.is_empty()) {
                slot.name = name.into();
            }
        }
        i
    }

    /// The next look at which something leaves the hour of a key.
    pub fn due(&self) -> Option<u32> {
        self.due.keys().next().copied()
    }

    /// Keys held.
    pub fn keys(&self) -> usize {
        self.index.len()
    }

    /// Takes the records of a tick in the order of keys and then of records, each with the place of its key. Says each row that
    /// differs from what was said: its look, key, revision, and columns unless it is taken back. `mark` stands for what else a row
    /// of a key shows.
    #[expect(clippy::too_many_arguments, reason = "two of them are places for what comes out")]
    pub fn tick(
        &mut self,
        tick: &mut Tick,
        (places, facts): (&[u32], &[Fact]),
        env: &mut Env,
        scored: &mut Scored,
        mark: impl Fn(u64, u32) -> Option<i64>,
        mut say: impl FnMut(u32, &str, u64, u32, Option<&[i64]>),
    ) {
        let k = tick.k;
        let mut own: Vec<Own> = vec![];
        places.chunk_by(|a, b| a == b).fold(0, |from, same| {
            own.push(Own { i: same[0], from, to: from + same.len() });
            from + same.len()
        });
        while let Some(due) = self.due.first_entry().filter(|d| *d.key() <= k) {
            own.extend(due.remove().into_iter().map(|i| Own { i, from: 0, to: 0 }));
        }
        // Of a key that is due and has records the records.
        own.sort_unstable_by_key(|own| (own.i, Reverse(own.to)));
        own.dedup_by_key(|own| own.i);
        self.said.forget(k.saturating_sub(env.reach));
        let own = self.by_name(own);
        for some in own.chunks(TOUCHED) {
            let live = some.iter().filter_map(|own| self.slots[own.i as usize].as_ref());
            std::hint::black_box(live.map(|slot| slot.profile.touch()).fold(0, usize::wrapping_add));
            for Own { i, from, to } in some.iter().copied() {
                let own = &facts[from..to];
                let Some(slot) = &mut self.slots[i as usize] else { continue };
                let on_time = own.partition_point(|f| env.pane(f.at) + 1 < k);
                let (late, own) = own.split_at(on_time);
                self.dues.clear();
                let panes = late.iter().chain(own).map(|f| env.pane(f.at));
                let mut seen = None;
                panes.filter(|pane| seen.replace(*pane) != Some(*pane)).for_each(|pane| self.dues.extend(P::due(pane, env)));
                self.dues.sort_unstable();
                self.dues.dedup();
                self.dues.iter().filter(|d| **d > k).for_each(|d| self.due.entry(*d).or_default().push(i));
                let (oldest, mut first) = (k.saturating_sub(env.reach), k);
                if let Some(least) = late.first().map(|f| env.pane(f.at) + 1) {
                    late.iter().for_each(|f| slot.profile.add(f, env));
                    first = least.max(oldest);
                    for fact in late.iter().filter(|f| tick.scores && f.sign > 0) {
                        let e = env.pane(fact.at);
                        if e + 1 + env.reach >= k {
                            slot.profile.begin(e, env, tick.pad);
                            slot.profile.score(fact, e, env, tick.pad, &mut scored.cells);
                            scored.tickets.push(fact.ticket);
                        }
                    }
                }
                let missed = &late[..late.partition_point(|f| env.pane(f.at) + 1 < oldest)];
                let mut row = |slot: &mut Slot<P>, e: u32, env: &mut Env, pad: &mut Sums| {
                    self.cells.clear();
                    let live = slot.profile.changed(e, if e == oldest { missed } else { &[] }, env);
                    if live {
                        slot.profile.look(e, env, pad, &mut self.cells);
                        self.cells.extend(mark(slot.key, e));
                    }
                    let truth = live.then_some(self.cells.as_slice());
                    self.said.say(e, i, truth, |revision| say(e, &slot.name, slot.key, revision, truth));
                };
                for e in first..k {
                    if tick.rows && e <= tick.last {
                        row(slot, e, env, tick.pad);
                    }
                }
                if tick.scores && !own.is_empty() {
                    slot.profile.begin(k, env, tick.pad);
                    for same in own.chunk_by(|a, b| a.at == b.at) {
                        for fact in same.iter().filter(|f| f.sign > 0) {
                            slot.profile.score(fact, k, env, tick.pad, &mut scored.cells);
                            scored.tickets.push(fact.ticket);
                        }
                        same.iter().for_each(|f| slot.profile.enter(f, k, env, tick.pad));
                    }
                } else {
                    own.iter().for_each(|f| slot.profile.add(f, env));
                }
                if tick.rows && k <= tick.last {
                    row(slot, k, env, tick.pad);
                }
                slot.profile.forget(k, env);
            }
        }
        self.sweep(k, env);
    }

    /// The keys of a tick in the order of their names, in which their rows leave: then nobody needs to move the rows.
    fn by_name(&self, own: Vec<Own>) -> Vec<Own> {
        let name = |own: &Own| self.slots[own.i as usize].as_ref().map_or("", |slot| &*slot.name).as_bytes();
        let first = own.first().map(name).unwrap_or_default();
        let alike = |common: usize, own: &Own| first[..common].iter().zip(name(own)).take_while(|(a, b)| a == b).count();
        let common = own.iter().fold(first.len(), alike);
        // What comes behind the bytes that all begin with decides nearly always, and lies beside what is sorted.
        let mut named: Vec<(u64, &[u8], Own)> = own.iter().map(|own| (prefix(&name(own)[common..]), name(own), *own)).collect();
        named.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        named.into_iter().map(|named| named.2).collect()
    }

    /// Once a day, forgets the keys of which nothing is known any more.
    fn sweep(&mut self, k: u32, env: &Env) {
        let day = env.hour * 24;
        if k < self.swept.saturating_add(day) {
            return;
        }
        self.swept = k;
        for (i, place) in self.slots.iter_mut().enumerate() {
            let Some(slot) = place.as_mut().filter(|slot| slot.seen.saturating_add(2 * day) < k) else { continue };
            slot.profile.forget(k, env);
            if slot.profile.idle() {
                self.index.remove(&slot.key);
                *place = None;
                self.free.push(i as u32);
            }
        }
    }

    /// What a checkpoint holds.
    pub fn save(&self) -> Vec<SavedKey<P::Saved>> {
        let mut due: HashMap<u32, Vec<u32>> = HashMap::new();
        for (k, keys) in &self.due {
            keys.iter().for_each(|i| due.entry(*i).or_default().push(*k));
        }
        let mut said = self.said.by_key();
        let slots = self.slots.iter().enumerate().filter_map(|(i, slot)| Some((i as u32, slot.as_ref()?)));
        let saved = slots.map(|(i, slot)| SavedKey {
            key: slot.key,
            name: slot.name.to_string(),
            profile: slot.profile.save(),
            seen: slot.seen,
            due: due.remove(&i).unwrap_or_default(),
            said: said.remove(&i).unwrap_or_default(),
        });
        saved.collect()
    }

    /// Takes up a key.
    pub fn restore(&mut self, saved: SavedKey<P::Saved>) {
        let i = self.place(saved.key, Some(&saved.name), saved.seen);
        if let Some(slot) = &mut self.slots[i as usize] {
            slot.profile = P::restore(saved.profile);
        }
        saved.due.into_iter().for_each(|k| self.due.entry(k).or_default().push(i));
        saved.said.into_iter().for_each(|said| self.said.restore(i, said));
    }
}

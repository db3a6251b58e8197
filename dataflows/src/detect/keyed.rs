//! States by key on the worker that owns them, for stages that hear of keys through [`Delta`]s.
//!
//! Unlike the names of [`pane`](crate::pane), a key lives here as long as its state says, which may be months; what a sender's
//! id means is learned by the protocol of [`delta`](crate::pane::delta).

use crate::dictionary::identity;
use crate::pane::delta::Delta;
use crate::pane::told::owner_of;
use hashbrown::HashTable;

/// The worker that owns the key of an identity in halves.
pub fn owns(key: [u64; 2], peers: usize) -> u64 {
    u64::from(owner_of(u128::from(key[1]) << 64 | u128::from(key[0]), peers as u64))
}

/// See the [module](self). Ids are this worker's own.
#[derive(Default)]
pub struct Keyed<S> {
    index: HashTable<u32>,
    keys: Vec<u128>,
    slots: Vec<Option<(Box<str>, S)>>,
    free: Vec<u32>,
    /// By sender: what its ids mean.
    heard: Vec<Vec<u32>>,
}

impl<S: Default> Keyed<S> {
    /// The id of a name, with an empty state when it is new.
    pub fn id(&mut self, name: &str) -> u32 {
        let key = identity(name.as_bytes());
        let keys = &self.keys;
        if let Some(&id) = self.index.find(key as u64, |&id| keys[id as usize] == key) {
            return id;
        }
        let slot = Some((name.into(), S::default()));
        let id = match self.free.pop() {
            Some(id) => {
                (self.keys[id as usize], self.slots[id as usize]) = (key, slot);
                id
            }
            None => {
                self.keys.push(key);
                self.slots.push(slot);
                self.keys.len() as u32 - 1
            }
        };
        let keys = &self.keys;
        self.index.insert_unique(key as u64, id, |&id| keys[id as usize] as u64);
        id
    }

    /// Learns what the ids of a message mean, then gives each of its rows: id, state, pane, value.
    pub fn hear<V: Copy>(&mut self, delta: &Delta<V>, mut each: impl FnMut(u32, &mut S, u32, V)) {
        let from = delta.from as usize;
        if self.heard.len() <= from {
            self.heard.resize_with(from + 1, Vec::new);
        }
        for (theirs, name) in &delta.names {
            let mine = self.id(name);
            let heard = &mut self.heard[from];
            if heard.len() <= *theirs as usize {
                heard.resize(*theirs as usize + 1, u32::MAX);
            }
            heard[*theirs as usize] = mine;
        }
        for (i, (theirs, v)) in delta.ids.iter().zip(&delta.tallies).enumerate() {
            let id = self.heard[from][*theirs as usize];
            each(id, self.at(id), delta.panes.get(i).copied().unwrap_or(delta.s), *v);
        }
    }

    /// Takes up what was deposited, by name: this is worker `me` of `peers`, and keeps what it owns.
    pub fn restore(&mut self, saved: impl IntoIterator<Item = (String, S)>, me: usize, peers: usize) {
        for (name, state) in saved {
            if owner_of(identity(name.as_bytes()), peers as u64) as usize == me {
                let id = self.id(&name);
                *self.at(id) = state;
            }
        }
    }

    /// Whether a name is held.
    pub fn knows(&self, name: &str) -> bool {
        let key = identity(name.as_bytes());
        self.index.find(key as u64, |&id| self.keys[id as usize] == key).is_some()
    }

    /// The state of a key.
    pub fn at(&mut self, id: u32) -> &mut S {
        &mut self.slots[id as usize].as_mut().expect("the id is in use").1
    }

    /// Name and state of a key.
    pub fn named(&mut self, id: u32) -> (&str, &mut S) {
        let (name, state) = self.slots[id as usize].as_mut().expect("the id is in use");
        (name, state)
    }

    /// All of them, in the order of the names.
    pub fn sorted(&self) -> Vec<(&str, &S)> {
        let mut all: Vec<(&str, &S)> = self.slots.iter().flatten().map(|(name, state)| (&**name, state)).collect();
        all.sort_unstable_by_key(|x| x.0);
        all
    }

    /// Ids in use.
    pub fn ids(&self) -> Vec<u32> {
        (0..self.slots.len() as u32).filter(|id| self.slots[*id as usize].is_some()).collect()
    }

    /// Forgets the keys whose state is not worth keeping. Nobody may speak of such a key again without its name.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut S) -> bool) {
        let (slots, free) = (&mut self.slots, &mut self.free);
        self.index.retain(|&mut id| {
            let slot = &mut slots[id as usize];
            let kept = slot.as_mut().is_some_and(|slot| keep(&mut slot.1));
            if !kept {
                *slot = None;
                free.push(id);
            }
            kept
        });
        // The order of a hash table must not decide which id is next.
        free.sort_unstable_by(|a, b| b.cmp(a));
    }
}

//! Names to dense ids on one worker, with forgetting.
//!
//! A key's identity everywhere is the 128-bit xxh3 of its name; a dense id is only this worker's shorthand, so that folding
//! is an array access. The table hashes with the low half of the same xxh3: a name is hashed once. An id is reused after
//! [`Dictionary::forget`], which bounds the memory by the keys in use.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_128;

/// The identity of a name on all workers.
pub fn identity(name: &[u8]) -> u128 {
    xxh3_128(name)
}

/// The identity of an id that is free. No name that anybody has met has it.
const NOBODY: u128 = 0;

/// What is looked at for each sale, in half a cache line.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Known {
    key: u128,
    /// The last block that used it.
    used: u64,
}

/// One name space.
#[derive(Default)]
pub struct Dictionary {
    table: HashTable<u32>,
    names: Vec<Box<str>>,
    /// By id.
    known: Vec<Known>,
    free: Vec<u32>,
}

impl Dictionary {
    /// The id of `name`, given to it now if it is new. `now` is the number of the block that uses it.
    #[inline]
    pub fn intern(&mut self, name: &str, now: u64) -> u32 {
        self.search(name, identity(name.as_bytes()), now)
    }

    /// The id that the name with this identity seems to have: the table says so much without a look at what is known of the id.
    #[inline]
    pub fn guess(&self, key: u128) -> u32 {
        self.table.find(key as u64, |_| true).map_or(u32::MAX, |id| *id)
    }

    /// The same as [`Dictionary::intern`] for a name whose identity is known.
    pub fn search(&mut self, name: &str, key: u128, now: u64) -> u32 {
        let known = &mut self.known;
        let same = |&id: &u32| known[id as usize].key == key;
        if let Some(&id) = self.table.find(key as u64, same) {
            known[id as usize].used = now;
            return id;
        }
        self.insert(name, key, now)
    }

    /// Whether `id` is still the name with this identity; if so, it is used now.
    #[inline]
    pub fn renew(&mut self, id: u32, key: u128, now: u64) -> bool {
        let known = self.known.get_mut(id as usize).filter(|known| known.key == key);
        if let Some(known) = known {
            known.used = now;
            return true;
        }
        false
    }

    #[cold]
    fn insert(&mut self, name: &str, key: u128, now: u64) -> u32 {
        let id = match self.free.pop() {
            Some(id) => {
                (self.names[id as usize], self.known[id as usize]) = (name.into(), Known { key, used: now });
                id
            }
            None => {
                self.names.push(name.into());
                self.known.push(Known { key, used: now });
                self.names.len() as u32 - 1
            }
        };
        let known = &self.known;
        self.table.insert_unique(key as u64, id, |&id| known[id as usize].key as u64);
        id
    }

    /// The name of an id in use.
    #[inline]
    pub fn name(&self, id: u32) -> &str {
        &self.names[id as usize]
    }

    /// The identity of an id in use.
    #[inline]
    pub fn key(&self, id: u32) -> u128 {
        self.known[id as usize].key
    }

    /// Ids lie in `0..bound()`.
    pub fn bound(&self) -> usize {
        self.names.len()
    }

    /// Names held.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no name is held.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Forgets the names that no block since `before` has used and that `held` does not claim; calls `gone` for each id.
    pub fn forget(&mut self, before: u64, held: impl Fn(u32) -> bool, mut gone: impl FnMut(u32)) {
        let (names, known, free) = (&mut self.names, &mut self.known, &mut self.free);
        self.table.retain(|&mut id| {
            let keep = known[id as usize].used >= before || held(id);
            if !keep {
                (names[id as usize], known[id as usize].key) = (Box::default(), NOBODY);
                free.push(id);
                gone(id);
            }
            keep
        });
        // The order of a hash table must not decide which id is next.
        self.free.sort_unstable_by(|a, b| b.cmp(a));
    }
}

/// The name spaces of one worker.
#[derive(Default)]
pub struct Dictionaries {
    /// Sellers.
    pub sellers: Dictionary,
    /// Categories.
    pub categories: Dictionary,
    /// Products.
    pub products: Dictionary,
    /// Number of the block being decoded; ids are stamped with it.
    pub block: u64,
}

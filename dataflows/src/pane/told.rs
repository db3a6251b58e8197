//! What a reader has told the owners of a class about its ids, and where the rows of the tick at hand stand.
//!
//! The sums of a tick grow where they will be sent: in the owner's message, one row a key. They are few and lie together,
//! unlike a table by id, of which a tick touches a little here and there; and nothing is copied when the tick closes.

use super::delta::Delta;
use crate::dictionary::Dictionary;

#[derive(Clone, Copy)]
struct Known {
    owner: u32,
    /// The tick at which the id was last spoken of; `NEVER` when the owner does not know it.
    at: u32,
    /// Where its row of that tick stands in the message; `NONE` when it has none.
    row: u32,
}

const NEVER: u32 = u32::MAX;
const NONE: u32 = u32::MAX;

/// See the [module](self).
pub struct Told {
    me: u32,
    peers: u64,
    hold: u32,
    /// By id.
    ids: Vec<Known>,
    /// Rows in the longest message of the last ticks, about.
    room: usize,
}

impl Told {
    /// `me`, `peers`: this worker and how many there are; `hold`: see [`hold`](super::delta::hold).
    pub fn new(me: usize, peers: usize, hold: u32) -> Told {
        Told { me: me as u32, peers: peers as u64, hold, ids: vec![], room: 0 }
    }

    /// An empty message for each owner, with room for as many rows as the last ticks had.
    pub fn blank<V: Default>(&self, s: u32) -> Vec<Delta<V>> {
        let room = self.room + self.room / 8;
        let message = |to| {
            let (ids, tallies) = (Vec::with_capacity(room), Vec::with_capacity(room));
            Delta { to, from: self.me, s, ids, tallies, ..Delta::default() }
        };
        (0..self.peers as u32).map(message).collect()
    }

    /// What an id meant is forgotten.
    pub fn forget(&mut self, id: u32) {
        if let Some(known) = self.ids.get_mut(id as usize) {
            known.at = NEVER;
        }
    }

    /// Speaks of an id at tick `s`: explains it where the owner may not know it.
    #[inline]
    fn speak<V>(&mut self, out: &mut [Delta<V>], id: u32, s: u32, names: &Dictionary) -> &mut Known {
        let i = id as usize;
        if self.ids.get(i).is_none_or(|known| known.at != s) {
            self.begin(out, id, s, names);
        }
        &mut self.ids[i]
    }

    /// Speaks of an id for the first time at tick `s`.
    #[inline(never)]
    fn begin<V>(&mut self, out: &mut [Delta<V>], id: u32, s: u32, names: &Dictionary) {
        let i = id as usize;
        if self.ids.len() <= i {
            self.ids.resize(i + 1, Known { owner: 0, at: NEVER, row: NONE });
        }
        let known = &mut self.ids[i];
        if known.at == NEVER || s - known.at > self.hold / 2 {
            known.owner = owner_of(names.key(id), self.peers);
            out[known.owner as usize].names.push((id, names.name(id).to_string()));
        }
        (known.at, known.row) = (s, NONE);
    }

    /// The owner's message, in which `id` is explained.
    #[inline]
    pub fn to<'a, V>(&mut self, out: &'a mut [Delta<V>], id: u32, s: u32, names: &Dictionary) -> &'a mut Delta<V> {
        let owner = self.speak(out, id, s, names).owner;
        &mut out[owner as usize]
    }

    /// Reads what [`Told::row`] will read, and gives a number that means nothing.
    #[inline]
    pub fn touch(&self, id: u32) -> u32 {
        self.ids.get(id as usize).map_or(0, |known| known.at)
    }

    /// The one row of `id` in the messages of tick `s`, which are the same at each call.
    #[inline]
    pub fn row<'a, V: Default>(&mut self, out: &'a mut [Delta<V>], id: u32, s: u32, names: &Dictionary) -> &'a mut V {
        let known = self.speak(out, id, s, names);
        let to = &mut out[known.owner as usize];
        if known.row == NONE {
            known.row = to.ids.len() as u32;
            to.ids.push(id);
            to.tallies.push(V::default());
        }
        &mut to.tallies[known.row as usize]
    }

    /// The messages that say something.
    pub fn send<V>(&mut self, messages: Vec<Delta<V>>, out: &mut Vec<Delta<V>>) {
        let longest = messages.iter().map(|d| d.ids.len()).max().unwrap_or(0);
        self.room = longest.max(self.room - self.room / 16);
        out.extend(messages.into_iter().filter(|d| !d.ids.is_empty() || !d.customers.is_empty() || !d.names.is_empty()));
    }
}

/// The worker that owns a key.
pub(crate) fn owner_of(key: u128, peers: u64) -> u32 {
    ((((key >> 64) as u64 >> 32) * peers) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_row_a_tick_and_is_explained_when_need_be() {
        let mut names = Dictionary::default();
        let [a, b] = ["a", "b"].map(|n| names.intern(n, 0));
        let mut told = Told::new(0, 1, 10);
        let mut tick = |s: u32, ids: &[u32]| {
            let mut messages: Vec<Delta<i64>> = told.blank(s);
            ids.iter().for_each(|id| *told.row(&mut messages, *id, s, &names) += 1);
            let mut sent = vec![];
            told.send(messages, &mut sent);
            sent.into_iter().map(|d| (d.names.len(), d.ids, d.tallies)).next()
        };
        assert_eq!(tick(1, &[b, a, b]), Some((2, vec![b, a], vec![2, 1])));
        assert_eq!(tick(2, &[]), None);
        assert_eq!(tick(6, &[a]), Some((0, vec![a], vec![1])));
        // b was last spoken of six ticks ago, and the owner may forget it after ten
        assert_eq!(tick(7, &[b]), Some((1, vec![b], vec![1])));
        told.forget(b);
        let mut messages: Vec<Delta<i64>> = told.blank(8);
        assert_eq!(told.to(&mut messages, b, 8, &names).names, [(b, "b".to_string())]);
        // spoken of at 8 already, but without a row
        *told.row(&mut messages, b, 8, &names) += 5;
        assert_eq!((messages[0].ids.clone(), messages[0].tallies.clone()), (vec![b], vec![5]));
    }
}

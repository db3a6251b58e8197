//! The dense ids that were touched, in order.
//!
//! A bit for each id, and a bit for each word of those that is not empty. Marking costs no comparison, an id that is touched
//! again costs nothing more, and the ids come back ascending: whoever works through them walks its arrays forwards, and what
//! they make is sorted.

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Touched {
    words: Vec<u64>,
    busy: Vec<u64>,
}

impl Touched {
    /// Touches an id.
    #[inline]
    pub fn mark(&mut self, id: u32) {
        let word = id as usize / 64;
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
            self.busy.resize(word / 64 + 1, 0);
        }
        self.words[word] |= 1 << (id % 64);
        self.busy[word / 64] |= 1 << (word % 64);
    }

    /// How many ids are touched.
    pub fn len(&self) -> usize {
        bits(&self.busy).map(|word| self.words[word].count_ones() as usize).sum()
    }

    /// Whether no id is touched.
    pub fn is_empty(&self) -> bool {
        self.busy.iter().all(|b| *b == 0)
    }

    /// Gives each touched id once, in order; none is touched afterwards.
    #[inline]
    pub fn drain(&mut self, mut give: impl FnMut(u32)) {
        for (i, busy) in self.busy.iter_mut().enumerate() {
            for j in ones(std::mem::take(busy)) {
                let word = 64 * i + j;
                for bit in ones(std::mem::take(&mut self.words[word])) {
                    give((64 * word + bit) as u32);
                }
            }
        }
    }
}

/// Sorts things by ranks that are all different and not much greater than there are things: each rank is marked, and nothing is
/// compared.
#[derive(Debug, Default)]
pub struct Ranks {
    touched: Touched,
    /// By rank: whose it is.
    whose: Vec<u32>,
    order: Vec<u32>,
}

impl Ranks {
    /// Gives the places in `ranks` in the order of the ranks that stand there.
    pub fn sort(&mut self, ranks: &[u32], give: impl FnOnce(&[u32])) {
        let Ranks { touched, whose, order } = self;
        let bound = ranks.iter().max().map_or(0, |most| *most as usize + 1);
        whose.resize(whose.len().max(bound), 0);
        for (rank, at) in ranks.iter().zip(0..) {
            whose[*rank as usize] = at;
            touched.mark(*rank);
        }
        order.clear();
        touched.drain(|rank| order.push(whose[rank as usize]));
        debug_assert_eq!(order.len(), ranks.len(), "two things have the same rank");
        give(order);
    }
}

/// The places of the ones in a word.
#[inline]
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = word.trailing_zeros() as usize;
        word &= word.wrapping_sub(1);
        (at < 64).then_some(at)
    })
}

/// The places of the ones in a row of words.
fn bits(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(i, word)| ones(*word).map(move |j| 64 * i + j))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn each_once_and_in_order(ids in proptest::collection::vec(prop_oneof![0..200u32, 0..100_000u32], 0..300)) {
            let mut touched = Touched::default();
            for _ in 0..2 {
                ids.iter().for_each(|id| touched.mark(*id));
                let expected: BTreeSet<u32> = ids.iter().copied().collect();
                prop_assert_eq!((touched.len(), touched.is_empty()), (expected.len(), expected.is_empty()));
                let mut found = vec![];
                touched.drain(|id| found.push(id));
                prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
                prop_assert!(touched.is_empty());
            }
        }
    }

    proptest! {
        #[test]
        fn ranks_sort_as_a_sort_does(ranks in proptest::collection::btree_set(0..1_000u32, 0..100), turn in 0..100usize) {
            let mut ranks: Vec<u32> = ranks.into_iter().collect();
            let turn = turn.min(ranks.len());
            ranks.rotate_left(turn);
            let mut expected: Vec<u32> = (0..ranks.len() as u32).collect();
            expected.sort_by_key(|i| ranks[*i as usize]);
            let mut sorter = Ranks::default();
            for _ in 0..2 {
                let mut found = vec![];
                sorter.sort(&ranks, |order| found.extend_from_slice(order));
                prop_assert_eq!(&found, &expected);
            }
        }
    }
}

//! Makes batches of updates that come nearly in order and leave at the next step of the frontier.
//!
//! Differential's own batcher cuts what comes into small sorted chunks and merges them in a ladder, so that much can be held
//! back for long. Here nothing is held back: the stores keep what is not due, and what they say leaves at once. So all of
//! a step is sorted in one go, which is one pass over what is in order already, and becomes a batch as it is.

use crate::time::Bi;
use differential_dataflow::ExchangeData;
use differential_dataflow::batcher::merge::Sealer;
use differential_dataflow::batcher::{Batcher, Extract};
use differential_dataflow::consolidation::consolidate_updates;
use differential_dataflow::difference::Semigroup;
use differential_dataflow::trace::implementations::KeyBuilder;
use timely::progress::Antichain;
use timely::progress::frontier::AntichainRef;

type Updates<K, R> = Vec<((K, ()), Bi, R)>;

/// See the [module](self).
pub struct Sorter<K, R> {
    held: Updates<K, R>,
    /// The least times in `held`, as of the last batch.
    lower: Antichain<Bi>,
}

impl<K, R> Default for Sorter<K, R> {
    fn default() -> Self {
        Sorter { held: vec![], lower: Antichain::new() }
    }
}

impl<K: ExchangeData, R: ExchangeData + Semigroup> Batcher<Updates<K, R>> for Sorter<K, R> {
    fn insert(&mut self, updates: &mut Updates<K, R>) {
        if self.held.is_empty() {
            std::mem::swap(&mut self.held, updates);
        } else {
            self.held.append(updates);
        }
    }
}

impl<K: ExchangeData, R: ExchangeData + Semigroup> Extract for Sorter<K, R> {
    type Time = Bi;
    type Output = <KeyBuilder<K, Bi, R> as Sealer<Updates<K, R>>>::Output;

    fn extract<'a>(&'a mut self, upper: AntichainRef<'_, Bi>) -> (Option<Self::Output>, AntichainRef<'a, Bi>) {
        let mut ready = std::mem::take(&mut self.held);
        self.held.extend(ready.extract_if(.., |update| upper.less_equal(&update.1)));
        self.lower.clear();
        for (_, time, _) in &self.held {
            self.lower.insert_ref(time);
        }
        consolidate_updates(&mut ready);
        (KeyBuilder::<K, Bi, R>::seal(&mut vec![ready]), self.lower.borrow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u32, e: u32) -> Bi {
        Bi { s, e }
    }

    #[test]
    fn what_is_ready_leaves_added_up_and_the_rest_stays() {
        let mut sorter = Sorter::<u32, i64>::default();
        sorter.insert(&mut vec![((2, ()), at(5, 5), 1), ((1, ()), at(5, 4), 2), ((2, ()), at(5, 5), 3)]);
        sorter.insert(&mut vec![((7, ()), at(9, 6), 1), ((1, ()), at(5, 4), -2)]);
        let upper = Antichain::from_elem(at(6, 3));
        let (batch, held) = sorter.extract(upper.borrow());
        // 2 at (5, 5) alone: 1 + 3; 1 at (5, 4) came to nothing
        assert_eq!(batch.map(|b| b.updates), Some(1));
        assert_eq!(held.to_owned(), Antichain::from_elem(at(9, 6)));
        let upper = Antichain::new();
        let (batch, held) = sorter.extract(upper.borrow());
        assert_eq!((batch.map(|b| b.updates), held.is_empty()), (Some(1), true));
        assert!(sorter.extract(upper.borrow()).0.is_none());
    }
}

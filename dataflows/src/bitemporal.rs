//! The operators that differential lacks for (event tick, system tick) times.
//!
//! Differential's `count` and `reduce` are correct for partially ordered times, but replay a key's history at each interesting
//! time: 3 to 6 times the cost at a lateness of 60 ticks, even when nothing is late. The ones here rely on more: ticks
//! complete in the order of `s`, so that what was known at `s` is a plain function of the event tick, and one walk over the
//! event ticks of a key gives all its changes.
//!
//! Contract, between [`align`] and what follows it:
//! 1. `align` sits directly before each arrangement that feeds [`count`] or [`greatest`], and before
//!    [`serve`](crate::serve::serve), which counts by itself.
//! 2. Behind it the frontier is a single element `(s - lateness, s)`; asserted in debug builds by the batches' uppers.
//! 3. No update reaches back further than `lateness` event ticks; not asserted here: an update before the capability is
//!    caught by timely in debug builds.
//!
//! When 1 or 2 is broken, a held batch makes the frontier fork into `{(24, 66), (10, 70)}`; tick 70 is then processed
//! before tick 66 is complete, and corrections are computed from a history that is not yet there.

mod align;
mod sorter;
mod count;
mod greatest;

pub use align::align;
pub use count::count;
pub use greatest::{Contest, greatest};

use crate::time::Bi;
use differential_dataflow::ExchangeData;
use differential_dataflow::VecCollection;
use differential_dataflow::difference::Semigroup;
use differential_dataflow::operators::arrange::arrangement::arrange_core;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::KeySpine;
use sorter::Sorter;
use timely::dataflow::channels::pact::Exchange;

/// An arrangement by key whose difference carries the aggregate.
pub type Keyed<'s, K, R> = Arranged<'s, TraceAgent<KeySpine<K, Bi, R>>>;

/// Arranges on worker 0, for what is few and global.
pub fn arrange_first<'s, K: ExchangeData, R: ExchangeData + Semigroup>(
    c: VecCollection<'s, Bi, (K, ()), R>,
    name: &str,
) -> Keyed<'s, K, R> {
    let first = Exchange::new(|_: &((K, ()), Bi, R)| 0);
    arrange_core::<_, _, Sorter<K, R>, KeySpine<K, Bi, R>>(c.inner, first, name, |_, _| Sorter::default())
}

//! The sum of each key as a step function of the event tick, corrected at each system tick.
//!
//! Per key and system tick: sum the history before the least new event tick, walk the remaining event ticks, keep the sum
//! `before` and `after` the new updates, and emit the change of the step function at (e, s). The walk stops after the last
//! new event tick once both sums are equal. The common case, one key, one update on time, sorts nothing.

use super::Keyed;
use crate::time::Bi;
use differential_dataflow::consolidation::consolidate;
use differential_dataflow::difference::{Abelian, Monoid};
use differential_dataflow::trace::cursor::cursor_list;
use differential_dataflow::trace::{Cursor, TraceReader};
use differential_dataflow::{AsCollection, ExchangeData, VecCollection};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::Operator;
use timely::progress::{Antichain, Timestamp};

/// Counts: what `say` makes of key and sum, for each key whose sum is not zero. See the [module](super) for what it needs of
/// its input.
pub fn count<'s, K, R, D>(
    arranged: Keyed<'s, K, R>,
    name: &str,
    say: impl Fn(&K, R) -> D + 'static,
) -> VecCollection<'s, Bi, D, isize>
where
    K: ExchangeData,
    R: ExchangeData + Abelian + Monoid,
    D: Clone + 'static,
{
    let mut trace = arranged.trace;
    arranged
        .stream
        .unary_frontier::<CapacityContainerBuilder<Vec<(D, Bi, isize)>>, _, _, _>(Pipeline, name, move |_, _| {
            let mut lower = Antichain::from_elem(Bi::minimum());
            let mut upper = lower.clone();
            let mut walk = Walk::default();
            let mut fresh: Vec<(Bi, R)> = vec![];
            move |(input, _), output| {
                let mut batches = vec![];
                lower.clone_from(&upper);
                let mut caps = CapabilitySet::new();
                input.for_each(|cap, data| {
                    for c in cap.retain_stamp(0).iter() {
                        caps.insert(c.clone());
                    }
                    for batch in data.drain(..) {
                        debug_assert!(batch.upper().elements().len() <= 1, "forked batch {:?}", batch.upper());
                        upper.clone_from(batch.upper());
                        batches.push(batch);
                    }
                });
                if !caps.is_empty() {
                    let mut out = output.session(&caps);
                    let (mut new, new_in) = cursor_list(batches.into_iter().filter_map(|b| b.inner).collect());
                    let through = trace.batches_through(lower.borrow()).expect("the trace is read at the uppers of its batches");
                    let (mut old, old_in) = cursor_list(through);
                    while let Some(key) = new.get_key(&new_in) {
                        fresh.clear();
                        new.map_times(&new_in, |t, d| fresh.push((*t, d.clone())));
                        consolidate(&mut fresh);
                        let least = fresh.iter().map(|x| x.0.e).min().unwrap_or(0);
                        walk.start();
                        old.seek_key(&old_in, key);
                        if old.get_key(&old_in) == Some(key) {
                            old.map_times(&old_in, |t, d| walk.remember(t.e, d, least));
                        }
                        walk.run(&fresh, |r, time, diff| out.give((say(key, r), time, diff)));
                        new.step_key(&new_in);
                    }
                }
                trace.advance_upper(&mut upper);
                trace.set_logical_compaction(upper.borrow());
                trace.set_physical_compaction(upper.borrow());
            }
        })
        .as_collection()
}

/// The walk over the event ticks of one key; buffers are kept from key to key.
struct Walk<R> {
    base: R,
    history: Vec<(u32, R)>,
    /// By update, the last first: the least event tick from it on.
    least: Vec<u32>,
    four: Vec<(R, isize)>,
}

impl<R: Monoid> Default for Walk<R> {
    fn default() -> Self {
        Walk { base: R::zero(), history: vec![], least: vec![], four: vec![] }
    }
}

impl<R: Abelian + Monoid + Clone + Ord> Walk<R> {
    fn start(&mut self) {
        self.base = R::zero();
        self.history.clear();
    }

    /// Takes an earlier update. All of them before `least` are one sum.
    #[inline]
    fn remember(&mut self, e: u32, diff: &R, least: u32) {
        if e < least { self.base.plus_equals(diff) } else { self.history.push((e, diff.clone())) }
    }

    /// `fresh` is consolidated, hence sorted by (s, e).
    fn run(&mut self, fresh: &[(Bi, R)], mut emit: impl FnMut(R, Bi, isize)) {
        if let ([(time, diff)], true) = (fresh, self.history.is_empty()) {
            return self.step(*time, diff, emit);
        }
        consolidate(&mut self.history);
        // What lies before all that is still to come is one sum: the history stays as short as corrections reach back.
        self.least.clear();
        let later = fresh.iter().rev().scan(u32::MAX, |least, (t, _)| {
            *least = t.e.min(*least);
            Some(*least)
        });
        self.least.extend(later);
        let mut done = 0;
        for new in fresh.chunk_by(|a, b| a.0.s == b.0.s) {
            self.tick(new[0].0.s, new, &mut emit);
            done += new.len();
            if done < fresh.len() {
                let least = self.least[fresh.len() - 1 - done];
                self.history.extend(new.iter().map(|(t, r)| (t.e, r.clone())));
                consolidate(&mut self.history);
                let past = self.history.partition_point(|x| x.0 < least);
                for (_, r) in self.history.drain(..past) {
                    self.base.plus_equals(&r);
                }
            }
        }
    }

    /// One update behind all that is known: one step.
    #[inline]
    fn step(&mut self, time: Bi, diff: &R, mut emit: impl FnMut(R, Bi, isize)) {
        let mut after = self.base.clone();
        after.plus_equals(diff);
        let before = std::mem::replace(&mut self.base, R::zero());
        if after != before {
            if !after.is_zero() {
                emit(after, time, 1);
            }
            if !before.is_zero() {
                emit(before, time, -1);
            }
        }
    }

    fn tick(&mut self, s: u32, new: &[(Bi, R)], emit: &mut impl FnMut(R, Bi, isize)) {
        let history = &self.history;
        let from = new[0].0.e;
        let mut before = self.base.clone();
        let mut h = 0;
        while h < history.len() && history[h].0 < from {
            before.plus_equals(&history[h].1);
            h += 1;
        }
        let mut after = before.clone();
        let (mut was_before, mut was_after) = (before.clone(), before.clone());
        let mut n = 0;
        while h < history.len() || n < new.len() {
            let e = match (history.get(h), new.get(n)) {
                (Some(a), Some(b)) => a.0.min(b.0.e),
                (Some(a), None) => a.0,
                (None, Some(b)) => b.0.e,
                (None, None) => break,
            };
            while h < history.len() && history[h].0 == e {
                before.plus_equals(&history[h].1);
                after.plus_equals(&history[h].1);
                h += 1;
            }
            while n < new.len() && new[n].0.e == e {
                after.plus_equals(&new[n].1);
                n += 1;
            }
            self.four.extend([(after.clone(), 1), (before.clone(), -1), (was_after, -1), (was_before, 1)]);
            consolidate(&mut self.four);
            for (r, d) in self.four.drain(..) {
                if !r.is_zero() {
                    emit(r, Bi { s, e }, d);
                }
            }
            if n == new.len() && before == after {
                break;
            }
            (was_before, was_after) = (before.clone(), after.clone());
        }
    }
}

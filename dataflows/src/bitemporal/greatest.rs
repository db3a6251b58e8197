//! The greatest value that is present, as a step function of the event tick, corrected at each system tick.
//!
//! For what is few: one candidate a worker and tick. The whole history of a contest is one multiset that is walked like a count's;
//! contests of the same window share the arrangement.

use super::Keyed;
use crate::time::Bi;
use differential_dataflow::consolidation::consolidate;
use differential_dataflow::trace::cursor::cursor_list;
use differential_dataflow::trace::{Cursor, TraceReader};
use differential_dataflow::{AsCollection, ExchangeData, VecCollection};
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::CapabilitySet;
use timely::dataflow::operators::generic::Operator;
use timely::progress::{Antichain, Timestamp};

/// Values that compete with those of the same contest, and with no others.
pub trait Contest: ExchangeData {
    /// Which contest. In the order of the values, those of a contest follow each other.
    fn contest(&self) -> u8;
}

/// What a step of the frontier brings to a contest.
struct Round<V> {
    contest: u8,
    fresh: Vec<((Bi, V), isize)>,
    /// The least event tick of what is fresh.
    least: u32,
    /// The multiset before that.
    base: BTreeMap<V, isize>,
    history: Vec<((u32, V), isize)>,
}

/// The greatest value of each contest with a positive count at each event tick, of all workers, as `say` puts it: `values` must be
/// arranged on one worker.
pub fn greatest<'s, V: Contest, D: Clone + 'static>(
    values: Keyed<'s, V, isize>,
    name: &str,
    say: impl Fn(V) -> D + 'static,
) -> VecCollection<'s, Bi, D, isize> {
    let mut trace = values.trace;
    values
        .stream
        .unary_frontier::<CapacityContainerBuilder<Vec<(D, Bi, isize)>>, _, _, _>(Pipeline, name, move |_, _| {
            let mut lower = Antichain::from_elem(Bi::minimum());
            let mut upper = lower.clone();
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
                    let mut rounds: Vec<Round<V>> = vec![];
                    let (mut new, new_in) = cursor_list(batches.into_iter().filter_map(|b| b.inner).collect());
                    while let Some(value) = new.get_key(&new_in) {
                        let contest = value.contest();
                        if rounds.last().is_none_or(|round| round.contest != contest) {
                            rounds.push(Round { contest, fresh: vec![], least: 0, base: BTreeMap::new(), history: vec![] });
                        }
                        if let Some(round) = rounds.last_mut() {
                            new.map_times(&new_in, |t, d| round.fresh.push(((*t, value.clone()), *d)));
                        }
                        new.step_key(&new_in);
                    }
                    for round in &mut rounds {
                        consolidate(&mut round.fresh);
                        round.least = round.fresh.iter().map(|x| x.0.0.e).min().unwrap_or(0);
                    }
                    let through = trace.batches_through(lower.borrow()).expect("the trace is read at the uppers of its batches");
                    let (mut old, old_in) = cursor_list(through);
                    while let Some(value) = old.get_key(&old_in) {
                        if let Some(round) = rounds.iter_mut().find(|round| round.contest == value.contest()) {
                            old.map_times(&old_in, |t, d| {
                                if t.e < round.least {
                                    change(&mut round.base, value, *d);
                                } else {
                                    round.history.push(((t.e, value.clone()), *d));
                                }
                            });
                        }
                        old.step_key(&old_in);
                    }
                    for Round { fresh, base, history, .. } in rounds {
                        walk(base, history, &fresh, |v, t, d| out.give((say(v), t, d)));
                    }
                }
                trace.advance_upper(&mut upper);
                trace.set_logical_compaction(upper.borrow());
                trace.set_physical_compaction(upper.borrow());
            }
        })
        .as_collection()
}

fn change<V: Ord + Clone>(set: &mut BTreeMap<V, isize>, value: &V, diff: isize) {
    if let Some(n) = set.get_mut(value) {
        *n += diff;
        if *n == 0 {
            set.remove(value);
        }
    } else if diff != 0 {
        set.insert(value.clone(), diff);
    }
}

fn top<V: Ord + Clone>(set: &BTreeMap<V, isize>) -> Option<V> {
    set.iter().rev().find(|x| *x.1 > 0).map(|x| x.0.clone())
}

/// `base`: the multiset before the least new event tick; `fresh` is sorted by (s, e).
fn walk<V: Ord + Clone>(
    mut base: BTreeMap<V, isize>,
    mut history: Vec<((u32, V), isize)>,
    fresh: &[((Bi, V), isize)],
    mut emit: impl FnMut(V, Bi, isize),
) {
    consolidate(&mut history);
    // By update, the last first: the least event tick from it on. What lies before all that is still to come goes into the
    // base, so that the history stays as short as corrections reach back.
    let later = fresh.iter().rev().scan(u32::MAX, |least, ((t, _), _)| {
        *least = t.e.min(*least);
        Some(*least)
    });
    let later: Vec<u32> = later.collect();
    let mut done = 0;
    for new in fresh.chunk_by(|a, b| a.0.0.s == b.0.0.s) {
        tick(&base, &history, new, &mut emit);
        done += new.len();
        if done < fresh.len() {
            history.extend(new.iter().map(|((t, v), d)| ((t.e, v.clone()), *d)));
            consolidate(&mut history);
            let past = history.partition_point(|x| x.0.0 < later[fresh.len() - 1 - done]);
            for ((_, v), d) in history.drain(..past) {
                change(&mut base, &v, d);
            }
        }
    }
}

/// What one system tick changes.
fn tick<V: Ord + Clone>(
    base: &BTreeMap<V, isize>,
    history: &[((u32, V), isize)],
    new: &[((Bi, V), isize)],
    emit: &mut impl FnMut(V, Bi, isize),
) {
    let Bi { s, e: from } = new[0].0.0;
    let mut before = base.clone();
    let mut h = 0;
    while h < history.len() && history[h].0.0 < from {
        change(&mut before, &history[h].0.1, history[h].1);
        h += 1;
    }
    let mut after = before.clone();
    let (mut was_before, mut was_after) = (top(&before), top(&before));
    let mut n = 0;
    while h < history.len() || n < new.len() {
        let e = match (history.get(h), new.get(n)) {
            (Some(a), Some(b)) => a.0.0.min(b.0.0.e),
            (Some(a), None) => a.0.0,
            (None, Some(b)) => b.0.0.e,
            (None, None) => break,
        };
        while h < history.len() && history[h].0.0 == e {
            change(&mut before, &history[h].0.1, history[h].1);
            change(&mut after, &history[h].0.1, history[h].1);
            h += 1;
        }
        while n < new.len() && new[n].0.0.e == e {
            change(&mut after, &new[n].0.1, new[n].1);
            n += 1;
        }
        let (is_before, is_after) = (top(&before), top(&after));
        let mut four = vec![(is_after.clone(), 1), (is_before.clone(), -1), (was_after, -1), (was_before, 1)];
        consolidate(&mut four);
        for (v, d) in four {
            if let Some(v) = v {
                emit(v, Bi { s, e }, d);
            }
        }
        if n == new.len() && before == after {
            break;
        }
        (was_before, was_after) = (is_before, is_after);
    }
}

//! The operators around [`Baskets`] and [`Counts`]: who bought where in, signals out.

use super::baskets::{self, Baskets, Step, Word};
use super::counts::{self, Counts};
use super::signal::Signal;
use crate::clock::Failure;
use crate::pane::heads::Heads;
use crate::plan::ceil;
use crate::site::Site;
use crate::time::Bi;
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// As the checkpoint knows the stages.
const BASKETS: &str = "detect/baskets";
/// See [`BASKETS`].
const COUNTS: &str = "detect/counts";

/// What came from live inputs and waits for its slide: input, pane, sales.
type Inputs = BTreeMap<u32, Vec<(u32, u32, i64)>>;

/// Counts baskets on the owners of customers and of sellers.
pub fn count_baskets<'s>(heads: Stream<'s, Bi, Vec<Heads>>, site: &Site) -> Stream<'s, Bi, Vec<Word>> {
    let (site, scope) = (site.clone(), heads.scope());
    let (me, peers) = (scope.index(), scope.peers());
    let to = Exchange::new(|heads: &Heads| heads.to.into());
    heads.unary_frontier::<CapacityContainerBuilder<Vec<Word>>, _, _, _>(to, "Baskets", move |cap, info| {
        let mut cap = Some(cap);
        let mut naps = site.naps(&info, me);
        let snapshots = site.context.snapshots.clone();
        let mut baskets = Baskets::new(&site.context.plan.detect);
        match snapshots.join::<baskets::Saved>(BASKETS) {
            Ok((_, saved)) if saved.is_empty() => (),
            Ok((since, saved)) => baskets.restore(saved, since, me, peers),
            Err(problem) => site.context.fail(Failure::Input(problem)),
        }
        move |(input, frontier), output| {
            naps.nap();
            let Some(hold) = cap.as_mut() else { return };
            let mut session = output.session(&*hold);
            input.for_each(|_, data| {
                for mut heads in data.drain(..) {
                    let s = ceil(heads.s, site.context.plan.detect.step);
                    let (names, arrived) = (std::mem::take(&mut heads.names), std::mem::take(&mut heads.arrived));
                    names.into_iter().for_each(|(level, key, name)| session.give(Word::Name(level, key, name)));
                    arrived.into_iter().for_each(|(input, pane, n)| session.give(Word::Arrived(s, input, pane, n)));
                    baskets.learn(heads);
                }
            });
            let Some(open) = frontier.frontier().iter().map(|t| t.s).min() else {
                drop(session);
                cap = None;
                return;
            };
            while let Some(s) = baskets.busy().filter(|s| *s < open) {
                baskets.close(s, |step| session.give(Word::Step(step)));
            }
            drop(session);
            if let Err(problem) = snapshots.stage(BASKETS, open, || baskets.save(open)) {
                return site.context.fail(Failure::Output(problem));
            }
            if hold.time().s < open {
                hold.downgrade(&Bi::diagonal(open));
            }
        }
    })
}

/// Judges counts, on worker 0.
pub fn judge_counts<'s>(words: Stream<'s, Bi, Vec<Word>>, site: &Site) -> Stream<'s, Bi, Vec<Signal>> {
    let (site, me) = (site.clone(), words.scope().index());
    let to = Exchange::new(|_: &Word| 0);
    words.unary_frontier::<CapacityContainerBuilder<Vec<Signal>>, _, _, _>(to, "Counts", move |cap, info| {
        let mut cap = Some(cap).filter(|_| me == 0);
        let mut naps = site.naps(&info, me);
        let plan = site.context.plan.clone();
        let snapshots = site.context.snapshots.clone();
        let (mut counts, mut inputs): (Counts, Inputs) = (Counts::new(&plan), BTreeMap::new());
        if me == 0 {
            match snapshots.join::<(counts::Saved, Inputs)>(COUNTS) {
                Ok((_, saved)) => saved.into_iter().for_each(|saved| {
                    counts = Counts::restore(&plan, saved.0);
                    inputs = saved.1;
                }),
                Err(problem) => site.context.fail(Failure::Input(problem)),
            }
        }
        let mut waiting: BTreeMap<u32, Vec<Step>> = BTreeMap::new();
        move |(input, frontier), output| {
            naps.nap();
            input.for_each(|_, data| {
                for word in data.drain(..) {
                    match word {
                        Word::Step(step) => waiting.entry(step.s).or_default().push(step),
                        Word::Name(level, key, name) => counts.name(level, key, name),
                        Word::Arrived(s, input, pane, n) => inputs.entry(s).or_default().push((input, pane, n)),
                    }
                }
            });
            let Some((open, hold)) = frontier.frontier().iter().map(|t| t.s).min().zip(cap.as_mut()) else {
                cap = None;
                return;
            };
            // a pane that no watermark has passed is not whole, and says nothing
            let whole = site.context.ending.borrow().map_or(u32::MAX, |ending| ending.whole);
            let mut session = output.session(&*hold);
            let next = |waiting: &BTreeMap<u32, Vec<Step>>, counts: &Counts| {
                let known = waiting.keys().next().copied();
                known.into_iter().chain(counts.busy()).min().filter(|s| *s < open && *s <= whole)
            };
            while let Some(s) = next(&waiting, &counts) {
                while let Some(known) = inputs.first_entry().filter(|known| *known.key() <= s) {
                    known.remove().into_iter().for_each(|(input, pane, n)| counts.arrive(input, pane, n));
                }
                counts.close(s, waiting.remove(&s).unwrap_or_default(), |signal| session.give(signal));
            }
            drop(session);
            if let Err(problem) = snapshots.stage(COUNTS, open, || (counts.save(), inputs.clone())) {
                return site.context.fail(Failure::Output(problem));
            }
            if hold.time().s < open {
                hold.downgrade(&Bi::diagonal(open));
            }
        }
    })
}

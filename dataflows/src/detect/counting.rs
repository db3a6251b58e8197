//! The operators around [`Baskets`] and [`Counts`]: who bought where in, signals out.

use super::baskets::{self, Baskets, Step, Word};
use super::counts::{self, Counts, Expectation};
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
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{Operator, OutputBuilder};

/// As the checkpoint knows the stages.
const BASKETS: &str = "baskets";
/// See [`BASKETS`].
const COUNTS: &str = "counts";

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

/// What comes out of judging counts.
pub struct Judged<'s> {
    /// What stands out.
    pub signals: Stream<'s, Bi, Vec<Signal>>,
    /// What was expected of each category, where single sales are looked at, too.
    pub expectations: Stream<'s, Bi, Vec<Expectation>>,
}

/// Judges counts, on worker 0.
pub fn judge_counts<'s>(words: Stream<'s, Bi, Vec<Word>>, site: &Site) -> Judged<'s> {
    let (site, scope) = (site.clone(), words.scope());
    let me = scope.index();
    let mut builder = OperatorBuilder::new("Counts".into(), scope);
    let info = builder.operator_info();
    let mut input = builder.new_input(words, Exchange::new(|_: &Word| 0));
    let (output, signals) = builder.new_output::<Vec<Signal>>();
    let mut output = OutputBuilder::<_, CapacityContainerBuilder<Vec<Signal>>>::from(output);
    let (also, expectations) = builder.new_output::<Vec<Expectation>>();
    let mut also = OutputBuilder::<_, CapacityContainerBuilder<Vec<Expectation>>>::from(also);
    builder.build(move |mut caps| {
        if me != 0 {
            caps.clear();
        }
        let mut naps = site.naps(&info, me);
        let plan = site.context.plan.clone();
        let snapshots = site.context.snapshots.clone();
        let mut counts = Counts::new(&plan);
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
        let mut inputs: Inputs = BTreeMap::new();
        move |frontiers| {
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
            if caps.is_empty() {
                return;
            }
            let Some(open) = frontiers[0].frontier().iter().map(|t| t.s).min() else {
                caps.clear();
                return;
            };
            // a pane that no watermark has passed is not whole, and says nothing
            let whole = site.context.ending.borrow().map_or(u32::MAX, |ending| ending.whole);
            let next = |waiting: &BTreeMap<u32, Vec<Step>>, counts: &Counts| {
                let known = waiting.keys().next().copied();
                known.into_iter().chain(counts.busy()).min().filter(|s| *s < open && *s <= whole)
            };
            while let Some(s) = next(&waiting, &counts) {
                let mut said = vec![];
                while let Some(known) = inputs.first_entry().filter(|known| *known.key() <= s) {
                    known.remove().into_iter().for_each(|(input, pane, n)| counts.arrive(input, pane, n));
                }
                let first = counts.close(s, waiting.remove(&s).unwrap_or_default(), |signal| said.push(signal));
                output.activate().session(&caps[0]).give_iterator(said.into_iter());
                if plan.signals.enabled {
                    let mut told = vec![];
                    counts.expectations(s, first, |it| told.push(it));
                    also.activate().session(&caps[1]).give_iterator(told.into_iter());
                }
            }
            if let Err(problem) = snapshots.stage(COUNTS, open, || (counts.save(), inputs.clone())) {
                return site.context.fail(Failure::Output(problem));
            }
            for cap in caps.iter_mut().filter(|cap| cap.time().s < open) {
                cap.downgrade(&Bi::diagonal(open));
            }
        }
    });
    Judged { signals, expectations }
}

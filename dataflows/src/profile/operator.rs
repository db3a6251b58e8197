//! The operator around [`Stage`]: what readers and baskets tell in, rows and parts of vectors out.

use super::baskets::Bought;
use super::fact::Told;
use super::stage::{Parts, Saved, Stage};
use crate::clock::Failure;
use crate::edge::Batch;
use crate::plan::ceil;
use crate::site::Site;
use crate::time::Bi;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// The name under which the stage deposits its state.
const NAME: &str = "profiles";

/// What leaves the owners of profiles.
pub struct Profiled<'s> {
    /// Rows.
    pub rows: Stream<'s, Bi, Vec<Batch>>,
    /// To where vectors are put together.
    pub parts: Stream<'s, Bi, Vec<Parts>>,
}

/// Profiles of all keys, on their owners.
pub fn profiles<'s>(told: Stream<'s, Bi, Vec<Told>>, bought: Stream<'s, Bi, Vec<Bought>>, site: &Site) -> Profiled<'s> {
    let scope = told.scope();
    let (me, peers) = (scope.index(), scope.peers());
    let context = site.context.clone();
    let plan = context.plan.clone();
    let mut builder = OperatorBuilder::new("Profiles".into(), scope);
    let mut told = builder.new_input(told, Exchange::new(|t: &Told| u64::from(t.to)));
    let mut bought = builder.new_input(bought, Exchange::new(|b: &Bought| u64::from(b.to)));
    let (out, rows) = builder.new_output::<Vec<Batch>>();
    let mut rows_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Batch>>>::from(out);
    let (out, parts) = builder.new_output::<Vec<Parts>>();
    let mut parts_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Parts>>>::from(out);
    let mut stage = Stage::new(&plan, me, peers);
    match context.snapshots.join::<Saved>(NAME) {
        Ok((_, held)) => held.into_iter().enumerate().for_each(|(worker, held)| stage.restore(worker, held)),
        Err(problem) => context.fail(Failure::Input(problem)),
    }
    builder.build(move |mut caps| {
        move |frontiers| {
            told.for_each(|_, data| data.drain(..).filter(|t| !t.is_empty()).for_each(|t| stage.told(t)));
            bought.for_each(|_, data| data.drain(..).for_each(|b| stage.bought(b)));
            if caps.is_empty() {
                return;
            }
            let open = Bi::open(frontiers);
            let Some(open) = open else {
                caps.clear();
                return;
            };
            let last = context.ending.borrow().map_or(u32::MAX, |x| ceil(x.last.max(x.whole), plan.features.slide));
            while let Some(s) = stage.next().filter(|s| *s < open) {
                let (mut rows, mut parts) = (rows_out.activate(), parts_out.activate());
                let (mut rows, mut parts) = (rows.session(&caps[0]), parts.session(&caps[1]));
                stage.tick(s, last, |batch| rows.give(batch), |part| parts.give(part));
            }
            if let Err(problem) = context.snapshots.stage(NAME, open, || stage.save()) {
                return context.fail(Failure::Output(problem));
            }
            caps.iter_mut().filter(|cap| cap.time().s < open).for_each(|cap| cap.downgrade(&Bi::diagonal(open)));
        }
    });
    Profiled { rows, parts }
}

//! Forwards updates under its own capability, so that the frontier behind it stays on the chain `{(s - lateness, s)}`.
//!
//! The messages leave under the hold as well: under their own capability the frontier may fork again behind this operator.
//! Each datum leaves with nothing at its side, as arrangements by key alone want it. Takes all that is added up or compared
//! together: a stream less is an operator less that every step of the frontier wakes.
//!
//! What is behind here may be told to wait for others: no tick closes before it has closed there. So a worker's time goes first
//! to what somebody waits for.

use crate::edge::Batch;
use crate::site::Site;
use crate::time::Bi;
use differential_dataflow::{AsCollection, ExchangeData, VecCollection};
use timely::PartialOrder;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};
use timely::progress::Antichain;

/// Keeps the frontier behind it to one element; `lateness` is how many event ticks the updates may reach back. Ticks close when
/// they have closed in `after`.
pub fn align<'s, D: ExchangeData, R: ExchangeData>(
    scope: Scope<'s, Bi>,
    all: impl IntoIterator<Item = VecCollection<'s, Bi, D, R>>,
    lateness: u32,
    after: &[Stream<'s, Bi, Vec<Batch>>],
    site: &Site,
) -> VecCollection<'s, Bi, (D, ()), R> {
    let site = site.clone();
    let worker = scope.index();
    let mut builder = OperatorBuilder::new("Align".into(), scope);
    let mut inputs: Vec<_> = all.into_iter().map(|c| builder.new_input(c.inner, Pipeline)).collect();
    let (out, aligned) = builder.new_output::<Vec<((D, ()), Bi, R)>>();
    let mut out = OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(out);
    // Nothing of these leaves here, and what is on its way in them must not fork the frontier behind.
    let unconnected = || std::iter::empty::<(usize, Antichain<_>)>();
    let mut after: Vec<_> = after.iter().map(|s| builder.new_input_connection(s.clone(), Pipeline, unconnected())).collect();
    let mut naps = site.naps(&builder.operator_info(), worker);
    builder.build(move |caps| {
        let mut hold = caps.into_iter().next();
        move |frontiers| {
            naps.nap();
            let Some(held) = &mut hold else { return };
            let mut output = out.activate();
            for input in &mut inputs {
                input.for_each(|_, data| {
                    let mut pairs: Vec<_> = std::mem::take(data).into_iter().map(|(d, t, r)| ((d, ()), t, r)).collect();
                    output.session(&*held).give_container(&mut pairs);
                });
            }
            drop(output);
            after.iter_mut().for_each(|after| after.for_each(|_, data| data.clear()));
            let (own, others) = frontiers.split_at(inputs.len());
            match Bi::open(own) {
                Some(s) => {
                    let t = Bi::reach(Bi::open(others).map_or(s, |o| o.min(s)), lateness);
                    if held.time().less_than(&t) {
                        held.downgrade(&t);
                    }
                }
                None => hold = None,
            }
        }
    });
    aligned.as_collection()
}

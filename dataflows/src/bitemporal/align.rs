//! Forwards updates under its own capability, so that the frontier behind it stays on the chain `{(s - lateness, s)}`.
//!
//! The messages leave under the hold as well: under their own capability the frontier may fork again behind this operator.
//! Each datum leaves with nothing at its side, as arrangements by key alone want it. Takes all that is added up or compared
//! together: a stream less is an operator less that every step of the frontier wakes.

use crate::site::Site;
use crate::time::Bi;
use differential_dataflow::{AsCollection, ExchangeData, VecCollection};
use timely::PartialOrder;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// Keeps the frontier behind it to one element; `lateness` is how many event ticks the updates may reach back.
pub fn align<'s, D: ExchangeData, R: ExchangeData>(
    scope: Scope<'s, Bi>,
    all: impl IntoIterator<Item = VecCollection<'s, Bi, D, R>>,
    lateness: u32,
    site: &Site,
) -> VecCollection<'s, Bi, (D, ()), R> {
    let site = site.clone();
    let worker = scope.index();
    let mut builder = OperatorBuilder::new("Align".into(), scope);
    let mut inputs: Vec<_> = all.into_iter().map(|c| builder.new_input(c.inner, Pipeline)).collect();
    let (out, aligned) = builder.new_output::<Vec<((D, ()), Bi, R)>>();
    let mut out = OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(out);
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
            match frontiers.iter().flat_map(|f| f.frontier().iter().map(|t| t.s).min()).min() {
                Some(s) => {
                    let t = Bi::reach(s, lateness);
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

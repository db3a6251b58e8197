//! Forwards updates under its own capability, so that the frontier behind it stays on the chain `{(s - lateness, s)}`.
//!
//! The messages leave under the hold as well: under their own capability the frontier may fork again behind this operator.
//! Each datum leaves with nothing at its side, as arrangements by key alone want it.

use crate::site::Site;
use crate::time::Bi;
use differential_dataflow::{AsCollection, ExchangeData, VecCollection};
use timely::PartialOrder;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

/// Keeps the frontier behind it to one element; `lateness` is how many event ticks the updates may reach back.
pub fn align<'s, D: ExchangeData, R: ExchangeData>(
    c: VecCollection<'s, Bi, D, R>,
    lateness: u32,
    site: &Site,
) -> VecCollection<'s, Bi, (D, ()), R> {
    let site = site.clone();
    let worker = c.inner.scope().index();
    c.inner
        .unary_frontier::<CapacityContainerBuilder<Vec<((D, ()), Bi, R)>>, _, _, _>(Pipeline, "Align", move |cap, info| {
            let mut hold = Some(cap);
            let mut naps = site.naps(&info, worker);
            move |(input, frontier), output| {
                naps.nap();
                input.for_each(|_, data| {
                    let hold = hold.as_ref().expect("the hold is kept until the input has ended");
                    let mut pairs: Vec<_> = std::mem::take(data).into_iter().map(|(d, t, r)| ((d, ()), t, r)).collect();
                    output.session(hold).give_container(&mut pairs);
                });
                match (frontier.frontier().iter().map(|t| t.s).min(), &mut hold) {
                    (Some(s), Some(h)) => {
                        let t = Bi::reach(s, lateness);
                        if h.time().less_than(&t) {
                            h.downgrade(&t);
                        }
                    }
                    _ => hold = None,
                }
            }
        })
        .as_collection()
}

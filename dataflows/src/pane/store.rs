//! The operator around [`Class`]: aggregates by key in, differential updates out.

use super::best::Peak;
use super::class::{Changes, Class, Kind};
use super::delta::Delta;
use super::names::Names;
use super::tally::Tally;
use crate::clock::context::add;
use crate::group::Totals;
use crate::plan::{Plan, ceil};
use crate::site::Site;
use crate::time::{Bi, Step};
use differential_dataflow::{AsCollection, VecCollection};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use timely::PartialOrder;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::Capability;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::progress::Antichain;

/// What the owners of a class of keys say.
pub struct Stored<'s, V: Tally> {
    /// By window definition: distinct keys, in their slot of the totals.
    pub presence: Vec<VecCollection<'s, Bi, (), Totals>>,
    /// By window definition: the best key of each owner; empty for classes without a best.
    pub best: Vec<VecCollection<'s, Bi, Peak, isize>>,
    /// Sums by the owner's id of the key, for features.
    pub sums: VecCollection<'s, Bi, u32, V::Group>,
    /// What the ids mean.
    pub names: Rc<RefCell<Names>>,
}

/// How far corrections of a definition reach back, in ticks.
pub fn reach(lateness: u32, slide: u32) -> u32 {
    ceil(lateness, slide)
}

/// The time at which an operator may still speak, of a definition that slides by `slide`, when tick `open` is open.
fn hold(open: u32, slide: u32, lateness: u32) -> Bi {
    Bi::reach(ceil(open, slide), reach(lateness, slide))
}

/// Lowers a capability to `t` where that is later than what it stands at.
pub(crate) fn downgrade(cap: &mut Capability<Bi>, t: Bi) {
    if cap.time().less_than(&t) {
        cap.downgrade(&t);
    }
}

/// Outputs may lie `reach` event ticks before the input's time, and the path says so.
pub(super) fn back(reach: u32) -> [(usize, Antichain<Step>); 1] {
    [(0, Antichain::from_elem(Step { de: -(reach as i32), ds: 0 }))]
}

/// Slide and lateness of each definition, the features last.
pub(super) fn paces(plan: &Plan) -> Vec<(u32, u32)> {
    let windows = plan.windows.iter().map(|w| (w.slide, w.lateness));
    windows.chain([(plan.features.slide, plan.features.lateness)]).collect()
}

/// The store of a class of keys.
pub fn store<'s, V: Tally>(deltas: Stream<'s, Bi, Vec<Delta<V>>>, kind: Kind, site: &Site) -> Stored<'s, V> {
    let scope = deltas.scope();
    let (me, peers) = (scope.index(), scope.peers());
    let plan = site.context.plan.clone();
    // Where no table is served from the ids, nobody waits with rows that still need the names.
    let served = plan.features.enabled
        && match kind {
            Kind::Sellers => !plan.profiles.sellers,
            Kind::Categories => !plan.profiles.categories,
            Kind::Products => false,
        };
    let names = Rc::new(RefCell::new(Names::new(served)));
    let mut builder = OperatorBuilder::new(format!("{kind:?}Store"), scope);
    let mut input = builder.new_input(deltas, Exchange::new(|d: &Delta<V>| u64::from(d.to)));
    let (mut presence_out, mut presence, mut best_out, mut best) = (vec![], vec![], vec![], vec![]);
    for w in &plan.windows {
        let (out, stream) = builder.new_output_connection::<Vec<((), Bi, Totals)>, _>(back(reach(w.lateness, w.slide)));
        presence_out.push(OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(out));
        presence.push(stream.as_collection());
    }
    for w in &plan.windows {
        let (out, stream) = builder.new_output_connection::<Vec<(Peak, Bi, isize)>, _>(back(reach(w.lateness, w.slide)));
        best_out.push(OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(out));
        best.push(stream.as_collection());
    }
    let features = reach(plan.features.lateness, plan.features.slide);
    let (out, sums) = builder.new_output_connection::<Vec<(u32, Bi, V::Group)>, _>(back(features));
    let mut sums_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(out);
    let mut class = Class::<V>::new(&plan, kind, peers, names.clone());
    let site = site.clone();
    builder.build(move |mut caps| {
        let n = plan.windows.len();
        let paces = paces(&plan);
        let mut stash: BTreeMap<u32, Vec<Delta<V>>> = BTreeMap::new();
        let mut naps = site.setup.faults.naps(kind as usize + 1, me);
        let mut made = 0;
        let mut changes = Changes::new(n);
        move |frontiers| {
            naps.nap();
            input.for_each(|_, data| {
                for delta in data.drain(..) {
                    stash.entry(delta.s).or_default().push(delta);
                }
            });
            if caps.is_empty() {
                return;
            }
            let Some(open) = frontiers[0].frontier().iter().map(|t| t.s).min() else {
                caps.clear();
                return;
            };
            // Rows of a tick first, then the ends that close with it.
            while let Some(s) = stash.keys().next().copied().into_iter().chain(class.busy()).min().filter(|s| *s < open) {
                for delta in stash.remove(&s).unwrap_or_default() {
                    class.learn(&delta);
                }
                if class.busy() == Some(s) {
                    class.close(s, &mut changes);
                }
            }
            for (i, (out, data)) in presence_out.iter_mut().zip(&mut changes.presence).enumerate() {
                out.activate().session(&caps[i]).give_container(data);
            }
            for (i, (out, data)) in best_out.iter_mut().zip(&mut changes.best).enumerate() {
                out.activate().session(&caps[n + i]).give_container(data);
            }
            sums_out.activate().session(&caps[2 * n]).give_container(&mut changes.sums);
            for (i, cap) in caps.iter_mut().enumerate() {
                let (slide, lateness) = if i == 2 * n { paces[n] } else { paces[i % n] };
                downgrade(cap, hold(open, slide, lateness));
            }
            site.keep(kind, class.size());
            let names = class.named();
            add(&site.context.counters.keys, names - made);
            made = names;
        }
    });
    Stored { presence, best, sums: sums.as_collection(), names }
}

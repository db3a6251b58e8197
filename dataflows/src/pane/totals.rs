//! Linear sums of the global windows: each pane's sums are added at its end and taken away a size later.
//!
//! Nothing is exchanged here: the sums of each reader go to differential as they are, which adds them up.

use super::class::first_end;
use super::delta::Lump;
use super::due::Due;
use super::store::{back, downgrade, reach};
use crate::group::Totals;
use crate::plan::{Window, ceil};
use crate::time::Bi;
use differential_dataflow::{AsCollection, VecCollection};
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// The sums of one window definition.
struct Sums {
    size: u32,
    slide: u32,
    lateness: u32,
    due: Due<8>,
    open: u32,
}

impl Sums {
    fn learn(&mut self, lump: &Lump) {
        let end = ceil(lump.s, self.slide);
        self.open = end;
        self.due.skip_to(end);
        let pane = ceil(lump.pane, self.slide);
        let from = first_end(lump.s, self.lateness, self.slide).max(pane);
        if from < pane + self.size {
            self.due.put(from, &lump.sums);
            self.due.put(pane + self.size, &lump.sums.map(|x| -x));
        }
    }

    fn busy(&self) -> Option<u32> {
        if self.open > 0 { Some(self.open) } else { self.due.busy() }
    }

    fn close(&mut self, s: u32, out: &mut Vec<((), Bi, Totals)>) {
        self.due.skip_to(s);
        self.due.close(|e, v| {
            let mut totals = Totals::default();
            totals.0[..8].copy_from_slice(&v);
            out.push(((), Bi { e, s }, totals));
        });
        self.open = 0;
    }
}

/// Updates of the totals of one window definition.
pub fn totals<'s>(lumps: Stream<'s, Bi, Vec<Lump>>, window: &Window) -> VecCollection<'s, Bi, (), Totals> {
    let mut builder = OperatorBuilder::new("Totals".into(), lumps.scope());
    let mut input = builder.new_input(lumps, Pipeline);
    let reach = reach(window.lateness, window.slide);
    let (out, stream) = builder.new_output_connection::<Vec<((), Bi, Totals)>, _>(back(reach));
    let mut out = OutputBuilder::<_, CapacityContainerBuilder<Vec<_>>>::from(out);
    let slide = window.slide;
    let mut sums = Sums { size: window.size, slide, lateness: window.lateness, due: Due::new(slide), open: 0 };
    builder.build(move |mut caps| {
        let mut stash: BTreeMap<u32, Vec<Lump>> = BTreeMap::new();
        let mut updates = vec![];
        move |frontiers| {
            input.for_each(|_, data| {
                for lump in data.drain(..) {
                    stash.entry(lump.s).or_default().push(lump);
                }
            });
            if caps.is_empty() {
                return;
            }
            let Some(open) = frontiers[0].frontier().iter().map(|t| t.s).min() else {
                caps.clear();
                return;
            };
            while let Some(s) = stash.keys().next().copied().into_iter().chain(sums.busy()).min().filter(|s| *s < open) {
                for lump in stash.remove(&s).unwrap_or_default() {
                    sums.learn(&lump);
                }
                if sums.busy() == Some(s) {
                    sums.close(s, &mut updates);
                }
            }
            out.activate().session(&caps[0]).give_container(&mut updates);
            downgrade(&mut caps[0], Bi::reach(ceil(open, slide), reach));
        }
    });
    stream.as_collection()
}

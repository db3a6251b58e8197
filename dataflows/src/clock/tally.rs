//! The counts of all workers, brought to worker 0 when the data dataflow has ended everywhere.
//!
//! A dataflow of its own, timed by nothing: dispositions are counted at the ends of the data dataflow, so that only its empty
//! frontier says that they are final.

use super::Shared;
use super::context::{Context, Counts};
use std::cell::RefCell;
use std::rc::Rc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Scope;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::{Operator, source};

/// What each worker has counted, by its index. Complete on worker 0, empty elsewhere.
pub(super) type Tally = Rc<RefCell<Vec<(u64, Counts)>>>;

pub(super) fn build(scope: Scope<'_, u64>, context: &Context, shared: &Shared) -> Tally {
    let (context, shared, index) = (context.clone(), shared.clone(), scope.index() as u64);
    let counts = source::<_, CapacityContainerBuilder<Vec<(u64, Counts)>>, _, _>(scope, "Count", move |cap, info| {
        shared.borrow_mut().wake.tally = Some(scope.activator_for(info.address));
        let mut cap = Some(cap);
        move |output| {
            let ended = shared.borrow().ended();
            if let Some(held) = cap.take_if(|_| ended) {
                output.session(&held).give((index, context.counters.counts()));
            }
        }
    });
    let tally = Tally::default();
    let all = tally.clone();
    counts.sink(Exchange::new(|_: &(u64, Counts)| 0), "Tally", move |(input, _)| {
        input.for_each(|_, counts| all.borrow_mut().append(counts));
        all.borrow_mut().sort_unstable_by_key(|(worker, _)| *worker);
    });
    tally
}

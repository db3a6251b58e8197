//! The source of the data dataflow: the records of an epoch, under the tick that is open while they are released.
//!
//! It stands at the open tick, `before + 1`. For a binding it sends this worker's blocks under that time, says that the epoch
//! is over here, and then moves to `after + 1`. When the run ends it takes two steps: it moves to the last tick and **waits until the whole dataflow is
//! there**, then drops its capability. An empty frontier completes nothing; moving and dropping in one go would let operators
//! see only that, and what still left would depend on timing.
//!
//! - After the end of all inputs the last tick is the one at which every window and feature that holds a sale has ended, and
//!   the [`Ending`](crate::release::Ending) is set before the source moves.
//! - After a stop it is the open tick: the watermark does not move, and open windows stay open.

use super::context::{Context, add};
use super::jump::Settled;
use super::{Shared, least_system_tick};
use crate::release::Released;
use crate::sale::{Decoded, Fault, Reject};
use crate::snapshot::Cut;
use crate::time::Bi;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::source;
use timely::dataflow::{Scope, Stream};

/// The released records of this worker.
pub(super) fn build<'s>(
    scope: Scope<'s, Bi>,
    context: &Context,
    shared: &Shared,
    max_jump: Option<i64>,
) -> Stream<'s, Bi, Vec<Released>> {
    let (context, shared) = (context.clone(), shared.clone());
    source::<_, CapacityContainerBuilder<Vec<Released>>, _, _>(scope, "Bound", move |mut cap, info| {
        shared.borrow_mut().wake.source = Some(scope.activator_for(info.address));
        let tick = context.snapshots.resume(|resume| resume.cut.tick).unwrap_or(1);
        cap.downgrade(&Bi::diagonal(tick));
        let (mut cap, mut closing) = (Some(cap), false);
        move |output| {
            let Some(held) = cap.as_mut() else { return };
            let shared = &mut *shared.borrow_mut();
            while let Some(binding) = shared.for_source.pop_front() {
                assert_eq!(*held.time(), Bi::diagonal(binding.before + 1), "the source stands at the open tick");
                for block in &binding.blocks {
                    while let Some(chunk) = shared.raw.take(block.input, block.start, block.upto) {
                        let mut decoded = chunk.decoded;
                        if let Some(max_jump) = max_jump {
                            refuse(&mut decoded, block.settled, max_jump);
                        }
                        if decoded.records() == 0 {
                            context.waiting.release(chunk.stamp);
                            continue;
                        }
                        add(&context.counters.read, decoded.records());
                        let (epoch, before) = (binding.epoch, binding.before);
                        let released =
                            Released { epoch, before, input: block.input, block: chunk.stamp, decoded, ..Released::default() };
                        output.session(&*held).give_container(&mut vec![released]);
                    }
                }
                let (epoch, before, ends) = (binding.epoch, binding.before, Some(Box::new(binding.clone())));
                output.session(&*held).give(Released { epoch, before, ends, ..Released::default() });
                if context.first_watermark.get() == 0 {
                    context.first_watermark.set(binding.after);
                }
                let mut open = binding.after + 1;
                if let Some(ending) = binding.ending() {
                    *context.ending.borrow_mut() = Some(ending);
                    open = ending.close(&context.plan) + 1;
                }
                if binding.checkpoint {
                    context.snapshots.begin(Cut::behind(&binding), context.counters.read.get(), context.plan.deduplicate > 0);
                }
                held.downgrade(&Bi::diagonal(open));
                closing |= binding.closes();
                shared.carried = binding.epoch + 1;
                shared.wake.reader();
            }
            let there = |open: u32| shared.probe.as_ref().is_some_and(|probe| least_system_tick(probe) >= open);
            if closing && there(held.time().s) {
                cap = None;
                shared.closed = true;
            }
        }
    })
}

/// Moves the sales whose dates do not count to the rejects.
fn refuse(decoded: &mut Decoded, settled: Settled, max_jump: i64) {
    let refused = settled.refused(decoded.sales.iter().map(|s| s.at), max_jump);
    for &k in refused.iter().rev() {
        decoded.sales.remove(k);
        if !decoded.ids.is_empty() {
            decoded.ids.remove(k);
        }
        let message = format!("more than {max_jump} ms ahead of the input, and the next record does not confirm it");
        let fault = Fault { code: "future_sale_date", field: Some("sale_date"), message };
        decoded.rejects.push(Reject { span: decoded.spans.remove(k), faults: vec![fault] });
    }
    if !refused.is_empty() {
        decoded.rejects.sort_by_key(|r| r.span.start);
    }
}

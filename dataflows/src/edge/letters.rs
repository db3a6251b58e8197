//! Dead letters, on the reader, right behind the source: with the bytes of the record while they are at hand.
//!
//! Whether a record is rejected or too late is known when it is released, whatever becomes of the others of its tick. So its
//! letter leaves at once, with the number of its epoch, and the bytes of the block are let go. At the end of an epoch each worker
//! says that it has no more: worker 0 has heard all letters of an epoch when it has heard that from all.

use super::{Batch, Table};
use crate::clock::{Binding, Failure};
use crate::message::Original;
use crate::release::Released;
use crate::row::{DeadLetter, Disposition, json};
use crate::sale::{Fault, Span};
use crate::site::Site;
use crate::time::Bi;
use serde::{Deserialize, Serialize};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// What a worker tells worker 0 of an epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Word {
    /// Dead letters of this epoch.
    Letters(u64, Letters),
    /// There are no more of this epoch. Worker 0 tells itself what the epoch was.
    Done(u64, Option<Box<Binding>>),
}

/// Dead letters of one block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letters {
    /// The rows.
    pub batch: Batch,
    /// What came with each record; empty when the input is not made of messages.
    pub originals: Vec<Original>,
}

/// Takes the dead letters out of what was released, and the ends of epochs.
pub fn letters<'s>(
    released: Stream<'s, Bi, Vec<Released>>,
    site: &Site,
) -> (Stream<'s, Bi, Vec<Released>>, Stream<'s, Bi, Vec<Word>>) {
    let scope = released.scope();
    let first = scope.index() == 0;
    let site = site.clone();
    let mut builder = OperatorBuilder::new("Letters".into(), scope);
    let mut input = builder.new_input(released, Pipeline);
    let (out, passed) = builder.new_output::<Vec<Released>>();
    let mut passed_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Released>>>::from(out);
    let (out, words) = builder.new_output::<Vec<Word>>();
    let mut words_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Word>>>::from(out);
    builder.build(move |_caps| {
        move |_frontiers| {
            input.for_each(|cap, data| {
                let (pass, tell) = (cap.retain_stamp(0), cap.retain_stamp(1));
                let mut words = words_out.activate();
                let mut session = words.session(&tell);
                data.retain_mut(|block| match block.ends.take() {
                    Some(binding) => {
                        session.give(Word::Done(block.epoch, Some(binding).filter(|_| first)));
                        false
                    }
                    None => {
                        let letters = of(&site, block);
                        if !letters.batch.rows.is_empty() {
                            session.give(Word::Letters(block.epoch, letters));
                        }
                        block.live = !block.decoded.messages.is_empty();
                        site.context.spare.put(block.decoded.let_go());
                        true
                    }
                });
                if !data.is_empty() {
                    passed_out.activate().session(&pass).give_container(data);
                }
            });
        }
    });
    (passed, words)
}

/// The dead letters of a block.
fn of(site: &Site, block: &Released) -> Letters {
    let plan = &site.context.plan;
    let mut letters = Letters { batch: Batch::new(block.before + 1, Table::DeadLetters), originals: vec![] };
    for reject in &block.decoded.rejects {
        write(site, block, reject.span, (Disposition::Rejected, &reject.faults), &mut letters);
    }
    if let Some(last) = plan.least_pane(block.before).checked_sub(1) {
        // A date before this one lies in a pane before the least.
        let least = plan.millis(last);
        let message = "no window or feature takes it any more: it came later than every allowed_lateness";
        let late = block.decoded.sales.iter().zip(&block.decoded.spans).filter(|(sale, _)| sale.at < least);
        for (_, span) in late {
            let fault = Fault { code: "too_late", field: Some("sale_date"), message: message.into() };
            write(site, block, *span, (Disposition::TooLate, &[fault]), &mut letters);
        }
    }
    letters
}

fn write(site: &Site, block: &Released, span: Span, (disposition, errors): (Disposition, &[Fault]), to: &mut Letters) {
    let decoded = &block.decoded;
    let message = decoded.messages.at(span.start);
    let offset = message.as_ref().map_or(decoded.base + u64::from(span.start), |message| message.offset);
    let timestamp = message.as_ref().and_then(|message| message.timestamp);
    let (source, partition) = site.context.source(block.input);
    let again = match decoded.elsewhere.as_ref().map(|bytes| bytes.payload(span)).transpose() {
        Ok(again) => again,
        Err(problem) => return site.context.fail(Failure::Input(format!("cannot read {source}: {problem}"))),
    };
    let payload = match &again {
        Some(bytes) => bytes,
        None => decoded.bytes.get(span.start as usize..span.end as usize).unwrap_or_default(),
    };
    let letter = DeadLetter { source, partition, offset, timestamp, disposition, errors, payload };
    to.batch.row_with_cuts((block.input, offset), "", |text| json::dead_letter(&letter, text));
    to.originals.extend(message.map(|message| message.original));
}

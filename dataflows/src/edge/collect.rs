//! Brings the rows of all workers to worker 0, puts each learned tick in order, chains the certificate and hands the rows to
//! the sink. Runs last: the probe stands behind it, so that what the probe has passed has been handed over.

use super::certificate::Certificate;
use super::{Batch, RowSink, Table, TickRows};
use crate::clock::context::{Context, Failure, add};
use crate::pane::fold::{Note, fate};
use crate::site::Site;
use crate::time::Bi;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// What a checkpoint must hold of what has left.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    certificate: Certificate,
    unrevised: Vec<u64>,
    /// Of all workers: rejected, too late, duplicate, accepted.
    fates: [u64; 4],
}

/// The rows of one tick in the order of the contract.
fn put_in_order(learned: u32, batches: &[Batch], certificate: &mut Certificate) -> TickRows {
    let mut out = TickRows { learned, ..TickRows::default() };
    let mut certified = vec![];
    for (i, table) in Table::ALL.into_iter().enumerate() {
        let of = batches.iter().filter(|b| usize::from(b.table) == i);
        let mut rows: Vec<_> = of.flat_map(|b| b.rows.iter().map(move |r| (b, r))).collect();
        let sorted = rows.is_sorted_by(|a, b| a.0.place(a.1) <= b.0.place(b.1));
        if !sorted {
            rows.sort_by(|a, b| a.0.place(a.1).cmp(&b.0.place(b.1)));
        }
        certified.clear();
        let lines = &mut out.lines[i];
        lines.reserve(rows.iter().map(|(_, r)| (r.line.1 - r.line.0) as usize).sum());
        for (b, r) in &rows {
            lines.extend_from_slice(b.part(r.line));
            if r.certified.0 < r.certified.1 {
                certified.extend_from_slice(b.part(r.certified));
            }
        }
        out.rows[i] = rows.len() as u64;
        certificate.tick(learned, table, if certified.is_empty() { lines } else { &certified });
    }
    out.windows = batches.iter().flat_map(|b| b.windows.iter().cloned()).collect();
    out.certificate = certificate.hex();
    out
}

fn count(context: &Context, fates: &[u64; 4]) {
    let counters = &context.counters;
    add(&counters.rejected, fates[fate::REJECTED]);
    add(&counters.too_late, fates[fate::TOO_LATE]);
    add(&counters.duplicate, fates[fate::DUPLICATE]);
    add(&counters.accepted, fates[fate::ACCEPTED]);
}

fn counted(context: &Context) -> [u64; 4] {
    let c = context.counters.counts();
    [c.rejected, c.too_late, c.duplicate, c.accepted]
}

/// Hands the rows of each tick to the sink of worker 0. The output carries nothing: it is there for the probe.
pub fn collect<'s>(rows: Stream<'s, Bi, Vec<Batch>>, notes: Stream<'s, Bi, Vec<Note>>, site: &Site) -> Stream<'s, Bi, Vec<()>> {
    let context = site.context.clone();
    let first = rows.scope().index() == 0;
    let to_first = (Exchange::new(|_: &Batch| 0), Exchange::new(|_: &Note| 0));
    rows.binary_frontier::<_, CapacityContainerBuilder<Vec<()>>, _, _, _, _>(
        notes,
        to_first.0,
        to_first.1,
        "Collect",
        move |cap, _| {
            let mut sink: Option<Box<dyn RowSink + Send>> = if first { context.sink.borrow_mut().take() } else { None };
            let snapshots = context.snapshots.clone();
            let resumed = snapshots.resume(|resume| (resume.cut.tick, resume.first.as_ref().map(|first| first.edge.clone())));
            // What was learned before the checkpoint has left.
            let (since, saved) = resumed.unwrap_or_default();
            let Saved { mut certificate, mut unrevised, fates } = saved.unwrap_or_default();
            count(&context, &fates);
            let mut stash: BTreeMap<u32, Vec<Batch>> = BTreeMap::new();
            let mut cap = Some(cap);
            move |(rows, row_frontier), (notes, note_frontier), _output| {
                rows.for_each(|_, data| {
                    for batch in data.drain(..).filter(|batch| batch.s >= since) {
                        stash.entry(batch.s).or_default().push(batch);
                    }
                });
                notes.for_each(|_, data| {
                    for note in data.drain(..) {
                        count(&context, &note.fates);
                        unrevised.resize(note.unrevised.len(), 0);
                        unrevised.iter_mut().zip(&note.unrevised).for_each(|(sum, n)| *sum += n);
                    }
                });
                let open = |f: &[Bi]| f.iter().map(|t| t.s).min();
                let open = [open(&row_frontier.frontier()), open(&note_frontier.frontier())].into_iter().flatten().min();
                let Some(open) = open else {
                    if let Some(mut sink) = sink.take() {
                        sink.ended(&unrevised);
                    }
                    cap = None;
                    return;
                };
                while let Some(tick) = stash.first_entry().filter(|e| *e.key() < open) {
                    let (learned, batches) = tick.remove_entry();
                    let rows = put_in_order(learned, &batches, &mut certificate);
                    if let Some(sink_ref) = &mut sink
                        && let Err(message) = sink_ref.tick(&rows)
                    {
                        context.fail(Failure::Output(message));
                        sink = None;
                    }
                }
                let saved = || Saved { certificate, unrevised: unrevised.clone(), fates: counted(&context) };
                if let Err(problem) = snapshots.edge(open, saved) {
                    return context.fail(Failure::Output(problem));
                }
                if let Some(cap) = &mut cap
                    && cap.time().s < open
                {
                    cap.downgrade(&Bi::diagonal(open));
                }
            }
        },
    )
}

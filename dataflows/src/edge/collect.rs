//! Brings what leaves to worker 0, and hands it to the sink in [`Order`]. Runs last: the probe stands behind it, so that what
//! the probe has passed has been handed over; and the clock takes an epoch for finished only when it was handed over, so that
//! nothing piles up before a sink that is slow.

use super::balance::Balance;
use super::certificate::Certificate;
use super::letters::Word;
use super::order::{Complete, Leaves, Order};
use super::{Batch, Marks, RowSink};
use crate::clock::context::{Context, Failure, add};
use crate::pane::note::{Note, fate};
use crate::site::Site;
use crate::time::Bi;
use serde::{Deserialize, Serialize};
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;

/// What a checkpoint must hold of what has left.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    certificate: Certificate,
    unrevised: Vec<u64>,
    /// Of all workers: rejected, too late, duplicate, accepted.
    fates: [u64; 4],
    /// Where the sinks stood.
    pub sinks: Marks,
}

/// All that leaves.
pub struct Leaving<'s> {
    /// Rows of ticks that go first.
    pub first: Vec<Stream<'s, Bi, Vec<Batch>>>,
    /// Other rows of ticks.
    pub other: Vec<Stream<'s, Bi, Vec<Batch>>>,
    /// Dead letters, and ends of epochs.
    pub letters: Stream<'s, Bi, Vec<Word>>,
    /// What worker 0 must know.
    pub notes: Stream<'s, Bi, Vec<Note>>,
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

/// The sink, until it fails.
struct Door {
    context: Context,
    sink: Option<Box<dyn RowSink + Send>>,
}

impl Door {
    fn hand(&mut self, leaves: &Leaves) {
        self.speak(|sink| match leaves {
            Leaves::Rows(rows) => sink.tick(rows),
            Leaves::Epoch(binding) => sink.epoch(binding),
        });
    }

    fn speak(&mut self, speak: impl FnOnce(&mut dyn RowSink) -> Result<(), String>) {
        if let Some(sink) = &mut self.sink
            && let Err(message) = speak(&mut **sink)
        {
            self.context.fail(Failure::Output(message));
            self.sink = None;
        }
    }
}

/// Hands what leaves to the sink of worker 0. The output carries nothing: it is there for the probe.
pub fn collect<'s>(leaving: Leaving<'s>, site: &Site) -> Stream<'s, Bi, Vec<()>> {
    let context = site.context.clone();
    let scope = leaving.letters.scope();
    let (is_first, peers) = (scope.index() == 0, scope.peers());
    let mut builder = OperatorBuilder::new("Collect".into(), scope);
    let mut input = |rows: Stream<'s, Bi, Vec<Batch>>| builder.new_input(rows, Exchange::new(|_: &Batch| 0));
    let mut first: Vec<_> = leaving.first.into_iter().map(&mut input).collect();
    let mut other: Vec<_> = leaving.other.into_iter().map(input).collect();
    let mut words = builder.new_input(leaving.letters, Exchange::new(|_: &Word| 0));
    let mut notes = builder.new_input(leaving.notes, Exchange::new(|_: &Note| 0));
    let (_, probed) = builder.new_output::<Vec<()>>();
    builder.build(move |caps| {
        let mut cap = caps.into_iter().next();
        let sink = if is_first { context.sink.borrow_mut().take() } else { None };
        let snapshots = context.snapshots.clone();
        let resumed = snapshots
            .resume(|resume| (resume.cut.tick, resume.clock.epoch, resume.first.as_ref().map(|first| first.edge.clone())));
        // What was learned before the checkpoint has left.
        let (since, epoch, saved) = resumed.unwrap_or_default();
        let again = saved.is_some();
        let Saved { certificate, mut unrevised, fates, sinks } = saved.unwrap_or_default();
        count(&context, &fates);
        context.counters.unrevised.borrow_mut().clone_from(&unrevised);
        if is_first {
            context.handed.set(epoch);
        }
        let mut door = Door { context: context.clone(), sink };
        if again {
            door.speak(|sink| sink.resume(&sinks));
        }
        let mut order = Order::new(context.plan.clone(), peers, certificate);
        let mut balance = Balance::default();
        move |frontiers| {
            for rows in &mut first {
                rows.for_each(|_, data| data.drain(..).filter(|batch| batch.s >= since).for_each(|batch| order.first(batch)));
            }
            for rows in &mut other {
                rows.for_each(|_, data| data.drain(..).filter(|batch| batch.s >= since).for_each(|batch| order.other(batch)));
            }
            words.for_each(|_, data| data.drain(..).for_each(|word| order.hear(word)));
            notes.for_each(|_, data| {
                for note in data.drain(..) {
                    count(&context, &note.fates);
                    add(&context.counters.late, note.late);
                    balance.disposed(note.s, note.fates.iter().sum());
                    unrevised.resize(note.unrevised.len(), 0);
                    unrevised.iter_mut().zip(&note.unrevised).for_each(|(sum, n)| *sum += n);
                    context.counters.unrevised.borrow_mut().clone_from(&unrevised);
                }
            });
            let Some(held) = &mut cap else { return };
            let (firsts, open) = (Bi::open(&frontiers[..first.len()]), Bi::open(frontiers));
            let complete = Complete { first: firsts.unwrap_or(u32::MAX), all: open.unwrap_or(u32::MAX) };
            while let Some(leaves) = order.next(complete) {
                door.hand(&leaves);
                if let Leaves::Epoch(binding) = leaves {
                    balance.epoch(&binding);
                    context.counters.missing.set(balance.missing());
                    context.handed.set(binding.epoch + 1);
                }
            }
            let saved = || {
                let mut sinks = Marks::new();
                door.speak(|sink| sink.save(&mut sinks));
                let (certificate, unrevised, fates) = (order.certificate(), unrevised.clone(), counted(&context));
                Saved { certificate, unrevised, fates, sinks }
            };
            if let Err(problem) = snapshots.edge(open.unwrap_or(0), saved) {
                return context.fail(Failure::Output(problem));
            }
            match open {
                Some(open) if held.time().s < open => held.downgrade(&Bi::diagonal(open)),
                Some(_) => (),
                None => {
                    if let Some(mut sink) = door.sink.take() {
                        sink.ended(&unrevised);
                    }
                    cap = None;
                }
            }
        }
    });
    probed
}

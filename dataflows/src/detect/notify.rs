//! The operator around [`Episodes`]: the signals of all detectors in, rows of `episodes`, `events` and `suppressed` out.

use super::episodes::{self, Episodes, Row};
use super::signal::Signal;
use crate::clock::Failure;
use crate::clock::context::add;
use crate::edge::{Batch, Table};
use crate::pane::note::Note;
use crate::row::json;
use crate::site::Site;
use crate::time::Bi;
use crate::window::epochs::Epochs;
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;

/// As the checkpoint knows the stage.
const NOTIFY: &str = "notify";

/// Rows of these tables stand behind those of the growth rules of the same tick.
const BEHIND: u32 = 1 << 31;

/// So many ticks of epochs are remembered, in slides: a lineage speaks of the longest window and of what corrects it.
const SLIDES: u32 = 32 * crate::plan::detect::MINUTE;

/// Makes episodes and events of signals, on worker 0.
pub fn notify<'s>(
    signals: Stream<'s, Bi, Vec<Signal>>,
    notes: Stream<'s, Bi, Vec<Note>>,
    site: &Site,
) -> Stream<'s, Bi, Vec<Batch>> {
    let (site, me) = (site.clone(), signals.scope().index());
    let (to, first) = (Exchange::new(|_: &Signal| 0), Exchange::new(|_: &Note| 0));
    signals.binary_frontier::<_, CapacityContainerBuilder<Vec<Batch>>, _, _, _, _>(
        notes,
        to,
        first,
        "Notify",
        move |cap, info| {
            let mut cap = Some(cap).filter(|_| me == 0);
            let mut naps = site.naps(&info, me);
            let plan = site.context.plan.clone();
            let snapshots = site.context.snapshots.clone();
            let (mut episodes, mut epochs) = (Episodes::new(&plan), Epochs::default());
            if me == 0 {
                match snapshots.join::<(episodes::Saved, Epochs)>(NOTIFY) {
                    Ok((_, saved)) => saved.into_iter().for_each(|saved| {
                        episodes = Episodes::restore(&plan, saved.0);
                        epochs = saved.1;
                    }),
                    Err(problem) => site.context.fail(Failure::Input(problem)),
                }
            }
            let mut waiting: BTreeMap<u32, Vec<Signal>> = BTreeMap::new();
            let (mut told, mut noted): (u64, BTreeMap<u32, (u64, u64)>) = (0, BTreeMap::new());
            let keep = SLIDES * plan.detect.step;
            move |(input, frontier), (notes, note_frontier), output| {
                naps.nap();
                input.for_each(|_, data| {
                    data.drain(..).for_each(|signal| waiting.entry(signal.learned).or_default().push(signal));
                });
                notes.for_each(|_, data| {
                    for note in data.drain(..) {
                        if let Some((first, last)) = note.epochs {
                            let known = noted.entry(note.s).or_insert((first, last));
                            *known = (known.0.min(first), known.1.max(last));
                        }
                    }
                });
                let open = |f: &[Bi]| f.iter().map(|t| t.s).min();
                let open = [open(&frontier.frontier()), open(&note_frontier.frontier())].into_iter().flatten().min();
                let Some((open, hold)) = open.zip(cap.as_mut()) else {
                    cap = None;
                    return;
                };
                let whole = site.context.ending.borrow().map_or(u32::MAX, |ending| ending.whole);
                let origin = &site.setup.origin;
                let mut session = output.session(&*hold);
                loop {
                    let next = waiting.keys().next().copied().into_iter().chain(episodes.busy()).min();
                    let Some(s) = next.filter(|s| *s < open && *s <= whole) else { break };
                    learn(&mut epochs, &mut noted, s, keep);
                    let mut signals = waiting.remove(&s).unwrap_or_default();
                    signals.sort_unstable();
                    let mut batches = [Table::Episodes, Table::Events, Table::Suppressed].map(|table| Batch::new(s, table));
                    episodes.close(s, signals, &|start| epochs.between(start, s), |row| match row {
                        Row::Episode(it) => {
                            let place = (batches[0].rows.len() as u32, 0);
                            batches[0].row_with_cuts(place, "", |text| json::episode(&plan, origin, &it, text));
                        }
                        Row::Event(table, it) => {
                            let batch = if table == Table::Events { &mut batches[1] } else { &mut batches[2] };
                            let place = (BEHIND | batch.rows.len() as u32, 0);
                            batch.row_with_cuts(place, "", |text| json::event(&plan, origin, &it, text));
                        }
                    });
                    batches.into_iter().filter(|batch| !batch.rows.is_empty()).for_each(|batch| session.give(batch));
                    add(&site.context.counters.suppressed, episodes.suppressed() - told);
                    told = episodes.suppressed();
                }
                drop(session);
                learn(&mut epochs, &mut noted, open.saturating_sub(1), keep);
                if let Err(problem) = snapshots.stage(NOTIFY, open, || (episodes.save(), epochs.clone())) {
                    return site.context.fail(Failure::Output(problem));
                }
                if hold.time().s < open {
                    hold.downgrade(&Bi::diagonal(open));
                }
            }
        },
    )
}

/// Learns of the epochs up to tick `s`, in order.
fn learn(epochs: &mut Epochs, noted: &mut BTreeMap<u32, (u64, u64)>, s: u32, keep: u32) {
    while let Some(first) = noted.first_entry().filter(|first| *first.key() <= s) {
        let (s, of) = first.remove_entry();
        epochs.learn(s, of, keep);
    }
}

//! The operator around [`Assembly`]: on worker 0, all definitions together, because events follow the order of their rows.

use super::assemble::{self, Assembly, Updates};
use super::epochs::Epochs;
use crate::clock::Failure;
use crate::clock::context::add;
use crate::detect::{self, At, Events, Judged, reference_ends};
use crate::edge::{Batch, Table};
use crate::group::Totals;
use crate::pane::best::Peak;
use crate::pane::note::Note;
use crate::plan::Plan;
use crate::row::json;
use crate::site::Site;
use crate::time::Bi;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{Scope, Stream};

/// A change of what one definition holds, from worker 0 to itself.
#[derive(Clone, Debug)]
pub enum Change {
    /// Sums and distinct counts.
    Totals(Box<Totals>),
    /// Best seller, best category, biggest sale.
    Peak(Peak),
}

/// (definition, change), with the time at which it holds and is known, and a difference.
pub type WindowUpdate = ((u8, Change), Bi, isize);

/// What a checkpoint must hold of the windows and their events.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    assemblies: Vec<assemble::Saved>,
    events: detect::Saved,
    first: i64,
    epochs: Epochs,
}

/// All definitions, and what is known of the run. Plain state.
struct Windows {
    site: Site,
    assemblies: Vec<Assembly>,
    events: Events,
    updates: BTreeMap<u32, Vec<(u8, u32, Change, isize)>>,
    notes: BTreeMap<u32, Note>,
    first: i64,
    epochs: Epochs,
    keep: u32,
    /// Suppressed events that the counters know of.
    suppressed: u64,
}

impl Windows {
    fn new(site: &Site) -> Windows {
        let plan = &site.context.plan;
        Windows {
            site: site.clone(),
            assemblies: (0..plan.windows.len()).map(|i| Assembly::new(plan, i)).collect(),
            events: Events::new(plan),
            updates: BTreeMap::new(),
            notes: BTreeMap::new(),
            first: i64::MAX,
            epochs: Epochs::default(),
            keep: plan.windows.iter().map(|w| w.size + w.lateness + 2 * w.slide).max().unwrap_or(0),
            suppressed: 0,
        }
    }

    /// As they were when [`Windows::save`] was called, under a plan with the same windows.
    fn restore(site: &Site, saved: Saved) -> Windows {
        let plan = &site.context.plan;
        let assemblies = saved.assemblies.into_iter().enumerate();
        Windows {
            assemblies: assemblies.map(|(i, saved)| Assembly::restore(plan, i, saved)).collect(),
            events: Events::restore(plan, saved.events),
            first: saved.first,
            epochs: saved.epochs,
            ..Windows::new(site)
        }
    }

    /// What a checkpoint must hold, when all that was learned before it has been said.
    fn save(&self) -> Saved {
        Saved {
            assemblies: self.assemblies.iter().map(Assembly::save).collect(),
            events: self.events.save(),
            first: self.first,
            epochs: self.epochs.clone(),
        }
    }

    fn learn(&mut self, note: Note) {
        match self.notes.get_mut(&note.s) {
            Some(known) => {
                known.first = known.first.min(note.first);
                known.epochs = match (known.epochs, note.epochs) {
                    (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
                    (a, b) => a.or(b),
                };
            }
            None => {
                self.notes.insert(note.s, note);
            }
        }
    }

    fn next(&self, open: u32) -> Option<u32> {
        let rows = self.assemblies.iter().filter_map(Assembly::busy);
        let known = [self.updates.keys().next(), self.notes.keys().next()].into_iter().flatten().copied();
        rows.chain(known).min().filter(|s| *s < open)
    }

    /// Closes the learned tick `s`; gives the rows of its tables.
    fn close(&mut self, s: u32, mut give: impl FnMut(Batch)) {
        let plan: &Plan = &self.site.context.plan.clone();
        if let Some(note) = self.notes.remove(&s) {
            self.first = self.first.min(note.first);
            if let Some(epochs) = note.epochs {
                self.epochs.learn(s, epochs, self.keep);
            }
        }
        let mut by: Vec<Updates> = plan.windows.iter().map(|_| Updates::default()).collect();
        for (i, e, change, d) in self.updates.remove(&s).unwrap_or_default() {
            let u = &mut by[usize::from(i)];
            match change {
                Change::Totals(v) => u.totals.push((e, *v, d)),
                Change::Peak(Peak::Seller(v)) => u.seller.push((e, v, d)),
                Change::Peak(Peak::Category(v)) => u.category.push((e, v, d)),
                Change::Peak(Peak::Biggest(v)) => u.biggest.push((e, v, d)),
            }
        }
        let ending = *self.site.context.ending.borrow();
        let mut batches = [Table::Windows, Table::Events, Table::Suppressed].map(|t| Batch::new(s, t));
        for (i, updates) in by.into_iter().enumerate() {
            let w = &plan.windows[i];
            let idle = updates.totals.is_empty() && self.assemblies[i].busy() != Some(s);
            let quiet = idle && updates.seller.is_empty() && updates.category.is_empty() && updates.biggest.is_empty();
            if quiet || !s.is_multiple_of(w.slide) {
                continue;
            }
            let (from, rows) = self.assemblies[i].learn(plan, s, updates, self.first, ending);
            for row in rows {
                let place = (batches[0].rows.len() as u32, 0);
                batches[0].row(place, "", |text| json::window(plan, &row, text));
                batches[0].windows.push(row);
            }
            let mut end = if self.events.watches(i) { from } else { s + 1 };
            while end <= s {
                self.judge(plan, i, end, s, &mut batches);
                end += w.slide;
            }
        }
        self.events.forget(s);
        let suppressed = self.events.suppressed();
        add(&self.site.context.counters.suppressed, suppressed - self.suppressed);
        self.suppressed = suppressed;
        batches.into_iter().filter(|b| !b.rows.is_empty()).for_each(&mut give);
    }

    fn judge(&mut self, plan: &Plan, i: usize, end: u32, learned: u32, batches: &mut [Batch; 3]) {
        let assembly = &self.assemblies[i];
        let now = assembly.truth(plan, end, *self.site.context.ending.borrow());
        let ends = reference_ends(plan, i, end);
        let references: Option<Vec<_>> = ends.iter().map(|e| assembly.reference(plan, *e)).collect();
        let references = references.unwrap_or_default();
        let judged: Vec<Judged> = references.iter().map(|c| Judged { columns: c, failed: &c.gates_failed }).collect();
        let now = now.as_ref().map(|c| Judged { columns: c, failed: &c.gates_failed });
        let start = end.saturating_sub(plan.windows[i].size);
        let at = At { learned, bindings: self.epochs.between(start, learned), window: i, end };
        let origin = &self.site.setup.origin;
        self.events.window(&at, now.as_ref(), &judged, &mut |table, event| {
            let batch = if table == Table::Events { &mut batches[1] } else { &mut batches[2] };
            let place = (batch.rows.len() as u32, 0);
            batch.row_with_cuts(place, "", |text| json::event(plan, origin, &event, text));
        });
    }
}

/// Rows of `windows`, `events` and `suppressed`, on worker 0.
pub fn windows<'s>(
    scope: Scope<'s, Bi>,
    changes: Vec<Stream<'s, Bi, Vec<WindowUpdate>>>,
    notes: Stream<'s, Bi, Vec<Note>>,
    site: &Site,
) -> Stream<'s, Bi, Vec<Batch>> {
    let site = site.clone();
    let mut builder = OperatorBuilder::new("Windows".into(), scope);
    let mut changes: Vec<_> = changes.into_iter().map(|changes| builder.new_input(changes, Pipeline)).collect();
    let mut notes = builder.new_input(notes, Exchange::new(|_: &Note| 0));
    let (out, rows) = builder.new_output::<Vec<Batch>>();
    let mut out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Batch>>>::from(out);
    builder.build(move |caps| {
        let mut cap = caps.into_iter().next();
        let snapshots = site.context.snapshots.clone();
        let resumed = snapshots.resume(|resume| (resume.cut.tick, resume.first.as_ref().map(|first| first.windows.clone())));
        // What was learned before the checkpoint has been said.
        let (since, saved) = resumed.unwrap_or_default();
        let mut windows = saved.map_or_else(|| Windows::new(&site), |saved| Windows::restore(&site, saved));
        move |frontiers| {
            for changes in &mut changes {
                changes.for_each(|_, data| {
                    for ((i, change), t, d) in data.drain(..).filter(|(_, t, _)| t.s >= since) {
                        windows.updates.entry(t.s).or_default().push((i, t.e, change, d));
                    }
                });
            }
            notes.for_each(|_, data| data.drain(..).for_each(|note| windows.learn(note)));
            let open = Bi::open(frontiers);
            let Some((open, hold)) = open.zip(cap.as_mut()) else {
                cap = None;
                return;
            };
            let mut output = out.activate();
            let mut session = output.session(&*hold);
            while let Some(s) = windows.next(open) {
                windows.close(s, |batch| session.give(batch));
            }
            drop(session);
            drop(output);
            if let Err(problem) = snapshots.windows(open, || windows.save()) {
                return site.context.fail(Failure::Output(problem));
            }
            if hold.time().s < open {
                hold.downgrade(&Bi::diagonal(open));
            }
        }
    });
    rows
}

//! The table `scores`: on the worker that read a sale, what the owners of its keys know of it is put together.
//!
//! One row for each accepted sale, once: a vector is what was known, and is not revised. Rows of a tick leave in the order of
//! (pane, event time, input, offset).

use super::columns::{self, NULL, width};
use super::fact::{Ticket, class, home};
use super::stage::Parts;
use super::write::Writer;
use crate::clock::Failure;
use crate::edge::{Batch, Table};
use crate::plan::Plan;
use crate::site::Site;
use crate::time::Bi;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::Operator;

/// The name under which the stage deposits its state.
const NAME: &str = "scores";

/// Sales of one tick and what came for them. Plain state.
struct Desk {
    plan: Plan,
    tickets: BTreeMap<u32, Vec<Ticket>>,
    parts: BTreeMap<u32, Vec<Parts>>,
    writers: Vec<Writer>,
    widths: Vec<usize>,
    /// Bytes of the longest row so far.
    longest: usize,
}

impl Desk {
    fn new(plan: &Plan) -> Desk {
        let lists: Vec<_> = (0..class::COUNT).map(columns::given).chain([columns::OF_PAYMENT.to_vec()]).collect();
        Desk {
            plan: plan.clone(),
            tickets: BTreeMap::new(),
            parts: BTreeMap::new(),
            writers: lists.iter().map(|list| Writer::new(list)).collect(),
            widths: lists.iter().map(|list| width(list)).collect(),
            longest: 0,
        }
    }

    fn rows(&mut self, s: u32) -> Batch {
        let mut batch = Batch::new(s, Table::Scores);
        let mut tickets = self.tickets.remove(&s).unwrap_or_default();
        let parts = self.parts.remove(&s).unwrap_or_default();
        let mut places: Vec<HashMap<u64, &[i64]>> = vec![HashMap::new(); class::COUNT + 1];
        for part in &parts {
            let c = usize::from(part.class);
            let cells = part.cells.chunks_exact(self.widths[c]);
            places[c].extend(part.tickets.iter().copied().zip(cells));
        }
        tickets.sort_unstable_by_key(|t| (t.at, t.place));
        let slide = i64::from(self.plan.features.slide) * self.plan.tick;
        batch.reserve(tickets.len() * self.longest);
        let nothing = [0, 0, 0, 0, 0, 0, 0, 0, 1_000_000];
        for ticket in tickets {
            let pane = ticket.at.div_euclid(slide);
            let end = ((pane + 1) * slide - self.plan.origin) / self.plan.tick;
            let mut name = [0; 12];
            name[..4].copy_from_slice(&ticket.place.0.to_be_bytes());
            name[4..].copy_from_slice(&ticket.place.1.to_be_bytes());
            let before = batch.bytes();
            batch.row_named((end as u32, ticket.at as u64), &name, |out| {
                out.extend_from_slice(ticket.text.as_bytes());
                // A sale that came too late for a vector has none of its keys either.
                let late = !places[class::SELLER].contains_key(&ticket.ticket);
                for (c, writer) in self.writers.iter().enumerate() {
                    let cells = match c {
                        class::COUNT if late => None,
                        class::COUNT => {
                            let at = (pane as u64) << 8 | u64::from(ticket.payment);
                            Some(places[c].get(&at).copied().unwrap_or(&nothing))
                        }
                        _ => places[c].get(&ticket.ticket).copied(),
                    };
                    writer.columns(cells, "", out);
                }
                out.extend_from_slice(b"}\n");
            });
            self.longest = self.longest.max(batch.bytes() - before);
        }
        debug_assert!(nothing.iter().all(|x| *x != NULL));
        batch
    }
}

/// Rows of `scores`.
pub fn scores<'s>(
    tickets: Stream<'s, Bi, Vec<Ticket>>,
    parts: Stream<'s, Bi, Vec<Parts>>,
    site: &Site,
) -> Stream<'s, Bi, Vec<Batch>> {
    let scope = tickets.scope();
    let (me, peers) = (scope.index(), scope.peers());
    let context = site.context.clone();
    let mut desk = Desk::new(&context.plan);
    match context.snapshots.join::<BTreeMap<u32, Vec<Ticket>>>(NAME) {
        Ok((_, held)) => {
            for (s, tickets) in held.into_iter().flatten() {
                let own = tickets.into_iter().filter(|t| home(t.ticket, peers) == me);
                desk.tickets.entry(s).or_default().extend(own);
            }
        }
        Err(problem) => context.fail(Failure::Input(problem)),
    }
    let to = Exchange::new(|p: &Parts| u64::from(p.to));
    tickets.binary_frontier::<_, CapacityContainerBuilder<Vec<Batch>>, _, _, _, _>(
        parts,
        Pipeline,
        to,
        "Scores",
        move |cap, _| {
            let mut cap = Some(cap);
            move |(tickets, first), (parts, second), output| {
                tickets.for_each(|_, data| {
                    for ticket in data.drain(..) {
                        desk.tickets.entry(ticket.s).or_default().push(ticket);
                    }
                });
                parts.for_each(|_, data| {
                    for part in data.drain(..) {
                        desk.parts.entry(part.s).or_default().push(part);
                    }
                });
                let least = |f: &[Bi]| f.iter().map(|t| t.s).min();
                let open = [least(&first.frontier()), least(&second.frontier())].into_iter().flatten().min();
                let Some((open, hold)) = open.zip(cap.as_mut()) else {
                    cap = None;
                    return;
                };
                while let Some(s) = desk.tickets.keys().next().copied().filter(|s| *s < open) {
                    let batch = desk.rows(s);
                    output.session(&*hold).give(batch);
                }
                while desk.parts.first_entry().filter(|p| *p.key() < open).map(|p| p.remove()).is_some() {}
                if let Err(problem) = context.snapshots.stage(NAME, open, || desk.tickets.clone()) {
                    return context.fail(Failure::Output(problem));
                }
                if hold.time().s < open {
                    hold.downgrade(&Bi::diagonal(open));
                }
            }
        },
    )
}

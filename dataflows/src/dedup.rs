//! Deduplication: of the records with the same (`op`, `id_sale`) within a horizon only the first counts.
//!
//! First is the least (epoch, input, offset), and the horizon lies between watermarks, so that the outcome is a function of
//! the bindings and the records. The records stay where they were read; only their ids travel to the worker that remembers
//! them, and the verdicts come back before the tick closes:
//!
//! ```text
//! released ─► claim ──────────────────────────► hold ─► released, without duplicates
//!               └─ ids ─exchange─► judge ─exchange─┘
//! ```
//!
//! Memory: one entry of about 48 bytes for each id within the horizon.

use crate::clock::Failure;
use crate::plan::Plan;
use crate::release::Released;
use crate::site::Site;
use crate::time::Bi;
use hashbrown::HashSet;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{Operator, OutputBuilder};

/// A record that claims to be the first with its id. Claims are ordered as records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Claim {
    epoch: u64,
    input: u32,
    offset: u64,
    id: (u64, u64),
    /// The open tick at its release.
    s: u32,
    /// The worker that holds it, and where.
    from: u32,
    block: u64,
    row: u32,
}

/// A record that is not the first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Verdict {
    to: u32,
    s: u32,
    block: u64,
    row: u32,
}

/// The ids of one worker. Plain state.
struct Memory {
    /// In ticks of the watermark.
    horizon: u32,
    known: HashSet<(u64, u64)>,
    order: VecDeque<(u32, (u64, u64))>,
}

impl Memory {
    fn new(plan: &Plan) -> Memory {
        let horizon = u32::try_from((plan.deduplicate + plan.tick - 1) / plan.tick).unwrap_or(u32::MAX / 2);
        Memory { horizon, known: HashSet::new(), order: VecDeque::new() }
    }

    /// Takes up ids, each with the watermark tick at which it was met.
    fn restore<'a>(&mut self, ids: impl Iterator<Item = &'a (u32, (u64, u64))>) {
        self.order.extend(ids);
        self.order.make_contiguous().sort_unstable();
        self.known.extend(self.order.iter().map(|(_, id)| *id));
    }

    /// What a checkpoint must hold.
    fn save(&self) -> Vec<(u32, (u64, u64))> {
        self.order.iter().copied().collect()
    }

    /// Whether the id is known at watermark tick `w`; remembers it otherwise. A duplicate does not renew the memory.
    fn duplicate(&mut self, id: (u64, u64), w: u32) -> bool {
        while let Some((_, old)) = self.order.pop_front_if(|x| x.0.saturating_add(self.horizon) < w) {
            self.known.remove(&old);
        }
        if !self.known.insert(id) {
            return true;
        }
        self.order.push_back((w, id));
        false
    }
}

/// Removes what is not the first with its id, and counts it in the block. Returns its input when deduplication is off.
pub fn deduplicate<'s>(released: Stream<'s, Bi, Vec<Released>>, site: &Site) -> Stream<'s, Bi, Vec<Released>> {
    if site.context.plan.deduplicate == 0 {
        return released;
    }
    let (released, claims) = claim(released, site);
    let verdicts = judge(claims, site);
    hold(released, verdicts)
}

fn claim<'s>(
    released: Stream<'s, Bi, Vec<Released>>,
    site: &Site,
) -> (Stream<'s, Bi, Vec<Released>>, Stream<'s, Bi, Vec<Claim>>) {
    let scope = released.scope();
    let me = scope.index() as u32;
    let plan = site.context.plan.clone();
    let mut builder = OperatorBuilder::new("Claim".into(), scope);
    let mut input = builder.new_input(released, Pipeline);
    let (out, passed) = builder.new_output::<Vec<Released>>();
    let mut passed_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Released>>>::from(out);
    let (out, claims) = builder.new_output::<Vec<Claim>>();
    let mut claims_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Claim>>>::from(out);
    builder.build(move |_caps| {
        let mut block = 0;
        move |_frontiers| {
            input.for_each(|cap, data| {
                let (pass, claim) = (cap.retain_stamp(0), cap.retain_stamp(1));
                let mut ids = claims_out.activate();
                let mut session = ids.session(&claim);
                for released in data.iter_mut() {
                    block += 1;
                    released.block_number = block;
                    let least = plan.least_pane(released.before);
                    let (epoch, input, s) = (released.epoch, released.input, released.before + 1);
                    let d = &released.decoded;
                    for (row, (sale, id)) in d.sales.iter().zip(&d.ids).enumerate() {
                        if plan.pane(sale.at) >= least {
                            let (offset, row) = (d.offset(row), row as u32);
                            session.give(Claim {
                                epoch,
                                input,
                                offset,
                                id: ((id >> 64) as u64, *id as u64),
                                s,
                                from: me,
                                block,
                                row,
                            });
                        }
                    }
                }
                passed_out.activate().session(&pass).give_container(data);
            });
        }
    });
    (passed, claims)
}

fn judge<'s>(claims: Stream<'s, Bi, Vec<Claim>>, site: &Site) -> Stream<'s, Bi, Vec<Verdict>> {
    let mut memory = Memory::new(&site.context.plan);
    let (me, peers) = (claims.scope().index() as u64, claims.scope().peers() as u64);
    let context = site.context.clone();
    context.snapshots.resume(|resume| memory.restore(resume.ids.iter().filter(|(_, id)| id.0 % peers == me)));
    let first_watermark = site.context.first_watermark.clone();
    let owner = Exchange::new(|c: &Claim| c.id.0);
    claims.unary_frontier::<CapacityContainerBuilder<Vec<Verdict>>, _, _, _>(owner, "Judge", move |cap, _| {
        let mut cap = Some(cap);
        let mut stash: BTreeMap<u32, Vec<Claim>> = BTreeMap::new();
        move |(input, frontier), output| {
            input.for_each(|_, data| {
                for claim in data.drain(..) {
                    stash.entry(claim.s).or_default().push(claim);
                }
            });
            let Some(hold) = cap.as_mut() else { return };
            // After a stop the last tick stays open. All claims of it have come, and their records want a fate.
            let ended = frontier.frontier().is_empty();
            let open = frontier.frontier().iter().map(|t| t.s).min().unwrap_or(u32::MAX);
            while let Some(tick) = stash.first_entry().filter(|e| *e.key() < open) {
                let (s, mut claims) = tick.remove_entry();
                claims.sort_unstable();
                // What came before there was a watermark counts from the first one.
                let w = (s - 1).max(first_watermark.get());
                let mut session = output.session(&*hold);
                for c in claims {
                    if memory.duplicate(c.id, w) {
                        session.give(Verdict { to: c.from, s, block: c.block, row: c.row });
                    }
                }
            }
            if ended {
                cap = None;
                return;
            }
            if let Err(problem) = context.snapshots.ids(open, || memory.save()) {
                return context.fail(Failure::Output(problem));
            }
            if hold.time().s < open {
                hold.downgrade(&Bi::diagonal(open));
            }
        }
    })
}

fn hold<'s>(released: Stream<'s, Bi, Vec<Released>>, verdicts: Stream<'s, Bi, Vec<Verdict>>) -> Stream<'s, Bi, Vec<Released>> {
    let home = Exchange::new(|v: &Verdict| u64::from(v.to));
    released.binary_frontier::<_, CapacityContainerBuilder<Vec<Released>>, _, _, _, _>(
        verdicts,
        Pipeline,
        home,
        "Hold",
        |cap, _| {
            let mut cap = Some(cap);
            let mut held: BTreeMap<u32, Vec<Released>> = BTreeMap::new();
            let mut guilty: BTreeMap<u32, BTreeMap<u64, Vec<u32>>> = BTreeMap::new();
            move |(released, frontier), (verdicts, judged), output| {
                released.for_each(|_, data| {
                    for block in data.drain(..) {
                        held.entry(block.before + 1).or_default().push(block);
                    }
                });
                verdicts.for_each(|_, data| {
                    for v in data.drain(..) {
                        guilty.entry(v.s).or_default().entry(v.block).or_default().push(v.row);
                    }
                });
                let least = |f: &[Bi]| f.iter().map(|t| t.s).min();
                let open = [least(&frontier.frontier()), least(&judged.frontier())].into_iter().flatten().min();
                let Some(hold) = cap.as_mut() else { return };
                let (ended, open) = (open.is_none(), open.unwrap_or(u32::MAX));
                while let Some(tick) = held.first_entry().filter(|e| *e.key() < open) {
                    let (s, mut blocks) = tick.remove_entry();
                    let guilty = guilty.remove(&s).unwrap_or_default();
                    for block in &mut blocks {
                        if let Some(rows) = guilty.get(&block.block_number) {
                            remove(block, rows);
                        }
                    }
                    // Their own tick: what is released together is learned together.
                    let at = hold.delayed(&Bi::diagonal(s));
                    output.session(&at).give_iterator(blocks.into_iter());
                }
                if ended {
                    cap = None;
                    return;
                }
                if hold.time().s < open {
                    hold.downgrade(&Bi::diagonal(open));
                }
            }
        },
    )
}

fn remove(block: &mut Released, rows: &[u32]) {
    let mut gone = vec![false; block.decoded.sales.len()];
    rows.iter().for_each(|r| gone[*r as usize] = true);
    let mut keep = gone.iter().map(|g| !g);
    block.decoded.sales.retain(|_| keep.next().unwrap_or(true));
    let mut keep = gone.iter().map(|g| !g);
    block.decoded.spans.retain(|_| keep.next().unwrap_or(true));
    let mut keep = gone.iter().map(|g| !g);
    block.decoded.ids.retain(|_| keep.next().unwrap_or(true));
    block.duplicates += rows.len() as u64;
}

//! The feature tables: from sums by key to rows and their revisions.
//!
//! A key has a row at `as_of` T exactly when its integer sums change there, that is, when the step function of its sums has a step
//! at T. A correction moves steps; the rows of the steps that moved are said again, those of steps that are gone are taken
//! back. Runs where the key's owner is, so that ids can be turned into names.
//!
//! Nearly all changes come at the newest end, where a step is one addition; so the step functions are kept here, as the sums
//! behind the newest end and the steps that corrections can still reach, and not in an arrangement.

use crate::edge::{Batch, Table};
use crate::feature::{CategorySums, SellerSums, category, seller};
use crate::group::{CategoryGroup, SellerGroup};
use crate::pane::names::Names;
use crate::pane::touched::Ranks;
use crate::plan::{Plan, ceil};
use crate::row::{CategoryColumns, CategoryRow, SellerColumns, SellerRow, json};
use crate::site::Site;
use crate::time::Bi;
use differential_dataflow::difference::{IsZero, Semigroup};
use differential_dataflow::{ExchangeData, VecCollection};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::Stream;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::generic::Operator;

/// A class of keys with a feature table.
pub trait Served: ExchangeData + IsZero + Semigroup + Copy + Default {
    /// The columns that revisions compare.
    type Columns: Copy + PartialEq + Default + 'static;
    /// Its table.
    const TABLE: Table;
    /// The columns of the sums at `as_of`.
    fn columns(&self, plan: &Plan, as_of: i64) -> Self::Columns;
    /// Writes a row.
    fn write(name: &str, place: Place, columns: Self::Columns, out: &mut Vec<u8>);
}

/// What names a feature row besides its key.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    as_of: i64,
    revision: u32,
    deleted: bool,
}

impl Served for SellerGroup {
    type Columns = SellerColumns;
    const TABLE: Table = Table::SellerFeatures;
    fn columns(&self, plan: &Plan, _: i64) -> SellerColumns {
        let [n, units, cents, orders] = self.0;
        seller(&SellerSums { n, units, cents, orders }, plan.features.orders)
    }
    fn write(name: &str, Place { as_of, revision, deleted }: Place, columns: SellerColumns, out: &mut Vec<u8>) {
        json::seller(name, &SellerRow { as_of, revision, deleted, columns }, out);
    }
}

impl Served for CategoryGroup {
    type Columns = CategoryColumns;
    const TABLE: Table = Table::CategoryFeatures;
    fn columns(&self, _: &Plan, as_of: i64) -> CategoryColumns {
        let narrow = |x: i128| x.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        let [n, units, cents, ln, ln2, trend_n, s0, s1, s2] = self.0;
        let (n, units, cents, ln) = (narrow(n), narrow(units), narrow(cents), narrow(ln));
        category(&CategorySums { n, units, cents, ln, ln2, trend_n: narrow(trend_n), s0: narrow(s0), s1, s2 }, as_of)
    }
    fn write(name: &str, Place { as_of, revision, deleted }: Place, columns: CategoryColumns, out: &mut Vec<u8>) {
        json::category(name, &CategoryRow { as_of, revision, deleted, columns }, out);
    }
}

/// A step of a key's sums, and what was last said of it. Zero stands for no sums.
#[derive(Clone, Copy)]
struct Step<R, C> {
    to: R,
    from: R,
    said: Option<C>,
    /// Revision of the next row.
    next: u32,
}

/// The steps of one end, in the order of the ids.
struct End<R: Served> {
    end: u32,
    steps: Vec<(u32, Step<R, R::Columns>)>,
}

/// The steps of the last ends. Plain state.
struct Rows<R: Served> {
    plan: Plan,
    names: Rc<RefCell<Names>>,
    reach: u32,
    /// By tick: whose sums change, from which end on, and by how much.
    updates: BTreeMap<u32, Vec<(u32, u32, R)>>,
    ends: VecDeque<End<R>>,
    /// By id: the sums behind the newest end.
    sums: Vec<R>,
    /// Steps that the tick at hand has moved: end and id.
    moved: Vec<(u32, u32)>,
    /// By row of the end at hand: the rank of its key's name.
    ranks: Vec<u32>,
    sorter: Ranks,
    /// Bytes of the last batch.
    bytes: usize,
}

impl<R: Served> Rows<R> {
    fn new(plan: Plan, names: Rc<RefCell<Names>>) -> Rows<R> {
        let reach = ceil(plan.features.lateness, plan.features.slide);
        let (updates, ends, sorter) = (BTreeMap::new(), VecDeque::new(), Ranks::default());
        Rows { plan, names, reach, updates, ends, sums: vec![], moved: vec![], ranks: vec![], sorter, bytes: 0 }
    }

    fn close(&mut self, s: u32, last: u32) -> Batch {
        let mut updates = self.updates.remove(&s).unwrap_or_default();
        updates.sort_unstable_by_key(|u| (u.1, u.0));
        while self.ends.pop_front_if(|x| x.end + self.reach < s).is_some() {}
        updates.chunk_by(|a, b| a.1 == b.1).for_each(|of_end| self.learn(of_end));
        let mut moved = std::mem::take(&mut self.moved);
        moved.sort_unstable();
        moved.dedup();
        self.names.borrow_mut().sort();
        let mut batch = Batch::new(s, R::TABLE);
        batch.reserve(self.bytes + self.bytes / 8);
        for of_end in moved.chunk_by(|a, b| a.0 == b.0).filter(|of_end| of_end[0].0 <= last) {
            self.say(of_end, &mut batch);
        }
        moved.clear();
        (self.moved, self.bytes) = (moved, batch.bytes());
        batch
    }

    /// Sums change from an end on: a step there, and the later ones lie higher or lower. Ends come in order.
    fn learn(&mut self, updates: &[(u32, u32, R)]) {
        let end = updates[0].1;
        let i = self.ends.partition_point(|x| x.end < end);
        if self.ends.get(i).is_none_or(|x| x.end != end) {
            self.ends.insert(i, End { end, steps: Vec::with_capacity(updates.len()) });
        }
        let (known, mut at) = (self.ends[i].steps.len(), 0);
        for of_key in updates.chunk_by(|a, b| a.0 == b.0) {
            let id = of_key[0].0;
            let mut by = R::default();
            of_key.iter().for_each(|u| by.plus_equals(&u.2));
            if by.is_zero() {
                continue;
            }
            if self.sums.len() <= id as usize {
                self.sums.resize(id as usize + 1, R::default());
            }
            // What the sums were at the end: what the first step behind it comes from.
            let mut from = self.sums[id as usize];
            self.sums[id as usize].plus_equals(&by);
            for later in self.ends.range_mut(i + 1..).rev() {
                if let Ok(k) = later.steps.binary_search_by_key(&id, |x| x.0) {
                    let step = &mut later.steps[k].1;
                    from = step.from;
                    step.from.plus_equals(&by);
                    step.to.plus_equals(&by);
                    self.moved.push((later.end, id));
                }
            }
            let steps = &mut self.ends[i].steps;
            at = seek(&steps[..known], at, id);
            if at < known && steps[at].0 == id {
                steps[at].1.to.plus_equals(&by);
            } else {
                by.plus_equals(&from);
                steps.push((id, Step { to: by, from, said: None, next: 0 }));
            }
            self.moved.push((end, id));
        }
        // What is new was added at the back, in order: two runs, which a stable sort merges.
        self.ends[i].steps.sort_by_key(|x| x.0);
    }

    /// Writes the rows of the steps of an end that differ from what was said.
    fn say(&mut self, moved: &[(u32, u32)], batch: &mut Batch) {
        let names = self.names.borrow();
        let end = moved[0].0;
        let Some(End { steps, .. }) = self.ends.iter_mut().find(|x| x.end == end) else { return };
        let as_of = self.plan.millis(end);
        let (first, mut at) = (batch.rows.len(), 0);
        self.ranks.clear();
        batch.rows.reserve(moved.len());
        for &(_, id) in moved {
            at = seek(steps, at, id);
            let Some((_, step)) = steps.get_mut(at).filter(|x| x.0 == id) else { continue };
            let truth = (step.to != step.from).then(|| step.to.columns(&self.plan, as_of));
            if truth != step.said {
                let place = Place { as_of, revision: step.next, deleted: truth.is_none() };
                let name = names.names.get(id);
                batch.row((end, 0), name, |text| R::write(name, place, truth.unwrap_or_default(), text));
                self.ranks.push(names.rank(id));
                step.said = truth;
                step.next += 1;
            }
        }
        // Written in the order of the ids, which walks all of this forwards; rows leave in the order of the names.
        self.sorter.sort(&self.ranks, |order| batch.order(first, order));
    }
}

/// The first place from `from` on whose id is not less than `id`. Ids come in order, so it is not far: doubling steps find it near
/// by, where a search of the whole would jump about.
fn seek<T>(sorted: &[(u32, T)], from: usize, id: u32) -> usize {
    let (mut low, mut width) = (from, 1);
    while sorted.get(low + width).is_some_and(|x| x.0 < id) {
        low += width;
        width *= 2;
    }
    low + sorted[low..sorted.len().min(low + width + 1)].partition_point(|x| x.0 < id)
}

/// Rows of a feature table, on the owner of each key.
pub fn serve<'s, R: Served>(
    sums: VecCollection<'s, Bi, (u32, ()), R>,
    names: Rc<RefCell<Names>>,
    site: &Site,
) -> Stream<'s, Bi, Vec<Batch>> {
    let site = site.clone();
    let plan = (*site.context.plan).clone();
    sums.inner.unary_frontier::<CapacityContainerBuilder<Vec<Batch>>, _, _, _>(Pipeline, "Serve", move |cap, _| {
        let mut cap = Some(cap);
        let slide = plan.features.slide;
        let mut rows = Rows::new(plan, names);
        move |(input, frontier), output| {
            input.for_each(|_, data| {
                for same in data.chunk_by(|a, b| a.1.s == b.1.s) {
                    let updates = rows.updates.entry(same[0].1.s).or_default();
                    updates.extend(same.iter().map(|((id, ()), t, by)| (*id, t.e, *by)));
                }
            });
            let Some((open, hold)) = frontier.frontier().iter().map(|t| t.s).min().zip(cap.as_mut()) else {
                cap = None;
                return;
            };
            let last = site.context.ending.borrow().map_or(u32::MAX, |x| ceil(x.last.max(x.whole), slide));
            while let Some(s) = rows.updates.keys().next().copied().filter(|s| *s < open) {
                let batch = rows.close(s, last);
                if !batch.rows.is_empty() {
                    output.session(&*hold).give(batch);
                }
            }
            rows.names.borrow_mut().rows_out = open.saturating_sub(1);
            if hold.time().s < open {
                hold.downgrade(&Bi::diagonal(open));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn seeking_finds_what_a_search_of_the_whole_finds(
            ids in prop::collection::btree_set(0u32..200, 0..60),
            from in 0usize..60,
            id in 0u32..210,
        ) {
            let sorted: Vec<(u32, ())> = ids.into_iter().map(|id| (id, ())).collect();
            let from = from.min(sorted.partition_point(|x| x.0 < id));
            prop_assert_eq!(seek(&sorted, from, id), sorted.partition_point(|x| x.0 < id));
        }
    }
}

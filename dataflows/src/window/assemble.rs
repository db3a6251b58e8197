//! One window definition: what the table should say of each end as known at a learned tick, and what was last said of it.
//!
//! Plain state; the rules are the contract's, section 2 and 3:
//! 1. An end whose content is not empty has a row. An empty one has a row, of zeros, when the end before it is not empty.
//! 2. `empty_before` counts the empty ends without a row directly before.
//! 3. `growth_pct` compares with the reference window, where that was wholly seen and not empty.
//! 4. A row leaves when it differs from what was last said of its end; one that is taken back leaves as a tombstone.

use super::steps::Steps;
use crate::group::{Totals, slot};
use crate::pane::best::Candidate;
use crate::plan::{Gates, Plan, Reference, ceil};
use crate::release::Ending;
use crate::row::round::growth;
use crate::row::{Gate, WindowColumns, WindowRow};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How the content of one definition changed at a learned tick: (end, value, difference).
#[derive(Default)]
pub struct Updates {
    /// Sums and distinct counts.
    pub totals: Vec<(u32, Totals, isize)>,
    /// Best seller.
    pub seller: Vec<(u32, Candidate, isize)>,
    /// Best category.
    pub category: Vec<(u32, Candidate, isize)>,
    /// Biggest sale in cents.
    pub biggest: Vec<(u32, i64, isize)>,
}

impl Updates {
    fn first(&self) -> Option<u32> {
        let ends = self.totals.iter().map(|x| x.0).chain(self.biggest.iter().map(|x| x.0));
        let bests = self.seller.iter().chain(&self.category).map(|x| x.0);
        ends.chain(bests).min()
    }
}

/// What was last said of an end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Said {
    row: Option<WindowColumns>,
    /// Revision of the next row.
    next: u32,
}

/// What an [`Assembly`] has learned and said, which a checkpoint must hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    /// The newest end; 0 before the first.
    newest: u32,
    totals: Steps<Totals>,
    seller: Steps<Candidate>,
    category: Steps<Candidate>,
    biggest: Steps<i64>,
    said: VecDeque<Said>,
    /// The newest end that is not empty among those no longer kept.
    older: Option<u32>,
    /// The least event time of an accepted record, as known.
    first: i64,
}

/// See the [module](self).
pub struct Assembly {
    index: u8,
    size: u32,
    slide: u32,
    reach: u32,
    reference: u32,
    keep: usize,
    gates: Gates,
    known: Saved,
}

impl Assembly {
    /// For the definition with this index.
    pub fn new(plan: &Plan, index: usize) -> Assembly {
        let w = &plan.windows[index];
        let reach = ceil(w.lateness, w.slide);
        let back = match plan.events.reference {
            Reference::Mean(n) => w.size.saturating_mul(n),
            _ => w.size,
        };
        let keep = ((reach + back) / w.slide) as usize + 3;
        Assembly {
            index: index as u8,
            size: w.size,
            slide: w.slide,
            reach,
            reference: w.reference(),
            keep,
            gates: plan.gates.clone(),
            known: Saved {
                newest: 0,
                totals: Steps::new(keep),
                seller: Steps::new(keep),
                category: Steps::new(keep),
                biggest: Steps::new(keep),
                said: VecDeque::new(),
                older: None,
                first: i64::MAX,
            },
        }
    }

    /// As it was when [`Assembly::save`] was called, for the same definition.
    pub fn restore(plan: &Plan, index: usize, saved: Saved) -> Assembly {
        Assembly { known: saved, ..Assembly::new(plan, index) }
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        self.known.clone()
    }

    /// The next end at which a row is due without anything being learned: the one after an end that is not empty.
    pub fn busy(&self) -> Option<u32> {
        (self.known.newest > 0 && self.content(self.known.newest).is_some()).then_some(self.known.newest + self.slide)
    }

    fn back(&self, end: u32) -> Option<usize> {
        self.known.newest.checked_sub(end).map(|d| (d / self.slide) as usize)
    }

    /// The columns of an end, without those that depend on other ends; `None` when it is empty.
    fn content(&self, end: u32) -> Option<WindowColumns> {
        let back = self.back(end).filter(|b| *b < self.keep)?;
        let (totals, biggest) = (self.known.totals.back(back), self.known.biggest.back(back));
        let (seller, category) = (self.known.seller.back(back), self.known.category.back(back));
        let t = totals.copied().unwrap_or_default().0;
        let counted = t[..slot::RELEASED].iter().chain(&t[slot::SELLERS..]).any(|x| *x != 0);
        if !counted && biggest.is_none() && seller.is_none() && category.is_none() {
            return None;
        }
        let top = |c: Option<&Candidate>| c.map(|c| (c.name.0.clone(), c.sales));
        Some(WindowColumns {
            total_sales: t[slot::SALES],
            total_units: t[slot::UNITS],
            total_revenue: t[slot::CENTS],
            returned_units: t[slot::RETURNED_UNITS],
            returned_revenue: t[slot::RETURNED_CENTS],
            biggest_sale: biggest.copied(),
            active_sellers: t[slot::SELLERS],
            active_categories: t[slot::CATEGORIES],
            active_products: t[slot::PRODUCTS],
            top_category: top(category),
            top_seller: top(seller),
            ..WindowColumns::default()
        })
    }

    /// The gates that an end fails.
    fn failed(&self, end: u32, c: &WindowColumns) -> Vec<Gate> {
        let t = self.back(end).and_then(|b| self.known.totals.back(b)).copied().unwrap_or_default().0;
        let share = |part: usize, permille: i64| t[part] * 1000 > permille * t[slot::RELEASED];
        let gates = [
            (c.total_sales < self.gates.min_sales, Gate::TotalSales),
            (c.total_revenue < self.gates.min_revenue, Gate::TotalRevenue),
            (c.active_sellers < self.gates.min_sellers, Gate::ActiveSellers),
            (share(slot::REJECTED, self.gates.max_rejected_permille), Gate::Schema),
            (share(slot::BAD_TIME, self.gates.max_bad_time_permille), Gate::Timestamp),
        ];
        gates.into_iter().filter(|g| g.0).map(|g| g.1).collect()
    }

    /// The window that ends at `end` as something to compare with: `None` where it was not wholly seen.
    pub fn reference(&self, plan: &Plan, end: u32) -> Option<WindowColumns> {
        let start = end.checked_sub(self.size)?;
        if plan.millis(start) < self.known.first {
            return None;
        }
        let mut columns = self.content(end).unwrap_or_default();
        columns.gates_failed = self.failed(end, &columns);
        Some(columns)
    }

    /// What the table should say of an end, as known now.
    pub fn truth(&self, plan: &Plan, end: u32, ending: Option<Ending>) -> Option<WindowColumns> {
        let whole = ending.map_or(u32::MAX, |x| x.whole);
        let mut columns = match self.content(end) {
            Some(c) => c,
            None if end <= whole && end > self.slide && self.content(end - self.slide).is_some() => WindowColumns::default(),
            None => return None,
        };
        columns.partial = end > whole;
        columns.empty_before = self.empty_before(end, whole);
        columns.gates_failed = self.failed(end, &columns);
        if !columns.partial
            && let Some(r) = end.checked_sub(self.reference).and_then(|e| self.reference(plan, e))
        {
            columns.growth_pct = growth(columns.total_sales, r.total_sales);
        }
        Some(columns)
    }

    /// Empty ends without a row directly before `end`.
    fn empty_before(&self, end: u32, whole: u32) -> u64 {
        let kept = (1..).map(|i| end.checked_sub(i * self.slide));
        let mut kept = kept.take_while(|e| e.is_some_and(|e| self.back(e).is_some_and(|b| b < self.known.said.len()))).flatten();
        let Some(before) = kept.find(|e| self.content(*e).is_some()).or(self.known.older) else { return 0 };
        let empty = (end - before) / self.slide - 1;
        // The first of them has a row of zeros.
        let written = u32::from(before + self.slide <= whole);
        u64::from(empty.saturating_sub(written))
    }

    /// Moves on to the learned tick `s` and takes its updates. Returns the first end that was looked at, and the rows that differ
    /// from what was last said, by end.
    pub fn learn(&mut self, plan: &Plan, s: u32, updates: Updates, first: i64, ending: Option<Ending>) -> (u32, Vec<WindowRow>) {
        self.move_to(s);
        let mut rows = vec![];
        let mut from = updates.first().unwrap_or(s).min(s);
        let newest = self.known.newest;
        let back = |end: u32| ((newest - end) / self.slide) as usize;
        let place = |v: Vec<(u32, Candidate, isize)>| v.into_iter().map(|(e, v, d)| (back(e), v, d)).collect::<Vec<_>>();
        self.known.totals.apply(&mut updates.totals.into_iter().map(|(e, v, d)| (back(e), v, d)).collect::<Vec<_>>());
        self.known.biggest.apply(&mut updates.biggest.into_iter().map(|(e, v, d)| (back(e), v, d)).collect::<Vec<_>>());
        self.known.seller.apply(&mut place(updates.seller));
        self.known.category.apply(&mut place(updates.category));
        if first < self.known.first {
            self.known.first = first;
            from = from.min(s.saturating_sub(self.reach).max(self.slide));
        }
        let mut end = from;
        while end <= s {
            let truth = self.truth(plan, end, ending);
            if let Some(i) = self.known.said.len().checked_sub(back(end) + 1) {
                let said = &mut self.known.said[i];
                if said.row != truth {
                    let (start, deleted) = (plan.millis(end) - i64::from(self.size) * plan.tick, truth.is_none());
                    let columns = truth.clone().unwrap_or_default();
                    rows.push(WindowRow {
                        window: self.index,
                        start,
                        end: plan.millis(end),
                        revision: said.next,
                        deleted,
                        columns,
                    });
                    said.next += 1;
                    said.row = truth;
                }
            }
            end += self.slide;
        }
        (from, rows)
    }

    /// Makes `s` the newest end.
    fn move_to(&mut self, s: u32) {
        let ends = if self.known.newest == 0 { 1 } else { ((s - self.known.newest) / self.slide) as usize };
        let oldest = |a: &Assembly| a.known.newest.saturating_sub((a.known.said.len() as u32).saturating_sub(1) * a.slide);
        let leave = (self.known.said.len() + ends).saturating_sub(self.keep).min(self.known.said.len());
        if leave > 0 {
            let first = oldest(self);
            let leaving = (0..leave as u32).rev().map(|i| first + i * self.slide);
            self.known.older = leaving.into_iter().find(|e| self.content(*e).is_some()).or(self.known.older);
            self.known.said.drain(..leave);
        }
        self.known.totals.extend(ends);
        self.known.seller.extend(ends);
        self.known.category.extend(ends);
        self.known.biggest.extend(ends);
        for _ in 0..ends.min(self.keep) {
            self.known.said.push_back(Said::default());
        }
        self.known.newest = s;
    }
}

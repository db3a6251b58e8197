//! Sellers: thousands of short series, each a share of its category.
//!
//! `mu = mu_category x share x L`. Unit: baskets, and lines as a second series, for a burst of one customer is one basket a pane.
//! * `share = (sum c + kappa pi) / (sum c_category + kappa)` over the last 14 closed days (since its first day for a new
//!   seller), pi = 1 / sellers of the category, kappa = 50; renewed once a day. The category is the one with most of its lines.
//! * `L = (K + sum c) / (K + sum mu_category share)` over the 60 minutes that end 5 minutes before the window: nothing inside the
//!   window touches its own expectation. K = 60.
//!
//! Cold start: nothing is said before the first day of the seller has closed. Source: gamma-Poisson shrinkage, twice.
//!
//! Only what can fire is looked at: a seller without a sale in the pane opens nothing, and expectations over any span are a
//! difference of the category's sums, so a seller that is silent costs nothing, and one that sells a look at its own panes.
//! All sellers live on worker 0: one row a (seller, pane) comes here, whatever was sold. Memory: 40 bytes for each pane of the last
//! hour and a half with a sale, and 24 bytes a day.

use super::baskets::Makes;
use super::concentration::{Buyers, Ratios};
use super::scan::{LONGEST, SCALES, Window, Windows};
use super::series::{GAP, K, SPAN, Series};
use super::table::{ONE, Standing, fixed, float};
use super::trail::{QUIET, Trail};
use crate::pane::heads::Identity;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Pseudo-counts of a share.
const KAPPA: f64 = 50.0;

/// Closed days that make a share.
const DAYS: i32 = 14;

/// Panes that are kept: the longest window, its level, and what may still change.
const KEPT: u32 = LONGEST + GAP + SPAN + GAP + 4 * crate::plan::detect::MINUTE;

/// Baskets, or lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum What {
    /// Distinct customers of a pane.
    Baskets,
    /// Sale lines.
    Lines,
}

/// A pane with sales.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    pane: u32,
    counts: [i64; 2],
    makes: Makes,
}

/// See the [module](self).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seller {
    /// Panes with sales, in order.
    entries: VecDeque<Entry>,
    /// Days with sales: what the share takes, fixed point.
    days: VecDeque<(i32, [i64; 2])>,
    /// Panes up to this one have entered the days.
    settled: u32,
    /// Panes of episodes, first and last.
    frozen: VecDeque<(u32, u32)>,
    /// Lines by category, of all days.
    categories: Vec<(Identity, i64)>,
    /// Index of its category, and the share of it, in [`What`]; known once a day has closed.
    pub share: Option<(usize, [f64; 2])>,
    /// The category's total when the seller was first met, and on which day.
    first: (i32, i64),
    /// Its episodes.
    pub trail: Trail,
    /// Panes at whose end it stood at half of the threshold or above, the last few.
    pub over: Vec<u32>,
    /// Buyers a line in its busy windows.
    pub ratios: Ratios,
}

impl Seller {
    /// Met for the first time on `day`, in a category whose total stands at `total`; panes up to `settled` hold nothing.
    pub fn new(day: i32, total: i64, settled: u32) -> Seller {
        Seller {
            entries: VecDeque::new(),
            days: VecDeque::new(),
            settled,
            frozen: VecDeque::new(),
            categories: vec![],
            share: None,
            first: (day, total),
            trail: Trail::default(),
            over: vec![],
            ratios: Ratios::default(),
        }
    }

    /// After a long silence only shares are still known.
    pub fn restart(&mut self) {
        self.trail = Trail::default();
        self.over.clear();
        self.entries.clear();
        self.frozen.clear();
    }

    /// The count of a pane changes.
    pub fn count(&mut self, pane: u32, by: [i64; 2], makes: Makes) {
        // Nearly always the newest.
        let at = match self.entries.back() {
            Some(last) if last.pane < pane => self.entries.len(),
            _ => self.entries.partition_point(|entry| entry.pane < pane),
        };
        if self.entries.get(at).is_none_or(|entry| entry.pane != pane) {
            self.entries.insert(at, Entry { pane, ..Entry::default() });
        }
        let entry = &mut self.entries[at];
        entry.counts = [entry.counts[0] + by[0], entry.counts[1] + by[1]];
        entry.makes = makes;
        if entry.counts == [0, 0] {
            self.entries.remove(at);
        }
    }

    /// Panes after `pane` are told from nothing: a run goes on from a checkpoint.
    pub fn forget(&mut self, pane: u32) {
        self.entries.retain(|entry| entry.pane <= pane);
    }

    /// Lines of one pane.
    pub fn lines(&self, pane: u32) -> i64 {
        self.over(pane - 1, pane).map(|entry| entry.counts[1]).sum()
    }

    fn over(&self, after: u32, to: u32) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.pane <= after);
        self.entries.range(from..).take_while(move |entry| entry.pane <= to)
    }

    /// Baskets and lines of `(after, to]`.
    pub fn sum(&self, after: u32, to: u32) -> [i64; 2] {
        self.over(after, to).fold([0, 0], |sum, entry| [sum[0] + entry.counts[0], sum[1] + entry.counts[1]])
    }

    /// The buyers of `(after, to]`. A customer with one line in each of several panes counts as several.
    pub fn buyers(&self, after: u32, to: u32) -> Buyers {
        let [baskets, lines] = self.sum(after, to);
        let (mut heavy, mut panes): (Vec<(u64, i64)>, i64) = (vec![], 0);
        for (customer, lines) in self.over(after, to).flat_map(|entry| &entry.makes.heavy) {
            panes += 1;
            match heavy.iter_mut().find(|(known, _)| known == customer) {
                Some((_, sum)) => *sum += lines,
                None => heavy.push((*customer, *lines)),
            }
        }
        let top = heavy.iter().map(|(_, lines)| *lines).max().unwrap_or(1).min(lines);
        Buyers { lines, distinct: baskets - panes + heavy.len() as i64, top }
    }

    /// What the baseline takes of `(after, to]`: counts, and in frozen panes the expectation.
    fn taken(&self, what: What, after: u32, to: u32, category: &Series, share: f64) -> i64 {
        let counted: i64 = self
            .over(after, to)
            .filter(|entry| !self.frozen.iter().any(|(from, last)| (*from..=*last).contains(&entry.pane)))
            .map(|entry| entry.counts[what as usize])
            .sum();
        let mut taken = counted.saturating_mul(ONE);
        for (from, last) in &self.frozen {
            let (from, last) = ((*from - 1).max(after), (*last).min(to));
            if from < last
                && let Some(mean) = category.expected(from, last)
            {
                taken += times(mean, share);
            }
        }
        taken
    }

    /// Panes up to `pane`, all of `day`, can change no more: they enter the day, and what is old is forgotten.
    pub fn settle(&mut self, pane: u32, day: i32, categories: &[Series]) {
        let after = self.settled;
        self.settled = after.max(pane);
        if after < pane {
            let shares = self.share.map(|(category, shares)| (&categories[category], shares));
            let taken = [What::Baskets, What::Lines].map(|what| match shares {
                Some((category, shares)) => self.taken(what, after, pane, category, shares[what as usize]),
                None => self.sum(after, pane)[what as usize].saturating_mul(ONE),
            });
            if taken != [0, 0] {
                match self.days.back_mut().filter(|(known, _)| *known == day) {
                    Some((_, sums)) => *sums = [sums[0] + taken[0], sums[1] + taken[1]],
                    None => self.days.push_back((day, taken)),
                }
            }
            let mut found = std::mem::take(&mut self.categories);
            for entry in self.over(after, pane) {
                match found.iter_mut().find(|(key, _)| *key == entry.makes.category) {
                    Some((_, lines)) => *lines += entry.counts[1],
                    None => found.push((entry.makes.category, entry.counts[1])),
                }
            }
            self.categories = found;
        }
        while self.entries.pop_front_if(|entry| entry.pane + KEPT < pane).is_some() {}
        while self.frozen.pop_front_if(|(_, last)| *last + KEPT < pane).is_some() {}
    }

    /// Whether it stood out lately, or its episode is open.
    pub fn is_watched(&self) -> bool {
        self.trail.is_open() || !self.over.is_empty()
    }

    /// What the seller sold on the closed days that count, baskets and lines; `None` when that was nothing for so long that it
    /// can be forgotten.
    pub fn close_day(&mut self, today: i32) -> Option<[i64; 2]> {
        while self.days.pop_front_if(|(day, _)| *day < today - DAYS).is_some() {}
        if self.days.is_empty() && self.entries.is_empty() && self.first.0 < today - DAYS {
            return None;
        }
        Some(self.days.iter().fold([0, 0], |sum, (_, of)| [sum[0] + of[0], sum[1] + of[1]]))
    }

    /// Its lines by category.
    pub fn parts(&self) -> &[(Identity, i64)] {
        &self.categories
    }

    /// The category with most of its lines; of several the one with the least identity.
    pub fn category(&self) -> Option<Identity> {
        self.categories.iter().min_by_key(|(key, lines)| (-lines, *key)).map(|(key, _)| *key)
    }

    /// Renews the share: `sums` of the closed days, so many sellers in the category, so many lines a basket everywhere.
    #[expect(clippy::too_many_arguments, reason = "all of them are of one day")]
    pub fn renew(&mut self, sums: [i64; 2], category: usize, series: &Series, today: i32, sellers: usize, lines: f64) {
        let first = match series.marks.iter().rev().find(|(day, _)| *day < today - DAYS) {
            Some((_, total)) if self.first.0 < today - DAYS => *total,
            _ if self.share.is_none_or(|(was, _)| was == category) => self.first.1,
            _ => series.marks.iter().find(|(day, _)| *day >= self.first.0).map_or(0, |(_, total)| *total),
        };
        let all = float((series.total - first).max(0)) + KAPPA;
        let prior = KAPPA / sellers.max(1) as f64;
        self.share = Some((category, [(float(sums[0]) + prior) / all, (float(sums[1]) + prior * lines) / all]));
    }

    /// The windows that end with `pane`, of baskets or lines.
    pub fn windows(&self, what: What, pane: u32, categories: &[Series]) -> Windows {
        let none = [None; 5];
        let Some((category, shares)) = self.share else { return none };
        let (category, share) = (&categories[category], shares[what as usize]);
        // a level can hardly triple what is expected, and a window that expects nothing says nothing
        let longest = category.expected(pane.saturating_sub(LONGEST), pane);
        if longest.is_some_and(|mean| times(mean, share) < ONE / 8) {
            return none;
        }
        SCALES.map(|panes| {
            let after = pane.checked_sub(panes)?;
            let mean = times(category.expected(after, pane)?, share);
            let to = (after + 1).saturating_sub(GAP);
            let from = to.saturating_sub(SPAN);
            let level = match category.expected(from, to) {
                Some(usual) => {
                    let taken = self.taken(what, from, to, category, share);
                    float((K * ONE + taken).max(0)) / float(K * ONE + times(usual, share))
                }
                None => 1.0,
            };
            let mean = times(mean, level);
            Some(Window { count: self.sum(after, pane)[what as usize], mean, usual: mean })
        })
    }

    /// The standing at the end of `pane` is final, and freezes what belongs to an episode; but not what the baseline of an end
    /// that was judged has taken already.
    pub fn pass(&mut self, pane: u32, standing: Standing, panes: u32) {
        if let Some(from) = self.trail.pass(pane, standing, panes) {
            self.freeze(from.max((pane + super::counts::OPEN).saturating_sub(GAP)), pane);
        }
        self.over.retain(|over| *over + QUIET > pane);
    }

    fn freeze(&mut self, from: u32, to: u32) {
        match self.frozen.back_mut().filter(|(_, last)| from <= *last + 1) {
            Some((first, last)) => (*first, *last) = ((*first).min(from), (*last).max(to)),
            None => self.frozen.push_back((from, to)),
        }
    }

    /// Whether a pane within `(after, to]` is frozen.
    pub fn frozen(&self, after: u32, to: u32) -> bool {
        self.frozen.iter().any(|(from, last)| *from <= to && *last > after)
    }
}

fn times(mean: i64, factor: f64) -> i64 {
    fixed(float(mean) * factor)
}

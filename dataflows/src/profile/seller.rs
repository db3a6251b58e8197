//! The profile of a seller: features 1, 6, 7, 10, 14, 16 and 17 (DETECTION).
//!
//! Memory: 48 bytes for each pane of a slide in which the seller sold in the last two hours, 32 for each one of 5 minutes in 24
//! hours, 32 for each hour of 37 days, 24 for each (day, category) of 28 days, 40 for each line of the last two hours: 60 KiB
//! for a seller that sells all the time, and 200 bytes a sale for one that hardly does.

use super::env::{DAY, Env, FIVE, HOUR, MINUTE};
use super::fact::{Fact, class, sums};
use super::kinds::Profile;
use super::people::{self, Line, People, differ};
use super::ring::{Panes, Ring};
use super::shares::{Days, Shares};
use super::sums::Sums;
use super::turn::changed;
use crate::edge::Table;
use crate::feature::concentration;
use crate::feature::elapsed::{age, since_last};
use crate::feature::mix::divergence;
use crate::feature::refund;
use crate::feature::velocity::pace;
use serde::{Deserialize, Serialize};

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Seller {
    /// By slide: lines, units, cents, returns. Horizons 1 min, 5 min, 1 h.
    slides: Ring<4, 3>,
    /// By 5 minutes: lines, cents. Horizon 24 h.
    fives: Ring<2, 1>,
    /// By hour: lines, returns. Horizons 7, 30, 37 d.
    hours: Ring<2, 3>,
    people: People,
    /// Lines by day and category. Horizon 28 d.
    month: Shares,
    /// Units by slide since the first sale, until the first hour stands.
    young: Vec<(u32, i64)>,
    first_hour: Option<i64>,
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    slides: Panes,
    fives: Panes,
    hours: Panes,
    people: people::Saved,
    month: Days,
    young: Vec<(u32, i64)>,
    first_hour: Option<i64>,
}

/// The place of a category in a list in the order of categories.
fn find(lines: &mut Vec<(u64, i64, i64)>, category: u64) -> usize {
    lines.binary_search_by_key(&category, |l| l.0).unwrap_or_else(|i| {
        lines.insert(i, (category, 0, 0));
        i
    })
}

impl Profile for Seller {
    type Saved = Saved;
    const CLASS: usize = class::SELLER;
    const TABLE: Table = Table::SellerFeatures;

    fn add(&mut self, fact: &Fact, env: &Env) {
        let (lines, cents, returns) = (fact.lines(), fact.cents(), fact.returns());
        let pane = env.pane(fact.at);
        self.slides.add(pane, &[lines, fact.units(), cents, returns]);
        self.hours.add((fact.at / HOUR) as u32, &[lines, returns]);
        if lines == 0 {
            return;
        }
        self.fives.add((fact.at / FIVE) as u32, &[lines, cents]);
        let category = fact.keys[class::CATEGORY];
        self.month.add((fact.at / DAY) as u32, category, lines);
        self.people.add(Line::of(fact), env);
        if self.first_hour.is_none() {
            match self.young.binary_search_by_key(&pane, |y| y.0) {
                Ok(i) => self.young[i].1 += fact.units(),
                Err(i) => self.young.insert(i, (pane, fact.units())),
            }
        }
    }

    /// Whether the seller has a row at `e`: lines (of any customer and category), units, cents or returns entered at `e`, or left
    /// the hour.
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        let stands = |pane, without: &[Fact]| {
            let left_out = without.iter().map(|f| Line { n: -f.lines(), ..Line::of(f) });
            self.slides.pane(pane) != sums(without) || differ(self.people.pane(pane, env).chain(left_out))
        };
        changed(e, late, env, stands, |facts| sums(facts) != [0; 4] || differ(facts.iter().map(Line::of)))
    }

    fn look(&mut self, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, env.instant(e), env, out);
    }

    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, fact.at, env, out);
    }

    fn touch(&self) -> usize {
        self.slides.touch() + self.fives.touch() + self.hours.touch() + self.people.touch() + self.month.touch()
    }

    fn forget(&mut self, e: u32, env: &Env) {
        let earliest = e.saturating_sub(env.reach + 2);
        self.people.seek(e, env);
        self.people.forget(env);
        self.slides.forget(earliest.saturating_sub(env.hour + 1));
        self.fives.forget(env.from(earliest, DAY, FIVE));
        self.hours.forget(env.from(earliest, 37 * DAY, HOUR));
        self.month.forget(env.from(earliest, 28 * DAY, DAY));
        let first = self.people.settled().map(|at| env.pane(at));
        if self.first_hour.is_none() && first.is_some_and(|first| first + env.hour < env.done(e)) {
            self.first_hour = Some(self.first_hour(first, u32::MAX, env));
            self.young = vec![];
        }
    }

    fn save(&self) -> Saved {
        Saved {
            slides: self.slides.save(),
            fives: self.fives.save(),
            hours: self.hours.save(),
            people: self.people.save(),
            month: self.month.save(),
            young: self.young.clone(),
            first_hour: self.first_hour,
        }
    }

    fn restore(saved: Saved) -> Seller {
        Seller {
            slides: Ring::restore(saved.slides),
            fives: Ring::restore(saved.fives),
            hours: Ring::restore(saved.hours),
            people: People::restore(saved.people),
            month: Shares::restore(saved.month),
            young: saved.young,
            first_hour: saved.first_hour,
        }
    }
}

impl Seller {
    /// The columns as of `e`, see [`columns`](super::columns).
    pub fn cells(&mut self, e: u32, now: i64, env: &Env, out: &mut Vec<i64>) {
        let slide = env.slide;
        self.slides.seek([env.from(e, MINUTE, slide), env.from(e, 5 * MINUTE, slide), env.from(e, HOUR, slide)]);
        self.fives.seek([env.from(e, DAY, FIVE)]);
        self.hours.seek([env.from(e, 7 * DAY, HOUR), env.from(e, 30 * DAY, HOUR), env.from(e, 37 * DAY, HOUR)]);
        self.people.seek(e, env);
        self.month.seek(env.from(e, 28 * DAY, DAY));
        let after = self.slides.since(e);
        let [minute, five, hour] = [0, 1, 2].map(|h| {
            let mut sums = self.slides.total(h);
            sums.iter_mut().zip(after).for_each(|(a, b)| *a -= b);
            sums
        });
        let day = self.fives.total(0);
        let (day_lines, day_cents) = (day[0] - after[0], day[1] - after[2]);
        out.extend([hour[1], hour[2]]);
        out.push(if env.orders { self.people.orders() } else { super::columns::NULL });
        out.extend([hour[0], minute[0], five[0], hour[0], day_lines, minute[2], five[2], hour[2], day_cents]);
        out.push(pace(hour[0], day_lines));
        out.extend(concentration::columns(&self.people.buyers()));
        let [week, month, long] = [0, 1, 2].map(|h| self.hours.total(h));
        let mix = self.mix();
        let sums = env.sums(e);
        let rates = mix.iter().map(|(category, _, n)| (sums.rate(*category), *n));
        let prior = refund::mean_rate(rates);
        let sales = month[0] - after[0];
        out.push(refund::rate(sales, month[1] - after[3], prior));
        out.push(refund::rate(long[0] - week[0], long[1] - week[1], prior));
        out.push(sales);
        out.push(divergence(mix.iter().map(|l| (l.1, l.2))));
        out.push(hour[0]);
        out.push(since_last(now, self.people.last()));
        let first = self.people.first();
        out.push(age(now, first));
        out.push(self.first_hour(first.map(|at| env.pane(at)), e, env));
    }

    /// Categories in order, with the lines of the hour and of the month at hand.
    fn mix(&self) -> Vec<(u64, i64, i64)> {
        let (hour, month) = (self.people.mix(), self.month.totals());
        let mut lines = Vec::with_capacity(month.len() + hour.len());
        let mut hour = hour.iter().peekable();
        for (category, n) in month {
            while let Some((other, n)) = hour.next_if(|h| h.0 < *category) {
                lines.push((*other, *n, 0));
            }
            let now = hour.next_if(|h| h.0 == *category).map_or(0, |h| h.1);
            lines.push((*category, now, *n));
        }
        lines.extend(hour.map(|(category, n)| (*category, *n, 0)));
        for line in self.people.after() {
            let i = find(&mut lines, line.category);
            lines[i].2 -= line.n;
        }
        lines
    }

    fn first_hour(&self, first: Option<u32>, e: u32, env: &Env) -> i64 {
        let young = || {
            let first = first?;
            let within = self.young.iter().filter(|y| y.0 >= first && y.0 < (first + env.hour).min(e));
            Some(within.map(|y| y.1).sum())
        };
        self.first_hour.or_else(young).unwrap_or(0)
    }
}

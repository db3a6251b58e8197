//! The profile of a category: features 2 and 4 (DETECTION), beside the sums of half an hour.
//!
//! Memory: 64 bytes for each pane of a slide with a sale in 35 minutes, 16 for each hour of 28 days: 16 KiB.

use super::env::{Env, HOUR, MINUTE};
use super::fact::{Fact, class};
use super::kinds::Profile;
use super::sums::Sums;
use crate::edge::Table;
use crate::feature::season_trend::{MINUTES, season_trend};
use crate::feature::seasonality::{Seasonality, WEEK, WEEKS, seasonality};
use crate::feature::{CategorySums, category, ln_fixed};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Half an hour.
const HALF: i64 = 30 * MINUTE;

/// Sums of one pane: lines, units, cents, logarithms of prices, and the squares of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pane {
    lines: i64,
    units: i64,
    cents: i64,
    ln: i64,
    ln2: i128,
}

impl Pane {
    /// Adds a record, or takes it away.
    fn add(&mut self, fact: &Fact, sign: i64) {
        let (lines, ln) = (sign * fact.lines(), ln_fixed(fact.price));
        self.lines += lines;
        self.units += sign * fact.units();
        self.cents += sign * fact.cents();
        self.ln += lines * ln;
        self.ln2 += i128::from(lines) * i128::from(ln) * i128::from(ln);
    }
}

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct Category {
    slides: BTreeMap<u32, Pane>,
    /// Lines of the hours, and the first hour of all.
    hours: VecDeque<(u32, i64)>,
    since: Option<u32>,
    /// The seasonality of the last hours that were asked for.
    known: Vec<(u32, Seasonality)>,
    /// The last look that vectors were made of, until a record comes that it sees.
    look: (u32, Vec<i64>),
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    slides: Vec<(u32, Pane)>,
    hours: Vec<(u32, i64)>,
    since: Option<u32>,
}

impl Profile for Category {
    type Saved = Saved;
    const CLASS: usize = class::CATEGORY;
    const TABLE: Table = Table::CategoryFeatures;

    fn add(&mut self, fact: &Fact, env: &Env) {
        let lines = fact.lines();
        if lines == 0 {
            return;
        }
        if env.pane(fact.at) < self.look.0 {
            self.look.0 = 0;
        }
        self.slides.entry(env.pane(fact.at)).or_default().add(fact, 1);
        let hour = (fact.at / HOUR) as u32;
        let place = self.hours.partition_point(|h| h.0 < hour);
        match self.hours.get_mut(place).filter(|h| h.0 == hour) {
            Some(h) => h.1 += lines,
            None => self.hours.insert(place, (hour, lines)),
        }
        self.since = Some(self.since.map_or(hour, |since| since.min(hour)));
        self.known.retain(|k| k.0 <= hour);
    }

    /// Whether the category has a row at `e`: one of its integers differs from those a slide before.
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        e > 0 && self.sums(e, &[], env) != self.sums(e - 1, late, env)
    }

    /// A pane leaves the half hour; its minute becomes whole, and leaves the thirty.
    fn due(pane: u32, env: &Env) -> [u32; 3] {
        let half = (HALF / env.slide) as u32;
        let whole = ((env.instant(pane) / MINUTE + 1) * MINUTE / env.slide) as u32;
        [pane + 1 + half, whole, whole + half]
    }

    fn look(&mut self, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, env, out);
    }

    /// As of the beginning of the sale's pane: a category is looked at once for all of its sales.
    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.scored(e.min(env.pane(fact.at)), env, out);
    }

    fn touch(&self) -> usize {
        0 // There are few categories.
    }

    fn forget(&mut self, e: u32, env: &Env) {
        let earliest = env.instant(e.saturating_sub(env.reach + 2)) - HALF - 2 * MINUTE;
        let pane = env.pane(earliest.max(0));
        while self.slides.first_key_value().is_some_and(|s| *s.0 < pane) {
            self.slides.pop_first();
        }
        let hour = (earliest / HOUR).saturating_sub((WEEK * WEEKS) as i64 + 1).max(0) as u32;
        while self.hours.pop_front_if(|h| h.0 < hour).is_some() {}
    }

    fn save(&self) -> Saved {
        let slides = self.slides.iter().map(|(pane, sums)| (*pane, *sums)).collect();
        Saved { slides, hours: self.hours.iter().copied().collect(), since: self.since }
    }

    fn restore(saved: Saved) -> Category {
        let Saved { slides, hours, since } = saved;
        Category { slides: slides.into_iter().collect(), hours: hours.into(), since, ..Category::default() }
    }
}

impl Category {
    /// The integers of half an hour and of thirty whole minutes before `e`, of all records but some.
    fn sums(&self, e: u32, without: &[Fact], env: &Env) -> CategorySums {
        let known = |(pane, sums): (&u32, &Pane)| {
            let mut sums = *sums;
            without.iter().filter(|f| env.pane(f.at) == *pane).for_each(|f| sums.add(f, -1));
            (*pane, sums)
        };
        let mut sums = CategorySums::default();
        let from = env.from(e, HALF, env.slide);
        for (_, s) in self.slides.range(from..e).map(known) {
            sums.n += s.lines;
            sums.units += s.units;
            sums.cents += s.cents;
            sums.ln += s.ln;
            sums.ln2 += s.ln2;
        }
        let end = env.instant(e).div_euclid(MINUTE);
        let mut open = (0, 0);
        let mut close = |(minute, cents): (i64, i64)| {
            let cents = i128::from(cents);
            sums.s1 += i128::from(minute) * cents;
            sums.s2 += cents * cents;
        };
        let (first, last) = self.panes(end - MINUTES as i64, end, env);
        let (mut lines, mut all) = (0, 0);
        for (pane, s) in self.slides.range(first..last).map(known) {
            let minute = env.instant(pane).div_euclid(MINUTE);
            if minute != open.0 {
                close(std::mem::replace(&mut open, (minute, 0)));
            }
            open.1 += s.cents;
            lines += s.lines;
            all += s.cents;
        }
        close(open);
        (sums.trend_n, sums.s0) = (lines, all);
        sums
    }

    /// The panes of the minutes `from..to`.
    fn panes(&self, from: i64, to: i64, env: &Env) -> (u32, u32) {
        let pane = |minute: i64| (minute.max(0) * MINUTE / env.slide) as u32;
        (pane(from), pane(to))
    }

    /// The columns as of `e`, see [`columns`](super::columns).
    pub fn cells(&mut self, e: u32, env: &Env, out: &mut Vec<i64>) {
        let sums = self.sums(e, &[], env);
        let c = category(&sums, env.instant(e));
        let null = super::columns::NULL;
        let (mean, sd) = (c.price_mean_ln.unwrap_or(null), c.price_sd_ln.unwrap_or(null));
        out.extend([c.trend, c.trend_se, c.revenue, c.volume, mean, sd, c.n, c.n]);
        let whole = env.whole_hours(e);
        let end = env.instant(e).div_euclid(MINUTE);
        let oldest = end - MINUTES as i64;
        let mut minutes: [(i64, i64); MINUTES] =
            std::array::from_fn(|i| (0, self.season(((oldest + i as i64) / 60) as u32, whole).index));
        let (first, last) = self.panes(oldest, end, env);
        for (pane, s) in self.slides.range(first..last) {
            if let Ok(i) = usize::try_from(env.instant(*pane).div_euclid(MINUTE) - oldest) {
                minutes[i].0 += s.cents;
            }
        }
        let t = season_trend(&minutes, sums.trend_n);
        out.extend([t.trend, t.error, t.theil_sen, t.mann_kendall]);
        let now = self.season(whole, whole);
        out.extend([now.index, now.score, now.hours]);
    }

    /// The columns as of `e`, for the many sales that ask for the same.
    pub fn scored(&mut self, e: u32, env: &Env, out: &mut Vec<i64>) {
        if self.look.0 != e || self.look.1.is_empty() {
            let mut cells = std::mem::take(&mut self.look.1);
            cells.clear();
            self.cells(e, env, &mut cells);
            self.look = (e, cells);
        }
        out.extend(&self.look.1);
    }

    /// The seasonality of an hour, from the hours before it, of which only those before `whole` are over.
    fn season(&mut self, hour: u32, whole: u32) -> Seasonality {
        let hour = hour.min(whole);
        if let Some(known) = self.known.iter().find(|k| k.0 == hour) {
            return known.1;
        }
        let longest = (WEEK * WEEKS) as u32;
        let first = self.since.unwrap_or(hour).max(hour.saturating_sub(longest)).min(hour);
        let mut counts = vec![0; (hour - first) as usize];
        for (h, n) in self.hours.iter().filter(|h| h.0 >= first && h.0 < hour) {
            counts[(h - first) as usize] = *n;
        }
        let found = seasonality(&counts);
        if self.known.len() == 4 {
            self.known.remove(0);
        }
        self.known.push((hour, found));
        found
    }
}

//! The columns from their definitions: each summed anew from all records that a look sees, with nothing remembered.

use super::columns::NULL;
use super::env::{DAY, Env, FIVE, HOUR, MINUTE};
use super::fact::{Fact, Lot, class};
use super::population::step;
use crate::feature::affinity;
use crate::feature::amount::{Logs, amount_vs_customer};
use crate::feature::concentration::{self, Buyers};
use crate::feature::elapsed::{age, since_last};
use crate::feature::mix::divergence;
use crate::feature::price::{OWN, OWN_SPAN, PriceHistory, ln4, price_score, size};
use crate::feature::price_change::price_change;
use crate::feature::season_trend::season_trend;
use crate::feature::seasonality::seasonality;
use crate::feature::vector::{Behaviour, VERSION, vector};
use crate::feature::velocity::pace;
use crate::feature::{CategorySums, category, ln_fixed, refund, stock};
use crate::row::round::round_millionths;
use std::collections::{BTreeMap, BTreeSet};

/// What a look sees: the records of one key, as of `e`.
pub struct Seen<'a> {
    pub facts: Vec<&'a Fact>,
    /// Those of them that came too late for all rows before `e`.
    pub late: Vec<&'a Fact>,
    pub e: u32,
    pub now: i64,
    /// The category that the key was last named with.
    pub named: u64,
    pub env: &'a mut Env,
}

/// What is said of the population by one record.
pub fn lot(fact: &Fact) -> Lot {
    let (n, ln) = (fact.lines(), ln_fixed(fact.amount() as u32));
    let prices = if n == 0 { vec![] } else { vec![(step(fact.price), fact.sign.into())] };
    Lot {
        category: fact.keys[class::CATEGORY],
        hour: (fact.at / HOUR) as u32,
        n,
        returns: fact.returns(),
        ln: n * ln,
        ln2: i128::from(n) * i128::from(ln) * i128::from(ln),
        prices,
        units: fact.units(),
        products: if n == 0 { vec![] } else { vec![(fact.keys[class::PRODUCT], fact.sign.into())] },
    }
}

impl Seen<'_> {
    fn since(&self, back: i64, grain: i64) -> impl Iterator<Item = &&Fact> {
        let from = i64::from(self.env.from(self.e, back, grain)) * grain;
        self.facts.iter().filter(move |f| f.at >= from)
    }

    fn lines(&self, back: i64, grain: i64) -> i64 {
        self.since(back, grain).map(|f| f.lines()).sum()
    }

    fn cents(&self, back: i64, grain: i64) -> i64 {
        self.since(back, grain).map(|f| f.cents()).sum()
    }

    fn net<K: Ord>(&self, back: i64, grain: i64, key: impl Fn(&Fact) -> K) -> BTreeMap<K, i64> {
        let mut net = BTreeMap::new();
        self.since(back, grain).for_each(|f| *net.entry(key(f)).or_default() += f.lines());
        net
    }

    /// Instants of sales that were not all cancelled.
    fn instants(&self) -> BTreeSet<i64> {
        self.net(i64::MAX / 2, 1, |f| f.at).into_iter().filter(|x| x.1 > 0).map(|x| x.0).collect()
    }

    fn velocities(&self, out: &mut Vec<i64>) {
        let slide = self.env.slide;
        let spans = [(MINUTE, slide), (5 * MINUTE, slide), (HOUR, slide), (DAY, FIVE)];
        out.extend(spans.map(|(back, grain)| self.lines(back, grain)));
        out.extend(spans.map(|(back, grain)| self.cents(back, grain)));
        out.push(pace(self.lines(HOUR, slide), self.lines(DAY, FIVE)));
    }

    /// Rates of 30 days and of those that ended a week ago, and the sales of the former.
    fn refunds(&self, grain: i64, prior: i64) -> [i64; 3] {
        let sums = |days: i64| {
            let of = || self.since(days * DAY, grain);
            (of().map(|f| f.lines()).sum::<i64>(), of().map(|f| f.returns()).sum::<i64>())
        };
        let (week, month, long) = (sums(7), sums(30), sums(37));
        [refund::rate(month.0, month.1, prior), refund::rate(long.0 - week.0, long.1 - week.1, prior), month.0]
    }

    /// The mean refund rate of the categories of some days.
    fn prior(&self, days: i64) -> i64 {
        let sums = self.env.sums(self.e);
        let of = |category| {
            let (sales, returns) = sums.category(category).map_or((0, 0), |c| (c.n, c.returns));
            refund::category_rate(sales, returns)
        };
        refund::mean_rate(self.net(days * DAY, DAY, |f| f.keys[class::CATEGORY]).into_iter().map(|(c, n)| (of(c), n)))
    }

    /// A record enters with the first row that counts it, and leaves an hour after its pane if it ever entered.
    fn moved(&self) -> Vec<Vec<&Fact>> {
        let pane = |f: &Fact| self.env.pane(f.at);
        let of = |p: u32, late: bool| {
            let facts = self.facts.iter().copied().filter(|f| pane(f) == p);
            facts.filter(|f| late == self.late.iter().any(|l| std::ptr::eq(*l, *f))).collect::<Vec<_>>()
        };
        let hour = self.e - self.env.hour;
        let mut moved = vec![of(self.e - 1, false), of(hour - 1, false)];
        moved.extend((hour..self.e).map(|p| of(p, true)));
        moved
    }

    pub fn seller_changed(&self) -> bool {
        let differs = |of: &Vec<&Fact>| {
            let mut net: BTreeMap<(u64, u64, i64), i64> = BTreeMap::new();
            let key = |f: &Fact| (f.keys[class::CUSTOMER], f.keys[class::CATEGORY], f.at / MINUTE);
            of.iter().for_each(|f| *net.entry(key(f)).or_default() += f.lines());
            net.values().any(|n| *n != 0)
        };
        self.changed() || self.moved().iter().any(differs)
    }

    pub fn changed(&self) -> bool {
        let sums = |of: &Vec<&Fact>| {
            let sums = of.iter().map(|f| [f.lines(), f.units(), f.cents(), f.returns()]);
            sums.fold([0; 4], |a, b| std::array::from_fn(|i| a[i] + b[i]))
        };
        let counted = |f: &&Fact| f.stock && self.env.pane(f.at) == self.e - 1;
        let counts = self.facts.iter().copied().any(|f| counted(&f)) || self.late.iter().any(|f| f.stock);
        counts || self.moved().iter().any(|of| sums(of) != [0; 4])
    }

    pub fn seller(&self) -> Vec<i64> {
        let slide = self.env.slide;
        let mut out = vec![self.since(HOUR, slide).map(|f| f.units()).sum(), self.cents(HOUR, slide)];
        let mut orders = BTreeSet::new();
        for ((pane, customer), n) in self.net(HOUR, slide, |f| (self.env.pane(f.at), f.keys[class::CUSTOMER])) {
            if customer != 0 && n > 0 {
                orders.insert((self.env.instant(pane) / MINUTE, customer));
            }
        }
        let by_customer = self.net(HOUR, slide, |f| f.keys[class::CUSTOMER]);
        let anonymous = by_customer.get(&0).copied().unwrap_or(0);
        out.push(orders.len() as i64 + anonymous);
        out.push(self.lines(HOUR, slide));
        self.velocities(&mut out);
        let named: Vec<i64> = by_customer.iter().filter(|x| *x.0 != 0 && *x.1 > 0).map(|x| *x.1).collect();
        out.extend(concentration::columns(&Buyers {
            named: named.len() as i64,
            anonymous,
            most: named.iter().copied().max().unwrap_or(0),
            lines: named.iter().sum(),
            squares: named.iter().map(|n| n * n).sum(),
        }));
        out.extend(self.refunds(HOUR, self.prior(28)));
        let hour = self.net(HOUR, slide, |f| f.keys[class::CATEGORY]);
        let month = self.net(28 * DAY, DAY, |f| f.keys[class::CATEGORY]);
        let of = |map: &BTreeMap<u64, i64>, c: &u64| map.get(c).copied().unwrap_or(0);
        let both: BTreeSet<u64> = hour.keys().chain(month.keys()).copied().collect();
        out.push(divergence(both.iter().map(|c| (of(&hour, c), of(&month, c)))));
        out.push(self.lines(HOUR, slide));
        let instants = self.instants();
        out.push(since_last(self.now, instants.last().copied()));
        out.push(age(self.now, instants.first().copied()));
        let first = instants.first().map(|at| self.env.pane(*at));
        let within = |f: &&&Fact| first.is_some_and(|x| (x..x + self.env.hour).contains(&self.env.pane(f.at)));
        out.push(self.facts.iter().filter(within).map(|f| f.units()).sum());
        out
    }

    fn prices(&self) -> PriceHistory {
        let mut history = PriceHistory::default();
        self.facts.iter().filter(|f| f.sign != 0).for_each(|f| history.add(f.at, ln4(f.price), f.sign.into()));
        history
    }

    /// Prices of the newest sales, the oldest instant taken whole, by hand.
    fn own(&self, now: i64) -> Vec<(i32, u32)> {
        let net = self.net(i64::MAX / 2, 1, |f| (f.at, ln4(f.price)));
        let (mut own, mut n, mut oldest) = (BTreeMap::new(), 0, i64::MAX);
        for ((at, ln), times) in net.into_iter().rev().filter(|x| x.1 > 0 && x.0.0 < now && x.0.0 >= now - OWN_SPAN) {
            if n >= i64::from(OWN) && at < oldest {
                break;
            }
            (oldest, n) = (at, n + times);
            *own.entry(ln).or_insert(0) += times as u32;
        }
        own.into_iter().collect()
    }

    pub fn product(&self) -> Vec<i64> {
        let slide = self.env.slide;
        let units = |back, grain| self.since(back, grain).map(|f| f.units()).sum::<i64>();
        let mut out = vec![self.lines(HOUR, slide), units(HOUR, slide), self.cents(HOUR, slide)];
        out.extend([self.lines(DAY, HOUR), units(DAY, HOUR)]);
        let own = self.own(self.env.instant(self.e));
        let all: Vec<i64> = own.iter().flat_map(|(ln, n)| std::iter::repeat_n(i64::from(*ln), *n as usize)).collect();
        let n = all.len();
        out.push(if n == 0 { NULL } else { (all[(n - 1) / 2] + all[n / 2]) * 50 });
        out.push(price_change(&self.prices(), None, self.env.instant(self.e), &mut vec![]).days);
        out.push(size(&own).into());
        let (sales, returns) = self.env.sums(self.e).category(self.named).map_or((0, 0), |c| (c.n, c.returns));
        out.extend(self.refunds(HOUR, refund::category_rate(sales, returns)));
        let instants = self.instants();
        out.push(since_last(self.now, instants.last().copied()));
        out.push(age(self.now, instants.first().copied()));
        out.extend(self.stock(units(DAY, HOUR), self.lines(DAY, HOUR)));
        out
    }

    /// The newest count less what was sold in later panes, at the rate of the product and its category.
    fn stock(&self, units: i64, lines: i64) -> [i64; 3] {
        let counts = self.facts.iter().filter(|f| f.stock);
        let Some(last) = counts.max_by_key(|f| (f.at, std::cmp::Reverse(f.quantity))) else { return [NULL, NULL, 0] };
        let later = self.facts.iter().filter(|f| self.env.pane(f.at) > self.env.pane(last.at));
        let left = (i64::from(last.quantity) - later.map(|f| f.units()).sum::<i64>()).max(0);
        let sums = self.env.sums(self.e);
        let now = self.env.instant(self.e);
        let hours = sums.first().map_or(0, |first| now - i64::from(first).max((now - DAY) / HOUR) * HOUR);
        let rate = stock::posterior(sums.demand(self.named), (units, hours as f64 / HOUR as f64));
        [stock::cover(left, rate), stock::stockout(left, rate, self.env.lead), lines.max(0)]
    }

    pub fn of_price(&self, fact: &Fact) -> Vec<i64> {
        let (ln, before) = (ln4(fact.price), fact.at.min(self.env.instant(self.e)));
        let own: Vec<(i32, u32)> = if before == fact.at { self.own(fact.at) } else { self.own_before(fact.at, before) };
        let found = price_score(&own, self.env.sums(self.e).prices(fact.keys[class::CATEGORY]), ln);
        let change = price_change(&self.prices(), Some(ln), before, &mut vec![]);
        vec![found.zscore, found.knn2.unwrap_or(NULL), found.level as i64, found.support.into(), change.versus_own]
    }

    fn own_before(&self, at: i64, before: i64) -> Vec<(i32, u32)> {
        let mut own = vec![];
        self.prices().newest(at - OWN_SPAN, before, &mut own);
        own
    }

    fn category_sums(&self, e: u32) -> CategorySums {
        let mut sums = CategorySums::default();
        let late = |f: &Fact| e < self.e && self.late.iter().any(|l| std::ptr::eq(*l, f));
        let seen = || self.facts.iter().filter(|f| self.env.pane(f.at) < e && !late(f));
        let from = self.env.instant(e) - 30 * MINUTE;
        for f in seen().filter(|f| f.at >= from) {
            let ln = ln_fixed(f.price);
            sums.n += f.lines();
            sums.units += f.units();
            sums.cents += f.cents();
            sums.ln += f.lines() * ln;
            sums.ln2 += i128::from(f.lines()) * i128::from(ln) * i128::from(ln);
        }
        let end = self.env.instant(e) / MINUTE;
        for minute in end - 30..end {
            let of = || seen().filter(|f| f.at / MINUTE == minute);
            let x = of().map(|f| i128::from(f.cents())).sum::<i128>();
            sums.trend_n += of().map(|f| f.lines()).sum::<i64>();
            sums.s0 += x as i64;
            sums.s1 += i128::from(minute) * x;
            sums.s2 += x * x;
        }
        sums
    }

    pub fn category_changed(&self) -> bool {
        self.category_sums(self.e) != self.category_sums(self.e - 1)
    }

    pub fn category(&self) -> Vec<i64> {
        let sums = self.category_sums(self.e);
        let c = category(&sums, self.env.instant(self.e));
        let (mean, sd) = (c.price_mean_ln.unwrap_or(NULL), c.price_sd_ln.unwrap_or(NULL));
        let mut out = vec![c.trend, c.trend_se, c.revenue, c.volume, mean, sd, c.n, c.n];
        let whole = i64::from(self.env.whole_hours(self.e));
        let end = self.env.instant(self.e) / MINUTE;
        let minutes = std::array::from_fn(|i| {
            let minute = end - 30 + i as i64;
            let cents = self.facts.iter().filter(|f| f.at / MINUTE == minute).map(|f| f.cents()).sum();
            (cents, self.season(minute / 60, whole).index)
        });
        let t = season_trend(&minutes, sums.trend_n);
        out.extend([t.trend, t.error, t.theil_sen, t.mann_kendall]);
        let now = self.season(whole, whole);
        out.extend([now.index, now.score, now.hours]);
        out
    }

    fn season(&self, hour: i64, whole: i64) -> crate::feature::seasonality::Seasonality {
        let hour = hour.min(whole);
        let lines = || self.facts.iter().filter(|f| f.sign != 0);
        let first = lines().map(|f| f.at / HOUR).min().unwrap_or(hour).max(hour - 672).min(hour);
        let of = |h: i64| lines().filter(|f| f.at / HOUR == h).map(|f| f.lines()).sum();
        seasonality(&(first..hour).map(of).collect::<Vec<i64>>())
    }

    fn logs(&self) -> Logs {
        let mut logs = Logs::default();
        for f in self.since(90 * DAY, DAY) {
            let ln = ln_fixed(f.amount() as u32);
            logs.n += f.lines();
            logs.ln += f.lines() * ln;
            logs.ln2 += i128::from(f.lines()) * i128::from(ln) * i128::from(ln);
        }
        logs
    }

    fn hours(&self) -> [i64; 24] {
        let mut hours = [0; 24];
        self.since(90 * DAY, DAY).for_each(|f| hours[(f.at / HOUR % 24) as usize] += f.lines());
        hours
    }

    pub fn customer(&self) -> Vec<i64> {
        let mut out = vec![];
        self.velocities(&mut out);
        let above = |net: BTreeMap<u64, i64>| net.values().filter(|n| **n > 0).count() as i64;
        out.push(above(self.net(HOUR, self.env.slide, |f| f.keys[class::SELLER])));
        out.push(above(self.net(DAY, FIVE, |f| f.payment.into())));
        let refunds = self.refunds(DAY, self.prior(90));
        out.extend(refunds);
        let logs = self.logs();
        out.push(logs.mean().unwrap_or(NULL));
        out.push(if logs.n > 0 { round_millionths(logs.deviation()) } else { NULL });
        let since = since_last(self.now, self.instants().last().copied());
        out.extend([since, i64::from(logs.n <= 0), logs.n, VERSION]);
        let month = || self.since(90 * DAY, DAY);
        let today = self.env.instant(self.e) / DAY;
        let mut spend: BTreeMap<u64, i128> = BTreeMap::new();
        for f in month() {
            let weight = self.env.tables.decay((today - f.at / DAY).max(0) as u32);
            *spend.entry(f.keys[class::CATEGORY]).or_default() += i128::from(f.cents()) * i128::from(weight);
        }
        let sums = self.env.sums(self.e);
        let share = |f: &&&Fact| f.lines() * i64::from(sums.share(f.keys[class::CATEGORY], step(f.price)));
        let halves: Vec<(u32, i64)> = self.net(90 * DAY, DAY, |f| (f.at / 1_800_000) as u32).into_iter().collect();
        let mut paid = [0; 5];
        month().for_each(|f| paid[usize::from(f.payment).min(4)] += f.lines());
        let spend: Vec<(u64, i128)> = spend.into_iter().collect();
        let behaviour = Behaviour {
            recency: since / 1_000,
            n: logs.n,
            cents: month().map(|f| f.cents()).sum(),
            units: month().map(|f| f.units()).sum(),
            logs,
            categories: above(self.net(90 * DAY, DAY, |f| f.keys[class::CATEGORY])),
            sellers: above(self.net(90 * DAY, DAY, |f| f.keys[class::SELLER])),
            refund: refunds[0],
            shares: month().map(|f| share(&f)).sum(),
            halves: &halves,
            hours: self.hours(),
            weekend: month().filter(|f| (f.at / DAY + 3) % 7 >= 5).map(|f| f.lines()).sum(),
            paid,
            spend: &spend,
        };
        vector(&behaviour, &self.env.tables, &mut out);
        out
    }

    pub fn of_customer(&self, fact: &Fact) -> Vec<i64> {
        let sums = self.env.sums(self.e);
        let known = sums.category(fact.keys[class::CATEGORY]);
        let category = known.map_or(Logs::default(), |c| Logs { n: c.n, ln: c.ln, ln2: c.ln2 });
        let amount = amount_vs_customer(ln_fixed(fact.amount() as u32), &self.logs(), &category);
        vec![amount, self.env.kernel.surprise(&self.hours(), &sums.hours, (fact.at / HOUR % 24) as usize)]
    }
}

/// The lists of products, from all baskets that were complete at an instant: of `(customer, product, at, n)`.
pub fn lists(lines: &[(u64, u64, i64, i64)], now: i64, lateness: i64) -> BTreeMap<u64, Vec<(u64, i64, i64)>> {
    let half = |at: i64| at / 1_800_000;
    // The last time that half hours were counted, and the days that count then.
    let newest = (now - lateness) / 1_800_000 - 1;
    let today = ((newest + 1) * 1_800_000 + lateness) / DAY;
    let mut baskets: BTreeMap<(i64, u64), BTreeMap<u64, i64>> = BTreeMap::new();
    for (customer, product, at, n) in lines {
        if half(*at) <= newest && at / DAY >= today - 30 {
            *baskets.entry((half(*at), *customer)).or_default().entry(*product).or_default() += n;
        }
    }
    let sets: Vec<Vec<u64>> = baskets
        .into_values()
        .map(|b| b.into_iter().filter(|x| x.1 > 0).map(|x| x.0).take(50).collect::<Vec<_>>())
        .filter(|b| !b.is_empty())
        .collect();
    let count = |holds: &[u64]| sets.iter().filter(|s| holds.iter().all(|p| s.contains(p))).count() as i64;
    let products: BTreeSet<u64> = sets.iter().flatten().copied().collect();
    let mut all = BTreeMap::new();
    for a in &products {
        let with = products.iter().filter(|b| *b != a).map(|b| (*b, count(&[*a, *b]))).filter(|x| x.1 >= affinity::LEAST);
        let mut with: Vec<_> = with.map(|(b, n)| (b, n, (n, count(&[*a]), count(&[b])))).collect();
        with.sort_by(|x, y| affinity::nearer(x.2, y.2).then(x.0.cmp(&y.0)));
        with.truncate(affinity::TOP);
        let list = with.into_iter().map(|(b, n, x)| (b, n, affinity::npmi(x.0, x.1, x.2, sets.len() as i64)));
        all.insert(*a, list.collect());
    }
    all
}

//! The definitions of what the stages say, as a batch computation over lists of all facts known.

use super::*;
use crate::detect::price_anomaly::{self, Thresholds};
use crate::detect::stock_depletion::{Asked, Forecast, Prior, Sold};
use crate::detect::ticket::{self, Base, Lines};
use crate::detect::{large_order, stock_depletion};
use crate::feature::price::{OWN, OWN_LEAST, kth_nearest};
use crate::row::round::round_millionths;

/// The definitions, over lists.
pub struct Naive {
    plan: Plan,
    known: Vec<Row>,
    /// By category and pane: what its lines are held against, fixed at the slide in which the first of them came.
    bases: BTreeMap<(u32, u32), Option<Base>>,
    /// By category: the newest pane that was asked about.
    asked: BTreeMap<u32, u32>,
    prior: Option<(BTreeMap<u32, Prior>, u32)>,
}

impl Naive {
    /// Nothing is known yet.
    pub fn new(plan: &Plan) -> Naive {
        Naive { plan: plan.clone(), known: vec![], bases: BTreeMap::new(), asked: BTreeMap::new(), prior: None }
    }

    /// Learns rows at a slide.
    pub fn learn(&mut self, s: u32, rows: &[Row]) {
        let panes: BTreeSet<(u32, u32)> =
            rows.iter().filter(|r| r.n != 0 && r.pane + 6 * MINUTE > s).map(|r| (r.category, r.pane)).collect();
        for (c, pane) in panes {
            if self.bases.contains_key(&(c, pane)) {
                continue;
            }
            let at = self.asked.entry(c).or_default();
            *at = (*at).max(pane);
            let inside = self
                .known
                .iter()
                .filter(|r| r.n != 0 && r.category == c && r.pane + 5 * MINUTE <= *at && r.pane + 5 * MINUTE + DAY > *at);
            let sums = inside.fold([0; 3], |sum, r| {
                let (ln, n) = (i64::from(ln4_cents(i64::from(r.cents) * i64::from(r.units))), i64::from(r.n));
                [sum[0] + n, sum[1] + n * ln, sum[2] + n * ln * ln]
            });
            self.bases.insert((c, pane), Base::of(sums));
        }
        self.known.extend(rows);
        if s.is_multiple_of(5 * MINUTE) && self.known.iter().any(|r| r.n != 0) {
            let mut priors: BTreeMap<u32, Prior> = BTreeMap::new();
            let products: BTreeSet<u32> = self.known.iter().map(|r| r.product).collect();
            for p in products {
                let Some(newest) = self
                    .known
                    .iter()
                    .filter(|r| r.n != 0 && r.product == p)
                    .max_by_key(|r| (r.pane, halves(identity(category(r.category).as_bytes()))))
                else {
                    continue;
                };
                let sold = self.sold(p, s);
                if sold.units > 0 {
                    let prior = priors.entry(newest.category).or_default();
                    (prior.products, prior.units) = (prior.products + 1, prior.units + sold.units);
                }
            }
            self.prior = Some((priors, s));
        }
    }

    fn sold(&self, p: u32, end: u32) -> Sold {
        let from = end.saturating_sub(DAY) / (5 * MINUTE) * (5 * MINUTE);
        let mut sum = Sold::default();
        for r in self.known.iter().filter(|r| r.n != 0 && r.product == p && r.pane > from && r.pane <= end) {
            let units = i64::from(r.units);
            sum.add(&Sold { lines: 1, units, squares: units * units }, r.n.into());
        }
        sum
    }

    /// Net prices of a product, sale by sale, the newest first.
    fn prices(&self, p: u32) -> Vec<(u32, i32)> {
        let mut net: BTreeMap<(u32, i32), i32> = BTreeMap::new();
        self.known
            .iter()
            .filter(|r| r.n != 0 && r.product == p)
            .for_each(|r| *net.entry((r.pane, ln4(r.cents))).or_default() += r.n);
        let all = net.into_iter().flat_map(|(key, n)| (0..n.max(0)).map(move |_| key));
        let mut all: Vec<_> = all.collect();
        all.reverse();
        all
    }

    fn lines(&self, c: u32, pane: u32) -> Lines {
        let mut lines = Lines::default();
        if let Some(Some(base)) = self.bases.get(&(c, pane)) {
            for r in self.known.iter().filter(|r| r.n != 0 && r.category == c && r.pane == pane) {
                lines.line(base, ln4_cents(i64::from(r.cents) * i64::from(r.units)), [r.customer, 1], r.n.into());
            }
        }
        lines
    }

    fn surge(&self, categories: &[u32], end: u32) -> Option<ticket::Surge> {
        let panes: Vec<(u32, Lines)> = ((end + 1).saturating_sub(ticket::LONGEST)..=end)
            .map(|pane| {
                let mut all = Lines::default();
                categories.iter().for_each(|c| all.add(&self.lines(*c, pane)));
                (pane, all)
            })
            .collect();
        ticket::surge(panes.iter().map(|x| (x.0, &x.1)), end, 1)
    }

    /// Lines of the hour that ended 5 min before; those against a baseline only when the whole shop is asked.
    fn hour(&self, c: Option<u32>, end: u32) -> i64 {
        let before = end.saturating_sub(5 * MINUTE);
        let counts =
            |r: &&Row| r.n != 0 && r.pane <= before && r.pane + 60 * MINUTE > before && c.is_none_or(|c| r.category == c);
        let based = |r: &&Row| c.is_some() || self.bases.get(&(r.category, r.pane)).is_some_and(Option::is_some);
        self.known.iter().filter(counts).filter(based).map(|r| i64::from(r.n)).sum()
    }

    /// What is true of an end.
    pub fn truth(&self, s: u32, end: u32) -> Truth {
        let (mut truth, spec) = (Truth::new(), &self.plan.signals.spec);
        let mut put = |kind, level, key: String, found: Option<Found>| {
            found.map(|found| truth.insert((end, Subject { kind, level, key }), found))
        };
        let categories: Vec<u32> = self.known.iter().map(|r| r.category).collect::<BTreeSet<_>>().into_iter().collect();
        for c in &categories {
            if let Some(Some(base)) = self.bases.get(&(*c, end)) {
                let mut whales = large_order::Whales::default();
                // no day closes in these tests
                let threshold = large_order::Limit::new(base, round_millionths(spec.large_order_z), None);
                for r in self.known.iter().filter(|r| r.n != 0 && r.category == *c && r.pane == end) {
                    let cents = i64::from(r.cents) * i64::from(r.units);
                    whales.line(base, cents, ln4_cents(cents), r.n.into(), threshold);
                }
                put(Kind::LargeOrder, Level::Category, category(*c), large_order::found(&whales, base, end - 1, threshold));
            }
        }
        let threshold = round_millionths(spec.ticket_z);
        let found = |it: ticket::Surge, c: Option<u32>| ticket::found(&it, end, 1, spec.ticket_z, self.hour(c, end));
        let holds = |it: &Option<ticket::Surge>| it.as_ref().is_some_and(|it| it.z >= threshold);
        let whole = self.surge(&categories, end);
        // Of those that may stand out, the one that does most; the first by name.
        let may =
            categories.iter().filter_map(|c| self.surge(&[*c], end).filter(|it| it.z * 2 >= threshold).map(|it| (it.z, *c)));
        let top = may.max_by_key(|x| (x.0, std::cmp::Reverse(category(x.1))));
        let others: Vec<u32> = categories.iter().copied().filter(|c| top.is_none_or(|top| top.1 != *c)).collect();
        let rest = self.surge(&others, end);
        let blamed = top.is_some_and(|top| top.0 >= threshold) && !holds(&rest);
        let shared = !blamed && top.is_some() && holds(&whole) && rest.is_some();
        put(Kind::RevenueSurge, Level::Global, Level::WHOLE.into(), whole.filter(|_| !blamed).and_then(|it| found(it, None)));
        for c in &categories {
            let alone = self.surge(&[*c], end).filter(|it| it.z * 2 >= threshold);
            let alone = if shared {
                // each scale by itself: the lines of the others there, and its own without what those share
                let of = |categories: &[u32], scale: u32| {
                    let mut all = Lines::default();
                    let panes = (end + 1).saturating_sub(scale)..=end;
                    panes.for_each(|pane| categories.iter().for_each(|c| all.add(&self.lines(*c, pane))));
                    all
                };
                let scales = ticket::SCALES.into_iter().filter_map(|panes| {
                    let lines = of(&[*c], panes).beside(of(&others, panes).mean_above());
                    Some(ticket::Surge { panes, z: lines.z()?, lines })
                });
                alone.and_then(|_| scales.reduce(|best, it| if it.z > best.z { it } else { best }))
            } else {
                alone
            };
            put(Kind::RevenueSurge, Level::Category, category(*c), alone.and_then(|it| found(it, Some(*c))));
        }
        for p in self.known.iter().map(|r| r.product).collect::<BTreeSet<_>>() {
            put(Kind::PriceAnomaly, Level::Product, product(p), self.price(p, end));
            put(Kind::StockDepletion, Level::Product, product(p), self.stock(p, s, end));
        }
        truth
    }

    fn price(&self, p: u32, end: u32) -> Option<Found> {
        // sales of the same half minute do not vouch for each other
        let first = (end + 1).saturating_sub(HALF);
        let prices = self.prices(p);
        let before: Vec<(u32, i32)> = prices.iter().filter(|x| x.0 < first).copied().collect();
        let oldest = before.get(OWN as usize - 1).or(before.last()).map_or(0, |x| x.0);
        let mut own: Vec<(i32, u32)> = before.iter().filter(|x| x.0 >= oldest).map(|x| (x.1, 1)).collect();
        own.sort_unstable();
        // In these tests a product has one category.
        let c = self.known.iter().find(|r| r.n != 0 && r.product == p)?.category;
        let mut best: Option<price_anomaly::Far> = None;
        for (_, ln) in prices.iter().filter(|x| x.0 == end) {
            let times = prices.iter().filter(|x| **x == (end, *ln)).count() as u32;
            let far = if own.len() >= OWN_LEAST as usize {
                let near = kth_nearest(&own, *ln, 2).unwrap();
                let distance = |usual: i32| {
                    let (far, off) = ((near - ln).abs(), (usual - ln).abs() * 4 / 5);
                    if 2 * far <= 10_000 && 2 * far <= off { 2 * far } else { far.max(off.min(10_000).min(2 * far)) }
                };
                let mut usual = middle(own.iter().map(|x| x.0));
                if distance(usual) > 1_000 {
                    // a tenth away: the newer or the older half may know it better
                    let split = before[own.len() / 2 - 1].0;
                    let half = |newer: bool| before[..own.len()].iter().filter(move |x| (x.0 >= split) == newer).map(|x| x.1);
                    let halves = [true, false].into_iter().filter(|newer| half(*newer).count() >= OWN_LEAST as usize);
                    let medians: Vec<i32> = halves.map(|newer| middle(half(newer))).chain([usual]).collect();
                    usual = medians.into_iter().min_by_key(|median| ((median - ln).abs(), *median)).unwrap();
                }
                let distance = distance(usual);
                price_anomaly::Far { ln: *ln, times, distance, near, usual, support: own.len() as u32 }
            } else {
                let mut all = price_anomaly::CategoryPrices::default();
                let of_category = self.known.iter().filter(|r| r.n != 0 && r.category == c && r.pane < first);
                of_category.for_each(|r| all.add(1, r.pane, ln4(r.cents), r.n.into()));
                let Some(far) = all.usual(u32::MAX).map(|usual| usual.outside(*ln)) else { continue };
                price_anomaly::Far { times, ..far }
            };
            if best.is_none_or(|best| (far.distance, -far.ln) > (best.distance, -best.ln)) {
                best = Some(far);
            }
        }
        let best = best.filter(|far| far.distance > 0)?;
        let spec = &self.plan.signals.spec;
        let holds = self.surge(&[c], end).is_some_and(|it| it.z >= round_millionths(spec.ticket_z));
        let shift = if holds { self.lines(c, end).mean_above() } else { 0 };
        let thresholds = Thresholds::new(spec.price_warn, spec.price_alert);
        price_anomaly::found(&best.beside(shift), own.len() >= OWN_LEAST as usize, end - 1, thresholds)
    }

    fn stock(&self, p: u32, s: u32, end: u32) -> Option<Found> {
        let (priors, at) = self.prior.as_ref()?;
        let records = self.known.iter().filter(|r| r.n == 0 && r.product == p && r.pane <= end);
        let newest = records.map(|r| (r.pane, -r.units)).max()?;
        let c = self.known.iter().find(|r| r.n != 0 && r.product == p)?.category;
        let later = self.known.iter().filter(|r| r.n != 0 && r.product == p && r.pane > newest.0 && r.pane <= end);
        let gone: i64 = later.map(|r| i64::from(r.units * r.n)).sum();
        let asked = Asked { stock: (i64::from(-newest.1) - gone).max(0), sold: self.sold(p, end) };
        let first = self.known.iter().filter(|r| r.n != 0 && r.learned <= *at).map(|r| r.pane).min()?;
        let hours = f64::from((end.saturating_sub(first)).min(DAY)) / f64::from(60 * MINUTE);
        assert!(*at <= s);
        let forecast = Forecast::new(&asked, priors.get(&c)?, hours, 1.0)?;
        stock_depletion::found(&forecast, end - 1, self.plan.signals.spec.stockout_probability, 1.0)
    }
}

/// The value in the middle; the lower of two.
fn middle(values: impl Iterator<Item = i32>) -> i32 {
    let mut sorted: Vec<i32> = values.collect();
    sorted.sort_unstable();
    sorted[(sorted.len() - 1) / 2]
}

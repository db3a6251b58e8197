//! The formulas, applied to final counts with whole histories in maps.

use super::*;
use crate::detect::scan::{LONGEST, Window};
use crate::detect::season::{Profile, place};
use crate::detect::series::{K, SPAN};
use crate::detect::table::{ONE, fixed, float};
use crate::detect::trail::Trail;

type Key = (Level, Identity);

/// Baskets and lines by pane.
type History = BTreeMap<u32, [i64; 2]>;

#[derive(Default)]
struct Of {
    counts: History,
    season: BTreeMap<u32, i64>,
    mean: BTreeMap<u32, i64>,
    cold: BTreeSet<u32>,
    taken: BTreeMap<u32, i64>,
    frozen: BTreeSet<u32>,
    profile: Profile,
    trail: Trail,
}

/// See the module.
pub struct Naive {
    plan: Arc<Plan>,
    series: BTreeMap<Key, Of>,
    sellers: BTreeMap<Identity, Of>,
    category_of: BTreeMap<Identity, Identity>,
    scan: Scan,
    /// Shares by seller, once a day has closed.
    shares: BTreeMap<Identity, [f64; 2]>,
    over: BTreeMap<Identity, BTreeSet<u32>>,
    next: u32,
}

fn sum(history: &BTreeMap<u32, i64>, panes: impl Iterator<Item = u32>) -> i64 {
    panes.map(|pane| history.get(&pane).copied().unwrap_or(0)).sum()
}

impl Naive {
    pub fn new(plan: &Arc<Plan>, heads: &[Head]) -> Naive {
        let step = plan.detect.step;
        let mut nets: BTreeMap<(u32, Key, Identity), i64> = BTreeMap::new();
        let mut lines_in: BTreeMap<(Identity, u32, Identity), i64> = BTreeMap::new();
        for head in heads {
            for key in [(Level::Global, SHOP), (Level::Category, head.category), (Level::Seller, head.seller)] {
                *nets.entry((head.pane / step, key, head.customer)).or_default() += i64::from(head.lines);
            }
            *lines_in.entry((head.seller, head.pane / step, head.category)).or_default() += i64::from(head.lines);
        }
        let (mut series, mut sellers): (BTreeMap<Key, Of>, BTreeMap<Identity, Of>) = Default::default();
        for ((pane, key, customer), net) in nets {
            let of = if key.0 == Level::Seller { sellers.entry(key.1).or_default() } else { series.entry(key).or_default() };
            let count = of.counts.entry(pane).or_default();
            count[0] += if customer == [0, 0] { net } else { i64::from(net > 0) };
            count[1] += net;
        }
        // in this shop each seller keeps to one category
        let category_of = lines_in.keys().map(|(seller, _, category)| (*seller, *category)).collect();
        let (scan, shares, over) = (Scan::new(plan.detect.h), BTreeMap::new(), BTreeMap::new());
        Naive { plan: plan.clone(), series, sellers, category_of, scan, shares, over, next: START + 1 }
    }

    fn place(&self, pane: u32) -> Place {
        let step = i64::from(self.plan.detect.step) * self.plan.tick;
        place(self.plan.detect.spec.zone, i64::from(pane) * step - step / 2)
    }

    /// Up to `pane`, in order: expectations, and what is final by then.
    pub fn pass(&mut self, last: u32) {
        while self.next <= last {
            let pane = self.next;
            self.next += 1;
            let old = pane - GAP;
            let (at_old, at) = (self.place(old), self.place(pane));
            if self.place(old - 1).day < at_old.day && old > START + 1 {
                self.close_day(old - 1);
            }
            for of in self.series.values_mut() {
                of.settle(old, at_old);
                of.expect(pane, at);
            }
            self.freeze(pane + 1 - OPEN);
            self.sample(old);
        }
    }

    fn close_day(&mut self, last: u32) {
        let today = START + 1;
        let mut sums: BTreeMap<Identity, [i64; 2]> = BTreeMap::new();
        for (key, of) in &self.sellers {
            let take = |what: What| {
                let (frozen, free): (Vec<_>, Vec<_>) =
                    of.counts.range(today..=last).partition(|(pane, _)| of.frozen.contains(*pane));
                assert!(frozen.is_empty(), "no incident on the first day");
                free.iter().map(|(_, count)| count[what as usize] * ONE).sum()
            };
            sums.insert(*key, [take(What::Baskets), take(What::Lines)]);
        }
        let all = sums.values().fold([0i64; 2], |all, sum| [all[0] + sum[0], all[1] + sum[1]]);
        let lines = all[1] as f64 / all[0] as f64;
        for (key, sold) in &sums {
            let category = self.category_of[key];
            let others = sums.keys().filter(|other| self.category_of[*other] == category).count() as f64;
            let whole = sum(&self.series[&(Level::Category, category)].taken, today..=last);
            let share = |sold: i64, prior: f64| (float(sold) + 50.0 / others * prior) / (float(whole) + 50.0);
            self.shares.insert(*key, [share(sold[0], 1.0), share(sold[1], lines)]);
        }
        self.scan.close_day();
    }

    fn judge(&mut self, level: Level, key: Identity, pane: u32) -> Verdict {
        let windows = self.windows(level, key, pane);
        let class = if level == Level::Global { Class::Shop } else { Class::Category };
        let known = self.known(level, key, pane);
        self.scan.judge(class, known, &windows)
    }

    fn known(&self, level: Level, key: Identity, pane: u32) -> Known {
        let of = &self.series[&(level, key)];
        let warm = of.reaches(pane - LONGEST) && (pane - LONGEST + 1..=pane).all(|p| !of.cold.contains(&p));
        if warm { Known::Warm } else { Known::Cold }
    }

    /// What the end of `pane` freezes, which is final.
    fn freeze(&mut self, pane: u32) {
        let keys: Vec<Key> = self.series.keys().copied().collect();
        for (level, key) in keys {
            let verdict = self.judge(level, key, pane);
            let of = self.series.get_mut(&(level, key)).unwrap();
            of.pass(pane, verdict, pane - LONGEST);
        }
        let shop = &self.series[&(Level::Global, SHOP)];
        if shop.trail.is_open() && shop.frozen.contains(&pane) {
            self.series.values_mut().for_each(|of| _ = of.frozen.insert(pane));
        }
        let sellers: Vec<Identity> = self.sellers.keys().copied().collect();
        for key in sellers {
            let over = self.over.entry(key).or_default().clone();
            let sold = self.sellers[&key].counts.get(&pane).is_some_and(|count| count[1] > 0);
            let lately = over.iter().any(|over| *over < pane && *over + QUIET >= pane);
            let known = self.known(Level::Category, self.category_of[&key], pane);
            let mut verdict = Verdict::default();
            if (sold || lately) && known == Known::Warm {
                let baskets = self.scan.judge(Class::SellerBaskets, known, &self.of_seller(key, What::Baskets, pane));
                let lines = self.scan.judge(Class::SellerLines, known, &self.of_seller(key, What::Lines, pane));
                let better = |a: &Stand, b: &Stand| (a.standing, a.score) >= (b.standing, b.score);
                verdict.up = match (baskets.up, lines.up) {
                    (Some(a), Some(b)) => Some(if better(&a, &b) { a } else { b }),
                    (a, b) => a.or(b),
                };
            }
            if verdict.standing() > Standing::Quiet {
                self.over.get_mut(&key).unwrap().insert(pane);
            }
            let of = self.sellers.get_mut(&key).unwrap();
            of.pass(pane, verdict, pane + OPEN - GAP);
        }
    }

    fn sample(&mut self, end: u32) {
        for ((level, key), of) in &self.series {
            let class = if *level == Level::Global { Class::Shop } else { Class::Category };
            for (scale, (panes, window)) in SCALES.into_iter().zip(self.windows(*level, *key, end)).enumerate() {
                let inside = || end - panes + 1..=end;
                if let Some(window) = window
                    && inside().all(|p| !of.frozen.contains(&p) && !of.cold.contains(&p))
                {
                    self.scan.sample(class, scale, window);
                }
            }
        }
        let pane = end + GAP;
        let part = u64::MAX / u64::from(ROUND) + 1;
        for (key, of) in &self.sellers {
            if key[0] / part != u64::from(pane % ROUND) || self.known(Level::Category, self.category_of[key], end) != Known::Warm
            {
                continue;
            }
            for (what, class) in [(What::Baskets, Class::SellerBaskets), (What::Lines, Class::SellerLines)] {
                for (scale, (panes, window)) in SCALES.into_iter().zip(self.of_seller(*key, what, end)).enumerate() {
                    if let Some(window) = window
                        && (end - panes + 1..=end).all(|p| !of.frozen.contains(&p))
                    {
                        self.scan.sample(class, scale, window);
                    }
                }
            }
        }
    }

    /// The windows of the shop or a category.
    pub fn windows(&self, level: Level, key: Identity, pane: u32) -> Windows {
        let of = &self.series[&(level, key)];
        SCALES.map(|panes| {
            let all = pane - panes + 1..=pane;
            if !of.reaches(pane - panes) || all.clone().any(|p| !of.mean.contains_key(&p)) {
                return None;
            }
            let count = all.clone().filter_map(|p| of.counts.get(&p)).map(|count| count[0]).sum();
            // the season of all panes times the level of the first
            let season: Option<i64> = all.clone().map(|p| of.season.get(&p).copied()).sum();
            let (first, mean) = (of.season.get(all.start()).copied().unwrap_or(0), of.mean[all.start()]);
            let season = season.filter(|_| first > 0);
            let mean = match season {
                Some(season) => fixed(float(season) * (float(mean) / float(first))),
                None => sum(&of.mean, all),
            };
            Some(Window { count, mean, usual: season.unwrap_or(mean) })
        })
    }

    /// The windows of a seller.
    pub fn of_seller(&self, key: Identity, what: What, pane: u32) -> Windows {
        let (of, category) = (&self.sellers[&key], &self.series[&(Level::Category, self.category_of[&key])]);
        let Some(share) = self.shares.get(&key).map(|shares| shares[what as usize]) else { return [None; 5] };
        let expected = |after: u32, to: u32| {
            let known = category.reaches(after) && (after + 1..=to).all(|p| category.mean.contains_key(&p));
            known.then(|| sum(&category.mean, after + 1..=to))
        };
        let times = |mean: i64, by: f64| fixed(float(mean) * by);
        if expected(pane - LONGEST, pane).is_some_and(|mean| times(mean, share) < ONE / 8) {
            return [None; 5];
        }
        SCALES.map(|panes| {
            let after = pane - panes;
            let mean = times(expected(after, pane)?, share);
            let (to, from) = (after + 1 - GAP, after + 1 - GAP - SPAN);
            let level = expected(from, to).map_or(1.0, |usual| {
                let free = of.counts.range(from + 1..=to).filter(|(pane, _)| !of.frozen.contains(*pane));
                let mut taken = free.map(|(_, count)| count[what as usize]).sum::<i64>() * ONE;
                // runs of frozen panes
                let frozen: Vec<u32> = of.frozen.range(from + 1..=to).copied().collect();
                for run in frozen.chunk_by(|a, b| a + 1 == *b) {
                    taken += times(sum(&category.mean, run[0]..=run[run.len() - 1]), share);
                }
                float((K * ONE + taken).max(0)) / float(K * ONE + times(usual, share))
            });
            let count = of.counts.range(after + 1..=pane).map(|(_, count)| count[what as usize]).sum();
            let mean = times(mean, level);
            Some(Window { count, mean, usual: mean })
        })
    }
}

impl Of {
    /// Whether the panes after `after` are all behind the first one.
    fn reaches(&self, after: u32) -> bool {
        self.taken.keys().next().is_some_and(|first| after + 1 >= *first)
    }

    fn settle(&mut self, pane: u32, place: Place) {
        let count = self.counts.get(&pane).map_or(0, |count| count[0]);
        if self.taken.is_empty() && count == 0 {
            return;
        }
        let imputed = self.mean.get(&pane).filter(|_| self.frozen.contains(&pane)).copied();
        let taken = imputed.unwrap_or(count * ONE);
        self.taken.insert(pane, taken);
        self.profile.learn(place, Some(taken));
    }

    fn expect(&mut self, pane: u32, place: Place) {
        let (to, from) = (pane - GAP, pane - GAP - SPAN + 1);
        let n = self.taken.range(from..=to).count() as i64;
        let known = self.profile.expect(place);
        if known.is_none_or(|(_, known)| known != Known::Warm) {
            self.cold.insert(pane);
        }
        match known {
            Some((season, _)) => {
                let seasons = self.season.range(from..=to);
                let (mut taken, mut usual) = (60 * ONE, 60 * ONE);
                for (pane, season) in seasons {
                    // a pane before the first one has a season when another day taught it, and counts for nothing
                    if let Some(it) = self.taken.get(pane) {
                        taken += it;
                        usual += season;
                    }
                }
                self.season.insert(pane, season);
                self.mean.insert(pane, fixed(float(season) * (float(taken) / float(usual)).max(0.0)));
            }
            None if n >= i64::from(30 * MINUTE) => {
                let taken: i64 = self.taken.range(from..=to).map(|(_, taken)| taken).sum();
                self.mean.insert(pane, (taken / n).max(0));
            }
            None => (),
        }
    }

    fn pass(&mut self, pane: u32, verdict: Verdict, reach: u32) {
        let best = [verdict.up, verdict.down].into_iter().flatten().max_by_key(|stand| (stand.standing, stand.score));
        let panes = best.map_or(1, |stand| SCALES[stand.scale]);
        if let Some(from) = self.trail.pass(pane, verdict.standing(), panes) {
            self.frozen.extend(from.max(reach)..=pane);
        }
    }
}

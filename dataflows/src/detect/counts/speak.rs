//! Which series speak of an end, and what they say.

use super::judge::Follow;
use super::*;
use crate::detect::blame::parts_to_blame;
use crate::detect::category_trend::Trend;
use crate::detect::words;
use crate::row::event::{Direction, Figure, Kind, Severity};

impl Counts {
    /// What is to be said of an end, from the verdicts on all series.
    pub(super) fn findings(&mut self, pane: u32) -> BTreeMap<Subject, Found> {
        let mut found = BTreeMap::new();
        let mut leads: Vec<Leads> = (0..self.series.len()).map(|i| self.leads(i, pane)).collect();
        let Some(end) = self.ends.get_mut(&pane) else { return found };
        end.leads.clone_from(&leads);
        end.named.clear();
        if end.sellers.is_empty() && end.series.iter().all(|verdict| verdict.standing() == Standing::Quiet) {
            return found;
        }
        let end = end.clone();
        let before = match self.ends.get(&pane.wrapping_sub(1)) {
            Some(end) => end.named.clone(),
            None => self.named.clone(),
        };
        let windows: Vec<Windows> = self.series.iter().map(|series| series.windows(pane)).collect();
        let holds = |stand: &Option<Stand>| stand.is_some_and(|stand| stand.standing == Standing::Holds);

        // upwards: what a part does is not said of the whole
        let mut by_category: BTreeMap<usize, Vec<&OfSeller>> = BTreeMap::new();
        for seller in end.sellers.values().filter(|seller| holds(&seller.verdicts[0].up)) {
            by_category.entry(seller.category).or_default().push(seller);
        }
        let mut blamed = vec![[false; 2]; self.series.len()];
        for (category, sellers) in &by_category {
            if let Some(up) = &end.series[*category].up {
                blamed[*category][0] = parts_to_blame(up, true, sellers.iter().map(|seller| &seller.windows[0]));
            }
        }
        // what the calendar says of a category is left aside in the shop
        let news_of: Vec<bool> = self.series.iter().map(|series| !self.announced(pane, series, true)).collect();
        let parts = |of: fn(&Verdict) -> &Option<Stand>| {
            let all = end.series.iter().zip(&windows).zip(&news_of).skip(1);
            let holding = all.filter(move |((verdict, _), news)| **news && holds(of(verdict)));
            holding.map(|((_, windows), _)| windows)
        };
        if let Some(up) = &end.series[0].up {
            blamed[0][0] = parts_to_blame(up, true, parts(|verdict| &verdict.up));
        }
        if let Some(down) = &end.series[0].down {
            blamed[0][1] = parts_to_blame(down, false, parts(|verdict| &verdict.down));
        }

        // downwards: what a part shares with the whole is not said of the part
        let whole = Follow::of(&end.series[0], &windows[0], blamed[0]);
        for i in 0..end.series.len() {
            let (series, alone) = (&self.series[i], &end.series[i]);
            if alone.standing() == Standing::Quiet || !self.plan.detect.level(series.level) {
                continue;
            }
            let class = if i == 0 { Class::Shop } else { Class::Category };
            let known = series.known(pane.saturating_sub(scan::LONGEST), pane);
            let verdict = if i == 0 { *alone } else { whole.judge(&mut self.scan, class, known, &windows[i], alone) };
            let quiet = self.announced(pane, &self.series[i], true);
            let up = verdict.up.filter(|_| !blamed[i][0] && !quiet).map(|stand| (stand, Direction::Up));
            let down = verdict.down.filter(|_| !blamed[i][1] && !quiet).map(|stand| (stand, Direction::Down));
            for (stand, direction) in up.into_iter().chain(down) {
                let feed = if direction == Direction::Down { self.feed(pane, class, known, &windows[i]) } else { None };
                let trend = if i > 0 && feed.is_none() { self.name_it(i, pane, &stand, direction, &mut leads[i]) } else { None };
                let (subject, found_of) = match trend {
                    Some(trend) => self.of_trend(i, pane, &stand, direction, trend),
                    None => self.of_series(i, pane, &stand, (direction, feed), known == Known::Warm),
                };
                found.insert(subject, found_of);
            }
        }
        let mut named = BTreeSet::new();
        if self.plan.detect.level(Level::Seller) {
            for (key, seller) in &end.sellers {
                let i = seller.category;
                let above = if self.announced(pane, &self.series[i], true) {
                    Follow { up: Some(crate::detect::blame::factors(&windows[i], true)), down: None }
                } else {
                    Follow::of(&end.series[i], &windows[i], blamed[i])
                };
                let mixed = self.mixed(key, &end, &windows, &blamed);
                let greater = |a: [i64; 5], b: [i64; 5]| std::array::from_fn(|scale| a[scale].max(b[scale]));
                let up = [above.up, mixed].into_iter().flatten().reduce(greater);
                let follow = Follow { up: up.or(whole.up), down: None };
                let mut it = seller.clone();
                for (class, at) in [(Class::SellerBaskets, 0), (Class::SellerLines, 1)] {
                    let alone = &seller.verdicts[at];
                    it.verdicts[at] = follow.judge(&mut self.scan, class, seller.known, &seller.windows[at], alone);
                }
                if let Some((what, stand)) = it.best() {
                    let (subject, found_of) = self.of_seller(*key, pane, what, &stand, &before);
                    if found_of.holds() || before.contains(&subject) {
                        named.insert(subject.clone());
                    }
                    found.insert(subject, found_of);
                }
            }
        }
        if let Some(end) = self.ends.get_mut(&pane) {
            (end.leads, end.named) = (leads, named);
        }
        found
    }

    /// By how much a seller of several categories follows those that stand out, each by its part of the seller's lines; `None`
    /// where none does.
    fn mixed(&self, key: &Identity, end: &End, windows: &[Windows], blamed: &[[bool; 2]]) -> Option<[i64; 5]> {
        let parts = self.sellers.get(key)?.parts();
        let all: i128 = parts.iter().map(|(_, lines)| i128::from(*lines)).sum();
        let mut factors = [ONE; 5];
        for (category, lines) in parts {
            let Some(&i) = self.categories.get(category) else { continue };
            let Some(of) = Follow::of(&end.series[i], &windows[i], blamed[i]).up else { continue };
            for (factor, of) in factors.iter_mut().zip(of) {
                *factor += (i128::from(of - ONE) * i128::from(*lines) / all.max(1)) as i64;
            }
        }
        (factors != [ONE; 5]).then_some(factors)
    }

    /// Whether a drop is none against what the inputs that were not silent bring: says so.
    fn feed(&mut self, pane: u32, class: Class, known: Known, windows: &Windows) -> Option<String> {
        let missing = SCALES.map(|panes| self.inputs.missing(pane.saturating_sub(panes), pane));
        let rest = missing.map(|(share, ..)| crate::detect::table::ONE - share);
        let drops = self.scan.judge(class, known, &scan::scaled(windows, &rest)).down.is_some();
        let (_, silent, all) = missing.into_iter().max_by_key(|(share, ..)| *share).filter(|(share, ..)| *share > 0)?;
        (!drops).then(|| format!("{silent} of {all} inputs were silent: what is missing is what they usually bring"))
    }

    fn found(&self, pane: u32, stand: &Stand, (class, direction): (Class, Direction), rule: &str) -> Found {
        let step = self.plan.detect.step;
        let threshold = self.scan.threshold(class);
        Found {
            direction,
            start: (pane - SCALES[stand.scale]) * step,
            score: stand.score,
            threshold,
            step: 3_000_000,
            severity: words::severity(stand, threshold),
            value: Figure::Count(stand.window.count),
            expected: Some(Figure::Millionths(words::millionths(stand.window.mean))),
            growth_pct: Some(words::growth(stand)),
            rule: rule.into(),
            message: String::new(),
            insights: vec![],
        }
    }

    /// Of the shop or a category.
    fn of_series(
        &self,
        i: usize,
        pane: u32,
        stand: &Stand,
        (direction, feed): (Direction, Option<String>),
        warm: bool,
    ) -> (Subject, Found) {
        let series = &self.series[i];
        let kind = match (direction, &feed) {
            (Direction::Up, _) => Kind::ActivitySpike,
            (Direction::Down, None) => Kind::ActivityDrop,
            (Direction::Down, Some(_)) => Kind::FeedIncomplete,
        };
        let key = if i == 0 { Level::WHOLE.into() } else { series.name.clone() };
        let mut found = self.found(pane, stand, (if i == 0 { Class::Shop } else { Class::Category }, direction), "nb/baskets");
        found.message = words::message(kind, series.level, &series.name, stand, words::BASKETS);
        found.insights = words::rarity(stand, warm);
        found.insights.extend(feed);
        if stand.standing == Standing::Holds {
            found.insights.extend(self.share(i, pane, stand));
        }
        (Subject { kind, level: series.level, key }, found)
    }

    /// Of a category whose difference is a trend; `trend` as it is now, where it still is one.
    fn of_trend(&self, i: usize, pane: u32, stand: &Stand, direction: Direction, trend: Option<Trend>) -> (Subject, Found) {
        let series = &self.series[i];
        let rule = if trend.is_some() { "theil-sen/mann-kendall" } else { "nb/baskets" };
        let mut found = self.found(pane, stand, (Class::Category, direction), rule);
        found.severity = Severity::Info;
        // a ramp grows clearer by going on: that is no news until it stands out twice as far
        found.step = found.threshold;
        found.message = words::message(Kind::CategoryTrend, series.level, &series.name, stand, words::BASKETS);
        found.insights = words::rarity(stand, true);
        if let Some((message, order)) = trend.map(|trend| trends::words(&trend)) {
            found.insights.insert(0, std::mem::replace(&mut found.message, message));
            found.insights.push(order);
        }
        (Subject { kind: Kind::CategoryTrend, level: series.level, key: series.name.clone() }, found)
    }

    /// The part that makes most of the difference: of the shop a category, of a category a seller.
    fn share(&self, i: usize, pane: u32, stand: &Stand) -> Option<String> {
        let after = pane - SCALES[stand.scale];
        let difference = |count: i64, mean: i64| words::millionths(count.saturating_mul(crate::detect::table::ONE) - mean);
        let all = difference(stand.window.count, stand.window.mean);
        let far = |part: i64| if all < 0 { -part } else { part };
        if i == 0 {
            let parts = self.series.iter().skip(1).filter_map(|series| {
                let window = series.windows(pane)[stand.scale]?;
                Some((far(difference(window.count, window.mean)), &series.name))
            });
            let (part, name) = parts.max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(a.1)))?;
            return words::share(Level::Category, name, far(part), all);
        }
        let parts = self.sellers.iter().filter(|(_, seller)| seller.share.is_some_and(|(category, _)| category == i));
        let parts = parts.filter_map(|(key, seller)| {
            let window = seller.windows(What::Baskets, pane, &self.series)[stand.scale]?;
            Some((far(difference(seller.sum(after, pane)[0], window.mean)), self.names.get(&(Level::Seller, *key))?))
        });
        let (part, name) = parts.max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(a.1)))?;
        words::share(Level::Seller, name, far(part), all)
    }

    /// Of a seller. The type of an episode is that with which it opened: a look before that sees a part of the burst.
    fn of_seller(&self, key: Identity, pane: u32, what: What, stand: &Stand, before: &BTreeSet<Subject>) -> (Subject, Found) {
        let (lines, unit) = if what == What::Lines { (true, words::LINES) } else { (false, words::BASKETS) };
        let name = self.names.get(&(Level::Seller, key)).cloned().unwrap_or_default();
        let seller = &self.sellers[&key];
        let buyers = seller.buyers(pane - SCALES[stand.scale], pane);
        let concentrated = buyers.concentrated(seller.ratios.low());
        let subject = |kind: Kind| Subject { kind, level: Level::Seller, key: name.clone() };
        let now = if concentrated.is_some() { Kind::FraudLikeBurst } else { Kind::SellerSpike };
        let kinds = [Kind::FraudLikeBurst, Kind::SellerSpike];
        let kind = kinds.into_iter().find(|kind| before.contains(&subject(*kind))).unwrap_or(now);
        let (class, rule) = if lines { (Class::SellerLines, "nb/lines") } else { (Class::SellerBaskets, "nb/baskets") };
        let mut found = self.found(pane, stand, (class, Direction::Up), rule);
        found.message = words::message(kind, Level::Seller, &name, stand, unit);
        found.insights = words::rarity(stand, true);
        found.insights.push(match concentrated {
            Some(why) => why.words(&buyers),
            None => format!("{} buyers for {} lines", buyers.distinct, buyers.lines),
        });
        (subject(kind), found)
    }
}

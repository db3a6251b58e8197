//! What enters the baselines, and when: panes that can change no more, the days they make, episodes that freeze them.

use super::*;

impl Counts {
    /// The pane that can change no more and lies beyond the gap enters the baselines.
    pub(super) fn settle(&mut self, pane: u32) {
        let Some(old) = pane.checked_sub(GAP).filter(|old| *old > 0) else { return };
        let place = self.place(old);
        if let Some(day) = self.day.filter(|day| *day < place.day) {
            self.close_day(day, place.day, old - 1);
        }
        self.day = Some(place.day);
        for i in 0..self.series.len() {
            let announced = self.announced(old, &self.series[i], false);
            self.series[i].settle(old, place, announced);
        }
    }

    /// `day` has closed with pane `last`: shares and dispersions are renewed.
    fn close_day(&mut self, day: i32, today: i32, last: u32) {
        self.series.iter_mut().for_each(|series| series.mark(day));
        let (mut sums, mut of_category) = (BTreeMap::new(), vec![0; self.series.len()]);
        let mut all = [0i128; 2];
        let (series, categories) = (&self.series, &self.categories);
        self.sellers.retain(|key, seller| {
            seller.settle(last, day, series);
            let Some(sum) = seller.close_day(today) else { return false };
            all = [all[0] + i128::from(sum[0]), all[1] + i128::from(sum[1])];
            if let Some(category) = seller.category().and_then(|key| categories.get(&key)) {
                of_category[*category] += 1;
                sums.insert(*key, (*category, sum));
            }
            true
        });
        let lines = if all[0] > 0 { all[1] as f64 / all[0] as f64 } else { 1.0 };
        for (key, (category, sum)) in sums {
            if let Some(seller) = self.sellers.get_mut(&key) {
                seller.renew(sum, category, &self.series[category], today, of_category[category], lines);
            }
        }
        self.scan.close_day();
    }

    /// The oldest open end is final: episodes freeze the baselines.
    pub(super) fn pass(&mut self, pane: u32) {
        let Some(last) = pane.checked_sub(OPEN - 1) else { return };
        while let Some(first) = self.ends.first_entry().filter(|first| *first.key() <= last) {
            let (pane, end) = first.remove_entry();
            self.passed = end.leads;
            self.named = end.named;
            for (series, verdict) in self.series.iter_mut().zip(&end.series) {
                series.pass(pane, verdict);
            }
            if self.series[0].trail.is_open() && self.series[0].frozen(pane) {
                self.series.iter_mut().for_each(|series| series.freeze(pane, pane));
            }
            for key in std::mem::take(&mut self.watched) {
                let Some(seller) = self.sellers.get_mut(&key) else { continue };
                let best = end.sellers.get(&key).and_then(OfSeller::best);
                let (standing, panes) = best.map_or((Standing::Quiet, 1), |(_, it)| (it.standing, SCALES[it.scale]));
                seller.pass(pane, standing, panes);
                if seller.is_watched() {
                    self.watched.insert(key);
                }
            }
        }
    }

    /// Takes windows of the past, free of episodes, as samples of how much counts vary.
    pub(super) fn sample(&mut self, pane: u32) {
        let Some(end) = pane.checked_sub(GAP).filter(|end| *end > scan::LONGEST) else { return };
        for series in &self.series {
            let class = if series.level == Level::Global { Class::Shop } else { Class::Category };
            let clean = (0..scan::LONGEST).take_while(|back| !series.frozen(end - back)).count() as u32;
            for (scale, (panes, window)) in SCALES.into_iter().zip(series.windows(end)).enumerate() {
                if let Some(window) = window
                    && panes <= clean
                    && series.known(end - panes, end) == Known::Warm
                {
                    self.scan.sample(class, scale, window);
                }
            }
        }
        let (day, part) = (self.place(end).day, u64::MAX / u64::from(ROUND) + 1);
        let from = u64::from(pane % ROUND) * part;
        for (_, seller) in self.sellers.range_mut([from, 0]..=[from.saturating_add(part - 1), u64::MAX]) {
            seller.settle(end, day, &self.series);
            let Some((category, _)) = seller.share else { continue };
            if self.series[category].known(end - scan::LONGEST, end) != Known::Warm {
                continue;
            }
            for (what, class) in [(What::Baskets, Class::SellerBaskets), (What::Lines, Class::SellerLines)] {
                let windows = seller.windows(what, end, &self.series);
                for (scale, (panes, window)) in SCALES.into_iter().zip(windows).enumerate() {
                    if let Some(window) = window.filter(|_| !seller.frozen(end - panes, end)) {
                        self.scan.sample(class, scale, window);
                    }
                }
            }
            let buyers = seller.buyers(end - SCALES[3], end);
            if !seller.frozen(end - SCALES[3], end) {
                seller.ratios.add(&buyers, 1);
            }
        }
    }
}

//! The detectors of counts: from baskets by pane to what each series says at each end.
//!
//! One instance, on worker 0, holds all series: the shop, the categories, the sellers. What comes here is one row a (series, pane)
//! and not one a sale, what is said depends on all levels at once, and so no float ever crosses a worker. At each slide, in turn:
//! what can change no more enters the baselines; the new pane gets its expectation from them; the last ends (those that
//! late sales may still correct) are judged, each series by itself; `blame` decides which of them speak; and
//! what differs from what was said of an end before is said.
//!
//! Plain state: the operator around it is in [`counting`](super::counting).

use super::baskets::{SHOP, Step};
use super::completeness::Inputs;
use super::scan;
use super::scan::{Class, SCALES, Scan, Stand, Verdict, Windows};
use super::season::{self, Known, Place};
use super::sellers::{Seller, What};
use super::series::{GAP, Series};
use super::signal::{Found, Signal};
use super::table::{ONE, Standing};
use super::trail::QUIET;
use crate::pane::heads::Identity;
use crate::plan::Plan;
use crate::plan::detect::{LATENESS, MINUTE, SLIDE};
use crate::row::event::{Level, Subject};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod baseline;
mod judge;
mod speak;
mod trends;

use trends::Leads;

/// Ends that late sales may still correct, the newest included.
pub(crate) const OPEN: u32 = (LATENESS / SLIDE) as u32 + 1;

/// After so many panes without a sale in the whole shop (a day) detection sleeps until the next one.
const SILENCE: u32 = 1_440 * MINUTE;

/// Each so many slides a seller's windows are taken as samples and its old panes forgotten.
const ROUND: u32 = 15 * MINUTE;

/// The verdict on a seller: its windows of baskets and of lines.
#[derive(Clone, Debug)]
struct OfSeller {
    category: usize,
    known: Known,
    windows: [Windows; 2],
    verdicts: [Verdict; 2],
}

impl OfSeller {
    /// The series that stands out more, and how.
    fn best(&self) -> Option<(What, Stand)> {
        let of = |what: What| self.verdicts[what as usize].up.map(|stand| (what, stand));
        let (baskets, lines) = (of(What::Baskets), of(What::Lines));
        match (baskets, lines) {
            (Some(b), Some(l)) if (l.1.standing, l.1.score) > (b.1.standing, b.1.score) => Some(l),
            (b, l) => b.or(l),
        }
    }

    fn standing(&self) -> Standing {
        self.best().map_or(Standing::Quiet, |(_, stand)| stand.standing)
    }
}

/// What is known of one end that may still be corrected.
#[derive(Clone, Debug, Default)]
struct End {
    /// By series: each by itself.
    series: Vec<Verdict>,
    /// Sellers that stand out by themselves.
    sellers: BTreeMap<Identity, OfSeller>,
    /// What was said of it.
    said: BTreeMap<Subject, Found>,
    /// By series: what stands out, by its name.
    leads: Vec<Leads>,
    /// Bursts of sellers that have opened and go on.
    named: BTreeSet<Subject>,
}

/// What a checkpoint holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    scan: scan::Saved,
    series: Vec<Series>,
    sellers: Vec<(Identity, Seller)>,
    names: Vec<((Level, Identity), String)>,
    said: Vec<(u32, Vec<(Subject, Found)>)>,
    now: Option<u32>,
    heard: u32,
    day: Option<i32>,
    inputs: Inputs,
    passed: Vec<Leads>,
    named: Vec<Subject>,
}

/// See the [module](self).
pub struct Counts {
    plan: Arc<Plan>,
    scan: Scan,
    /// The shop, then categories in the order in which they were met.
    series: Vec<Series>,
    categories: BTreeMap<Identity, usize>,
    sellers: BTreeMap<Identity, Seller>,
    names: BTreeMap<(Level, Identity), String>,
    /// By pane.
    ends: BTreeMap<u32, End>,
    /// The pane that was closed last.
    now: Option<u32>,
    /// The newest pane in which anything was sold.
    heard: u32,
    /// The day up to which baselines have come.
    day: Option<i32>,
    /// Sellers that stood out lately, or whose episode is open.
    watched: BTreeSet<Identity>,
    /// By series: what stood out when the last end had passed that is final.
    passed: Vec<Leads>,
    /// The bursts that went on then.
    named: BTreeSet<Subject>,
    /// The run goes on from a checkpoint: open ends are judged again.
    again: bool,
    inputs: Inputs,
}

impl Counts {
    /// Nothing counted yet.
    pub fn new(plan: &Arc<Plan>) -> Counts {
        Counts {
            plan: plan.clone(),
            scan: Scan::new(plan.detect.h),
            series: vec![Series::new(Level::Global, SHOP)],
            categories: BTreeMap::new(),
            sellers: BTreeMap::new(),
            names: BTreeMap::new(),
            ends: BTreeMap::new(),
            now: None,
            heard: 0,
            day: None,
            watched: BTreeSet::new(),
            passed: vec![],
            named: BTreeSet::new(),
            again: false,
            inputs: Inputs::default(),
        }
    }

    /// As they were when [`Counts::save`] was called; panes that may still change are told from nothing.
    pub fn restore(plan: &Arc<Plan>, saved: Saved) -> Counts {
        let mut counts = Counts {
            scan: Scan::restore(plan.detect.h, saved.scan),
            series: saved.series,
            sellers: saved.sellers.into_iter().collect(),
            names: saved.names.into_iter().collect(),
            now: saved.now,
            heard: saved.heard,
            day: saved.day,
            again: true,
            inputs: saved.inputs,
            passed: saved.passed,
            named: saved.named.into_iter().collect(),
            ..Counts::new(plan)
        };
        counts.categories = counts.series.iter().enumerate().skip(1).map(|(i, series)| (series.key, i)).collect();
        counts.ends = saved
            .said
            .into_iter()
            .map(|(pane, said)| (pane, End { said: said.into_iter().collect(), ..End::default() }))
            .collect();
        let watched = |(key, seller): (&Identity, &Seller)| seller.is_watched().then_some(*key);
        counts.watched = counts.sellers.iter().filter_map(watched).collect();
        if let Some(now) = counts.now {
            // the oldest of the open ends was final when the last slide had closed
            for pane in now.saturating_sub(OPEN - 2)..=now {
                counts.series.iter_mut().for_each(|series| series.forget(pane));
            }
            counts.sellers.values_mut().for_each(|seller| seller.forget(now.saturating_sub(OPEN - 1)));
        }
        counts
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        Saved {
            scan: self.scan.save(),
            series: self.series.clone(),
            sellers: self.sellers.iter().map(|(key, seller)| (*key, seller.clone())).collect(),
            names: self.names.iter().map(|(key, name)| (*key, name.clone())).collect(),
            said: self.ends.iter().map(|(pane, end)| (*pane, end.said.clone().into_iter().collect())).collect(),
            now: self.now,
            heard: self.heard,
            day: self.day,
            inputs: self.inputs.clone(),
            passed: self.passed.clone(),
            named: self.named.iter().cloned().collect(),
        }
    }

    /// An identity has a name.
    pub fn name(&mut self, level: Level, key: Identity, name: String) {
        self.names.insert((level, key), name);
    }

    /// Sales of the pane that ends at tick `pane` came from a live input.
    pub fn arrive(&mut self, input: u32, pane: u32, sales: i64) {
        self.inputs.arrive(input, pane / self.plan.detect.step, sales);
    }

    /// The next slide at which there is anything to do, when nothing new is heard.
    pub fn busy(&self) -> Option<u32> {
        let now = self.now?;
        (now < self.heard + SILENCE).then(|| (now + 1) * self.plan.detect.step)
    }

    /// The middle of a pane, milliseconds since the Unix epoch.
    fn middle(&self, pane: u32) -> i64 {
        let step = i64::from(self.plan.detect.step) * self.plan.tick;
        self.plan.millis(pane * self.plan.detect.step) - step / 2
    }

    fn place(&self, pane: u32) -> Place {
        season::place(self.plan.detect.spec.zone, self.middle(pane))
    }

    /// Whether a pane of a series lies in a sale that was announced; `after`: or shortly after it.
    fn announced(&self, pane: u32, series: &Series, after: bool) -> bool {
        let calendar = &self.plan.detect.spec.announced;
        let category = (series.level == Level::Category).then_some(series.name.as_str());
        !calendar.is_empty() && season::announced(calendar, self.middle(pane), category, after)
    }

    /// What announced sales of categories brought above what those usually sell, which is no news of the shop. `None` where a
    /// usual number is not known.
    fn aside(&self, pane: u32) -> Option<i64> {
        if self.plan.detect.spec.announced.is_empty() {
            return Some(0);
        }
        let on_sale = self.series.iter().skip(1).filter(|series| self.announced(pane, series, false));
        on_sale.map(|series| series.expected(pane.checked_sub(1)?, pane).map(|mean| series.counted(pane) - mean / ONE)).sum()
    }

    /// Closes slide `s`, a tick: takes what was learned at it, and says what differs from what was said.
    pub fn close(&mut self, s: u32, steps: Vec<Step>, mut say: impl FnMut(Signal)) {
        let pane = s / self.plan.detect.step;
        self.open(pane);
        self.settle(pane);
        let (mut dirty, touched) = self.learn(pane, steps);
        let place = self.place(pane);
        // the shop last: it leaves aside what the calendar says of its categories
        for i in (0..self.series.len()).rev() {
            let announced = self.announced(pane, &self.series[i], false);
            let aside: Vec<Option<i64>> = if i == 0 { (dirty..=pane).map(|pane| self.aside(pane)).collect() } else { vec![] };
            let series = &mut self.series[i];
            series.expect(pane, place);
            if announced || aside.last().is_some_and(Option::is_none) {
                series.freeze(pane, pane);
            }
            for (pane, aside) in (dirty..=pane).zip(aside) {
                series.leave_aside(pane, aside.unwrap_or(0));
            }
            series.add_up(dirty, pane);
        }
        let first = self.ends.first_key_value().map_or(pane, |(first, _)| *first);
        let again = std::mem::take(&mut self.again);
        dirty = if again { first } else { dirty.max(first) };
        self.judge((dirty, pane), if again { first } else { pane }, &touched);
        for end in dirty..=pane {
            let now = self.findings(end);
            let Some(of_end) = self.ends.get_mut(&end) else { continue };
            let signal = |subject: &Subject, found: Option<&Found>| Signal {
                learned: s,
                subject: subject.clone(),
                end: end * self.plan.detect.step,
                found: found.map(|found| Box::new(found.clone())),
            };
            of_end.said.keys().filter(|subject| !now.contains_key(subject)).for_each(|subject| say(signal(subject, None)));
            let differs = now.iter().filter(|(subject, found)| of_end.said.get(subject) != Some(found));
            differs.for_each(|(subject, found)| say(signal(subject, Some(found))));
            of_end.said = now;
        }
        self.pass(pane);
        self.sample(pane);
        self.inputs.forget(pane);
        self.now = Some(pane);
    }

    /// A new pane begins, and so does an end.
    fn open(&mut self, pane: u32) {
        if self.now.is_none_or(|now| now + 1 < pane) {
            self.series.iter_mut().for_each(Series::restart);
            self.sellers.values_mut().for_each(Seller::restart);
            self.watched.clear();
            self.ends.clear();
            self.passed.clear();
            self.named.clear();
        } else {
            self.series.iter_mut().for_each(|series| series.open(pane));
        }
        self.ends.insert(pane, End::default());
    }

    /// Takes what was learned; gives the first pane that changed, and by seller the first of its panes.
    fn learn(&mut self, pane: u32, steps: Vec<Step>) -> (u32, BTreeMap<Identity, u32>) {
        let (mut dirty, mut touched) = (pane, BTreeMap::new());
        let step = self.plan.detect.step;
        // categories first: sellers belong to them
        let (sellers, others): (Vec<Step>, Vec<Step>) = steps.into_iter().partition(|it| it.level == Level::Seller);
        for it in others {
            let at = it.pane / step;
            (dirty, self.heard) = (dirty.min(at), self.heard.max(at));
            let i = if it.level == Level::Global { 0 } else { self.category(it.key) };
            self.series[i].count(at, it.baskets);
        }
        let today = self.place(pane).day;
        for it in sellers {
            let at = it.pane / step;
            (dirty, self.heard) = (dirty.min(at), self.heard.max(at));
            match self.sellers.get_mut(&it.key) {
                Some(seller) => seller.count(at, [it.baskets, it.lines], it.makes),
                None => {
                    let category = self.category(it.makes.category);
                    let mut seller = Seller::new(today, self.series[category].total, pane.saturating_sub(GAP));
                    seller.count(at, [it.baskets, it.lines], it.makes);
                    self.sellers.insert(it.key, seller);
                }
            }
            touched.entry(it.key).and_modify(|first: &mut u32| *first = (*first).min(at)).or_insert(at);
        }
        (dirty, touched)
    }

    fn category(&mut self, key: Identity) -> usize {
        let next = self.series.len();
        let i = *self.categories.entry(key).or_insert(next);
        if i == next {
            self.series.push(Series::new(Level::Category, key));
        }
        if self.series[i].name.is_empty()
            && let Some(name) = self.names.get(&(Level::Category, key))
        {
            self.series[i].name.clone_from(name);
        }
        i
    }
}

#[cfg(test)]
mod tests;

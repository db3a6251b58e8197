//! On the owner of a category: its prices, its tickets, its large orders, and what is said of the prices of its products.

use super::products::Priced;
use super::{Said, first_end};
use crate::detect::amounts::Amounts;
use crate::detect::keyed::Keyed;
use crate::detect::large_order::{self, Limit, Whales};
use crate::detect::price_anomaly::{self, CategoryPrices, DAYS, Thresholds, Usual, Verdict};
use crate::detect::signal::{Found, Signal};
use crate::detect::ticket::{Base, Baseline, LONGEST, Lines, Spans, surge};
use crate::dictionary::identity;
use crate::pane::delta::Delta;
use crate::pane::facts::CategoryFact;
use crate::plan::detect::MINUTE;
use crate::plan::{Plan, ceil};
use crate::row::event::{Kind, Level, Subject};
use crate::row::round::round_millionths;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A pane that can still change, or lies inside of a scale that ends with one that can.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Near {
    end: u32,
    /// What its lines are held against, fixed when the first of them came.
    base: Option<Base>,
    /// From where on a line is a large order, fixed with it.
    limit: Option<Limit>,
    lines: Lines,
    whales: Whales,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Category {
    /// Facts that were learned for the end that closes next: (pane, fact).
    pending: Vec<(u32, CategoryFact)>,
    prices: CategoryPrices,
    baseline: Baseline,
    amounts: Amounts,
    near: VecDeque<Near>,
    /// What was paid for products, by end: to be judged as long as the end can change.
    priced: BTreeMap<(u32, String), Verdict>,
    /// Ends that can change at which its tickets were said to stand out.
    surges: BTreeSet<u32>,
}

/// What a checkpoint holds.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    closed: u32,
    open: u32,
    categories: Vec<(String, Category)>,
    said: Said,
}

/// The lines of all categories of one worker in one pane, as they have changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PaneLines {
    pub s: u32,
    pub end: u32,
    pub lines: Lines,
}

/// The tickets of one category stand out at an end, or may: its last panes, in place of what was said of that end before. Without
/// panes they do not stand out any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub s: u32,
    pub end: u32,
    pub category: String,
    /// Lines of the hour that ended 5 min before.
    pub hour: i64,
    pub panes: Vec<(u32, Lines)>,
}

/// What worker 0 hears of tickets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Word {
    Lines(PaneLines),
    Ticket(Ticket),
}

impl Word {
    /// The end at which it was learned.
    pub fn learned(&self) -> u32 {
        match self {
            Word::Lines(lines) => lines.s,
            Word::Ticket(ticket) => ticket.s,
        }
    }
}

/// All that leaves when an end closes.
#[derive(Debug, Default)]
pub struct Out {
    pub signals: Vec<Signal>,
    pub words: Vec<Word>,
}

/// See the [module](self). Plain state.
pub struct Categories {
    plan: Plan,
    spans: Spans,
    thresholds: Thresholds,
    categories: Keyed<Category>,
    /// Ids by identity.
    ids: BTreeMap<[u64; 2], u32>,
    /// Categories with something to judge.
    live: BTreeSet<u32>,
    closed: u32,
    open: u32,
    said: Said,
}

impl Categories {
    pub fn new(plan: &Plan) -> Categories {
        let signals = &plan.signals;
        Categories {
            spans: Spans { day: signals.day, gap: 5 * MINUTE * signals.slide },
            thresholds: Thresholds::new(signals.spec.price_warn, signals.spec.price_alert),
            plan: plan.clone(),
            categories: Keyed::default(),
            ids: BTreeMap::new(),
            live: BTreeSet::new(),
            closed: 0,
            open: 0,
            said: Said::default(),
        }
    }

    /// Takes up what all workers deposited: this is worker `me` of `peers`.
    pub fn restore(&mut self, saved: Vec<Saved>, me: usize, peers: usize) {
        let mut said = vec![];
        for saved in saved {
            self.closed = self.closed.max(saved.closed);
            self.open = self.open.max(saved.open);
            self.categories.restore(saved.categories, me, peers);
            said.extend(saved.said.0);
        }
        let mut products = BTreeSet::new();
        for id in self.categories.ids() {
            let (name, category) = self.categories.named(id);
            self.ids.insert(halves(identity(name.as_bytes())), id);
            if category.is_live() {
                self.live.insert(id);
            }
            products.extend(category.priced.keys().cloned());
        }
        // What was said of a product is the business of the owner of its category.
        let categories = &self.categories;
        said.retain(|((end, subject), _)| match subject.level {
            Level::Product => products.contains(&(*end, subject.key.clone())),
            _ => categories.knows(&subject.key),
        });
        self.said.0.extend(said);
    }

    /// What a checkpoint must hold.
    pub fn save(&self) -> Saved {
        let categories = self.categories.sorted().into_iter().map(|(name, state)| (name.to_string(), state.clone()));
        Saved { closed: self.closed, open: self.open, categories: categories.collect(), said: self.said.clone() }
    }

    /// Takes facts. Nothing is left to be done at the ends before that of their tick.
    pub fn learn(&mut self, delta: &Delta<CategoryFact>) {
        let slide = self.plan.signals.slide;
        for (_, name) in &delta.names {
            let id = self.categories.id(name);
            self.ids.insert(halves(identity(name.as_bytes())), id);
        }
        let end = ceil(delta.s, slide);
        self.closed = self.closed.max(end - slide);
        let live = &mut self.live;
        self.categories.hear(delta, |id, category, pane, fact| {
            category.pending.push((ceil(pane, slide), fact));
            live.insert(id);
        });
        self.open = end;
    }

    /// The next end at which something is to be done.
    pub fn busy(&self) -> Option<u32> {
        let changed = (self.open > self.closed).then_some(self.open);
        let live = (!self.live.is_empty()).then_some(self.closed + self.plan.signals.slide);
        changed.into_iter().chain(live).min()
    }

    /// Closes the end `s`, with what is to be said of prices there; ends after `last` are not spoken of.
    pub fn close(&mut self, s: u32, last: u32, priced: Vec<Priced>, out: &mut Out) {
        let plan = &self.plan;
        let (slide, from) = (plan.signals.slide, first_end(&plan.signals, s));
        let hour = plan.signals.day / 24;
        let day = |end: u32| (plan.millis(end.saturating_sub(1)) / 86_400_000) as u32;
        for priced in priced {
            // The category's own facts came at the same tick or before.
            let Some(id) = self.ids.get(&priced.category) else { continue };
            self.live.insert(*id);
            self.categories.at(*id).priced.insert((priced.end, priced.product), priced.verdict);
        }
        let mut sums: BTreeMap<u32, Lines> = BTreeMap::new();
        let ids: Vec<u32> = self.live.iter().copied().collect();
        for id in ids {
            let (name, category) = self.categories.named(id);
            let changed = category.take(s, self.spans, slide, round_millionths(plan.signals.spec.large_order_z), day, &mut sums);
            category.prices.forget(day(s).saturating_sub(DAYS), from.saturating_sub(MINUTE / 2 * slide));
            let mut end = from.max(changed);
            while end <= s.min(last) {
                let subject = |kind| Subject { kind, level: Level::Category, key: name.into() };
                let panes = category.panes(end, slide, plan.signals.spec.ticket_z);
                if !panes.is_empty() || category.surges.contains(&end) {
                    let before = end.saturating_sub(5 * MINUTE * slide);
                    let hour = category.baseline.lines(before.saturating_sub(hour), before);
                    if panes.is_empty() {
                        category.surges.remove(&end)
                    } else {
                        category.surges.insert(end)
                    };
                    out.words.push(Word::Ticket(Ticket { s, end, category: name.into(), hour, panes }));
                }
                let large = category.large_order(end, slide);
                self.said.say(s, subject(Kind::LargeOrder), end, large, &mut out.signals);
                end += slide;
            }
            let mut beside = (0, 0, None);
            for ((end, product), verdict) in &category.priced {
                if beside.0 != *end {
                    // what is sold at a wrong price does not vouch for itself for half a minute
                    let before = end.saturating_sub((MINUTE / 2 - 1) * slide);
                    beside = (*end, category.shift(*end, slide, plan.signals.spec.ticket_z), category.prices.usual(before));
                }
                let (_, shift, usual) = beside;
                let found = price(*end - slide, verdict, shift, usual, self.thresholds).filter(|_| *end <= last);
                let subject = Subject { kind: Kind::PriceAnomaly, level: Level::Product, key: product.clone() };
                self.said.say(s, subject, *end, found, &mut out.signals);
            }
            category.priced.retain(|(end, _), _| *end > from);
            category.surges.retain(|end| *end > from);
            // A scale that ends with the first end that can change reaches so far back.
            let oldest = (from + slide).saturating_sub(LONGEST * slide);
            while category.near.pop_front_if(|near| near.end <= oldest).is_some() {}
            if !category.is_live() {
                self.live.remove(&id);
            }
        }
        let sums = sums.into_iter().filter(|x| !x.1.is_nothing());
        out.words.extend(sums.map(|(end, lines)| Word::Lines(PaneLines { s, end, lines })));
        self.said.forget(from + 1);
        self.closed = s;
    }
}

/// An identity in halves.
pub fn halves(key: u128) -> [u64; 2] {
    [key as u64, (key >> 64) as u64]
}

impl Category {
    fn is_live(&self) -> bool {
        !self.pending.is_empty() || !self.near.is_empty() || !self.priced.is_empty()
    }

    /// Takes the facts of the end `s`; adds to `sums`, by pane, what the whole shop must know. Gives the first end that can have
    /// changed.
    #[expect(clippy::too_many_arguments, reason = "four of them are settings that the categories share")]
    fn take(
        &mut self,
        s: u32,
        spans: Spans,
        slide: u32,
        deviations: i64,
        day: impl Fn(u32) -> u32,
        sums: &mut BTreeMap<u32, Lines>,
    ) -> u32 {
        let (oldest, mut changed) = (s.saturating_sub(spans.gap + MINUTE * slide), s);
        let facts = std::mem::take(&mut self.pending);
        // First what the lines of each pane are held against, in the order of the panes; so the order of the facts does not show.
        let panes: BTreeSet<u32> = facts.iter().map(|f| f.0).filter(|end| *end > oldest).collect();
        for end in panes {
            let i = self.near.partition_point(|near| near.end < end);
            if self.near.get(i).is_none_or(|near| near.end != end) {
                let base = self.baseline.of(end, spans);
                // Like the baseline: by what nothing late touches any more.
                let yearly = self.amounts.yearly(day(end.saturating_sub(spans.gap)));
                let limit = base.as_ref().map(|base| Limit::new(base, deviations, yearly));
                self.near.insert(i, Near { end, base, limit, lines: Lines::default(), whales: Whales::default() });
            }
        }
        for (end, fact) in facts {
            let n = i64::from(fact.sales);
            self.baseline.add(end, fact.amount_ln, n, spans);
            self.prices.add(day(end), end, fact.price_ln, n);
            self.amounts.add(day(end), fact.amount_ln, n);
            let i = self.near.partition_point(|near| near.end < end);
            let Some(near) = self.near.get_mut(i).filter(|near| near.end == end) else { continue };
            if let (Some(base), Some(limit)) = (&near.base, near.limit) {
                near.lines.line(base, fact.amount_ln, fact.customer, n);
                sums.entry(end).or_default().line(base, fact.amount_ln, fact.customer, n);
                near.whales.line(base, fact.cents, fact.amount_ln, n, limit);
                changed = changed.min(end);
            }
        }
        changed
    }

    /// The panes of the longest scale, where its tickets may stand out at an end; none where they do not.
    fn panes(&self, end: u32, slide: u32, threshold: f64) -> Vec<(u32, Lines)> {
        let surge = surge(self.near.iter().map(|near| (near.end, &near.lines)), end, slide);
        if surge.is_none_or(|surge| surge.z * 2 < round_millionths(threshold)) {
            return vec![];
        }
        let inside = self.near.iter().filter(|near| near.end <= end && near.end + LONGEST * slide > end);
        inside.map(|near| (near.end, near.lines.clone())).collect()
    }

    fn large_order(&self, end: u32, slide: u32) -> Option<Found> {
        let near = self.near.iter().find(|near| near.end == end)?;
        large_order::found(&near.whales, near.base.as_ref()?, end - slide, near.limit?)
    }

    /// By how much the prices of the category have moved while its tickets surge, in 1e-4.
    fn shift(&self, end: u32, slide: u32, threshold: f64) -> i64 {
        let surge = surge(self.near.iter().map(|near| (near.end, &near.lines)), end, slide);
        let holds = surge.is_some_and(|surge| surge.z >= round_millionths(threshold));
        let pane = self.near.iter().find(|near| near.end == end).filter(|_| holds);
        pane.map_or(0, |near| near.lines.mean_above())
    }
}

/// What is said of the prices of a product in the pane that begins at `start`, when those of its category have moved by `shift`
/// and were `usual` before.
fn price(start: u32, verdict: &Verdict, shift: i64, usual: Option<Usual>, thresholds: Thresholds) -> Option<Found> {
    let far = match verdict {
        Verdict::Quiet => return None,
        Verdict::Own(far) => *far,
        Verdict::Unsettled(paid) => usual?.judge(paid)?,
    };
    price_anomaly::found(&far.beside(shift), matches!(verdict, Verdict::Own(_)), start, thresholds)
}

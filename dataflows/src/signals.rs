//! The detectors that look at single sales, on the dataflow: prices, tickets, large orders, trends, the stock.
//!
//! ```text
//! combine ─ facts by product ──► products ─┬─ what was paid ──────► categories ─┬─ signals ─► (notify)
//!                                          ├─ demand ─► forecasts ─► signals    ├─ lines ─► shop ─► signals
//!         ─ facts by category ─────────────┼──────────────────────► categories ─┘
//!                                          └─ priors (to all) ─► forecasts
//! ```
//!
//! A product is judged by its owner; where it has too few prices of its own, by the owner of its category, who says all that is said
//! of prices, so that each series has one voice. Tickets of the shop are sums over categories, on worker 0, where it is also decided
//! whether the shop or its categories speak. Each stage is plain
//! state with a thin operator around it. It learns on the slide of the detectors: when the frontier has passed the end `s`, the ends in
//! `(s - 60 s, s]` that can have changed are judged again, and what differs from what was said is a [`Signal`]. All that crosses
//! workers is integers and multisets; floats are computed from them in one place.
//!
//! These stages reach back further than the journal, so they deposit their whole state in checkpoints and are deaf to the replay.

mod products;
mod categories;
mod shop;
mod forecasts;
#[cfg(test)]
mod tests;

use crate::clock::{Context, Failure};
use crate::detect::keyed::owns;
use crate::detect::signal::{Found, Signal};
use crate::pane::delta::Delta;
use crate::pane::facts::{CategoryFact, ProductFact};
use crate::pane::store::downgrade;
use crate::plan::{Signals, ceil};
use crate::row::event::Subject;
use crate::site::Site;
use crate::time::Bi;
use categories::{Categories, Word};
use forecasts::Forecasts;
use products::{Priced, Products, Question, Share};
use serde::{Deserialize, Serialize};
use shop::Shop;
use std::collections::BTreeMap;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::{Exchange, Pipeline};
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::operators::generic::{Operator, OutputBuilder};
use timely::dataflow::{Scope, Stream};
use timely::progress::frontier::MutableAntichain;

/// What was said of the ends that can still change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Said(BTreeMap<(u32, Subject), Found>);

impl Said {
    /// What is true of a subject at an end, as known at `learned`: a signal when it differs from what was said.
    fn say(&mut self, learned: u32, subject: Subject, end: u32, found: Option<Found>, out: &mut Vec<Signal>) {
        let key = (end, subject);
        if self.0.get(&key) == found.as_ref() {
            return;
        }
        let subject = key.1.clone();
        match &found {
            Some(found) => self.0.insert(key, found.clone()),
            None => self.0.remove(&key),
        };
        out.push(Signal { learned, subject, end, found: found.map(Box::new) });
    }

    /// What was said of ends before `from` is forgotten.
    fn forget(&mut self, from: u32) {
        while self.0.first_entry().filter(|e| e.key().0 < from).map(|e| e.remove()).is_some() {}
    }
}

/// The first end that takes a record which was learned at the end `s`.
fn first_end(signals: &Signals, s: u32) -> u32 {
    ceil(s.saturating_sub(signals.lateness), signals.slide)
}

/// What came for a tick that is not complete, by tick.
struct Stash<T>(BTreeMap<u32, Vec<T>>);

impl<T> Stash<T> {
    fn new() -> Self {
        Stash(BTreeMap::new())
    }

    fn put(&mut self, s: u32, it: T) {
        self.0.entry(s).or_default().push(it);
    }

    /// The end of the first tick before `open`.
    fn end(&self, open: u32, slide: u32) -> Option<u32> {
        self.0.keys().next().filter(|s| **s < open).map(|s| ceil(*s, slide))
    }

    /// What came for ticks before `open` and up to `end`, tick by tick.
    fn take(&mut self, open: u32, end: u32) -> Vec<T> {
        let later = self.0.split_off(&open.min(end.saturating_add(1)));
        std::mem::replace(&mut self.0, later).into_values().flatten().collect()
    }
}

/// The last end that is spoken of: the first one at or after the end of all inputs.
fn last(context: &Context, slide: u32) -> u32 {
    context.ending.borrow().map_or(u32::MAX, |ending| ceil(ending.last.max(ending.whole), slide))
}

/// The open tick of an input, `None` when it has ended.
fn open(frontier: &MutableAntichain<Bi>) -> Option<u32> {
    Bi::open(std::slice::from_ref(frontier))
}

/// Reads what the stage `name` deposited, and makes its state of it; the tick from which on it listens.
fn resume<T: serde::de::DeserializeOwned>(site: &Site, name: &'static str) -> (u32, Vec<T>) {
    site.context.snapshots.join(name).unwrap_or_else(|problem| {
        site.context.fail(Failure::Input(problem));
        (0, vec![])
    })
}

fn deposit<T: Serialize>(site: &Site, name: &'static str, open: u32, save: impl FnOnce() -> T) {
    if let Err(problem) = site.context.snapshots.stage(name, open, save) {
        site.context.fail(Failure::Output(problem));
    }
}

/// All that these detectors say, for the stage that makes episodes of it.
pub fn judge_sales<'s>(
    scope: Scope<'s, Bi>,
    products: Stream<'s, Bi, Vec<Delta<ProductFact>>>,
    categories: Stream<'s, Bi, Vec<Delta<CategoryFact>>>,
    site: &Site,
) -> Stream<'s, Bi, Vec<Signal>> {
    let (priced, questions, shares) = by_product(products, site);
    let (by_category, lines) = by_category(categories, priced, site);
    let mut all = vec![by_category, of_the_shop(lines, site)];
    if site.context.plan.signals.spec.stock {
        all.push(of_the_stock(questions, shares, site));
    }
    scope.concatenate(all)
}

type Said3<'s> = (Stream<'s, Bi, Vec<Priced>>, Stream<'s, Bi, Vec<Question>>, Stream<'s, Bi, Vec<Share>>);

fn by_product<'s>(facts: Stream<'s, Bi, Vec<Delta<ProductFact>>>, site: &Site) -> Said3<'s> {
    const NAME: &str = "signals/products";
    let scope = facts.scope();
    let (me, peers, site) = (scope.index(), scope.peers(), site.clone());
    let mut builder = OperatorBuilder::new("ProductSignals".into(), scope);
    let mut input = builder.new_input(facts, Exchange::new(|d: &Delta<ProductFact>| u64::from(d.to)));
    let (out, priced) = builder.new_output::<Vec<Priced>>();
    let mut priced_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Priced>>>::from(out);
    let (out, questions) = builder.new_output::<Vec<Question>>();
    let mut questions_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Question>>>::from(out);
    let (out, shares) = builder.new_output::<Vec<Share>>();
    let mut shares_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Share>>>::from(out);
    let (since, saved) = resume(&site, NAME);
    builder.build(move |mut caps| {
        let plan = site.context.plan.clone();
        let slide = plan.signals.slide;
        let mut state = Products::new(&plan);
        state.restore(saved, me, peers);
        let mut stash = Stash::new();
        move |frontiers| {
            input.for_each(|_, data| data.drain(..).filter(|d| d.s >= since).for_each(|d| stash.put(d.s, d)));
            if caps.is_empty() {
                return;
            }
            let Some(open) = Bi::open(frontiers) else {
                caps.clear();
                return;
            };
            let mut out = products::Out::default();
            while let Some(end) = stash.end(open, slide).into_iter().chain(state.busy()).min() {
                stash.take(open, end).iter().for_each(|delta| state.learn(delta));
                if end >= open {
                    break;
                }
                state.close(end, last(&site.context, slide), &mut out);
                priced_out.activate().session(&caps[0]).give_iterator(out.priced.drain(..));
                questions_out.activate().session(&caps[1]).give_iterator(out.questions.drain(..));
                if let Some(share) = out.share.take() {
                    let to_all = (0..peers as u32).map(|to| Share { to, ..share.clone() });
                    shares_out.activate().session(&caps[2]).give_iterator(to_all);
                }
            }
            deposit(&site, NAME, open, || state.save());
            caps.iter_mut().for_each(|cap| downgrade(cap, Bi::diagonal(open)));
        }
    });
    (priced, questions, shares)
}

type Said2<'s> = (Stream<'s, Bi, Vec<Signal>>, Stream<'s, Bi, Vec<Word>>);

fn by_category<'s>(
    facts: Stream<'s, Bi, Vec<Delta<CategoryFact>>>,
    priced: Stream<'s, Bi, Vec<Priced>>,
    site: &Site,
) -> Said2<'s> {
    const NAME: &str = "signals/categories";
    let scope = facts.scope();
    let (me, peers, site) = (scope.index(), scope.peers(), site.clone());
    let mut builder = OperatorBuilder::new("CategorySignals".into(), scope);
    let mut facts = builder.new_input(facts, Exchange::new(|d: &Delta<CategoryFact>| u64::from(d.to)));
    let mut priced = builder.new_input(priced, Exchange::new(move |p: &Priced| owns(p.category, peers)));
    let (out, said) = builder.new_output::<Vec<Signal>>();
    let mut said_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Signal>>>::from(out);
    let (out, lines) = builder.new_output::<Vec<Word>>();
    let mut lines_out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Word>>>::from(out);
    let (since, saved) = resume(&site, NAME);
    builder.build(move |mut caps| {
        let plan = site.context.plan.clone();
        let slide = plan.signals.slide;
        let mut state = Categories::new(&plan);
        state.restore(saved, me, peers);
        let (mut stash, mut asked) = (Stash::new(), Stash::new());
        move |frontiers| {
            facts.for_each(|_, data| data.drain(..).filter(|d| d.s >= since).for_each(|d| stash.put(d.s, d)));
            priced.for_each(|_, data| data.drain(..).for_each(|p| asked.put(p.s, p)));
            if caps.is_empty() {
                return;
            }
            let Some(open) = Bi::open(frontiers) else {
                caps.clear();
                return;
            };
            let mut out = categories::Out::default();
            while let Some(end) = stash.end(open, slide).into_iter().chain(asked.end(open, slide)).chain(state.busy()).min() {
                stash.take(open, end).iter().for_each(|delta| state.learn(delta));
                if end >= open {
                    break;
                }
                state.close(end, last(&site.context, slide), asked.take(open, end), &mut out);
                said_out.activate().session(&caps[0]).give_iterator(out.signals.drain(..));
                lines_out.activate().session(&caps[1]).give_iterator(out.words.drain(..));
            }
            deposit(&site, NAME, open, || state.save());
            caps.iter_mut().for_each(|cap| downgrade(cap, Bi::diagonal(open)));
        }
    });
    (said, lines)
}

fn of_the_shop<'s>(lines: Stream<'s, Bi, Vec<Word>>, site: &Site) -> Stream<'s, Bi, Vec<Signal>> {
    const NAME: &str = "signals/shop";
    let site = site.clone();
    let first = lines.scope().index() == 0;
    let to_first = Exchange::new(|_: &Word| 0);
    let (_, saved) = resume::<Option<shop::Saved>>(&site, NAME);
    lines.unary_frontier::<CapacityContainerBuilder<Vec<Signal>>, _, _, _>(to_first, "ShopSignals", move |cap, _| {
        let mut cap = Some(cap);
        let plan = site.context.plan.clone();
        let slide = plan.signals.slide;
        let mut state = Shop::new(&plan, saved.into_iter().flatten().next().filter(|_| first));
        let mut stash = Stash::new();
        move |(input, frontier), output| {
            input.for_each(|_, data| data.drain(..).for_each(|word| stash.put(word.learned(), word)));
            let Some((open, hold)) = open(frontier).zip(cap.as_mut()) else {
                cap = None;
                return;
            };
            let mut said = vec![];
            while let Some(end) = stash.end(open, slide).into_iter().chain(state.busy()).min().filter(|end| *end < open) {
                let words = stash.take(open, end);
                state.close(end, last(&site.context, slide), words, &mut said);
            }
            output.session(&*hold).give_iterator(said.into_iter());
            deposit(&site, NAME, open, || first.then(|| state.save()));
            downgrade(hold, Bi::diagonal(open));
        }
    })
}

fn of_the_stock<'s>(
    questions: Stream<'s, Bi, Vec<Question>>,
    shares: Stream<'s, Bi, Vec<Share>>,
    site: &Site,
) -> Stream<'s, Bi, Vec<Signal>> {
    const NAME: &str = "signals/stock";
    let scope = questions.scope();
    let (me, peers, site) = (scope.index(), scope.peers(), site.clone());
    let to_all = Exchange::new(|share: &Share| u64::from(share.to));
    let (_, saved) = resume(&site, NAME);
    questions.binary_frontier::<_, CapacityContainerBuilder<Vec<Signal>>, _, _, _, _>(
        shares,
        Pipeline,
        to_all,
        "StockSignals",
        move |cap, _| {
            let mut cap = Some(cap);
            let plan = site.context.plan.clone();
            let slide = plan.signals.slide;
            let mut state = Forecasts::new(&plan);
            state.restore(saved, |product| {
                owns(categories::halves(crate::dictionary::identity(product.as_bytes())), peers) == me as u64
            });
            let (mut asked, mut sums) = (Stash::new(), Stash::new());
            move |(questions, question_frontier), (shares, share_frontier), output| {
                questions.for_each(|_, data| data.drain(..).for_each(|q| asked.put(q.s, q)));
                shares.for_each(|_, data| data.drain(..).for_each(|share| sums.put(share.s, share)));
                let open = [open(question_frontier), open(share_frontier)].into_iter().flatten().min();
                let Some((open, hold)) = open.zip(cap.as_mut()) else {
                    cap = None;
                    return;
                };
                let mut said = vec![];
                while let Some(end) = asked.end(open, slide).into_iter().chain(sums.end(open, slide)).min() {
                    let (questions, shares): (Vec<Question>, Vec<Share>) = (asked.take(open, end), sums.take(open, end));
                    state.close(end, &shares, &questions, &mut said);
                }
                output.session(&*hold).give_iterator(said.into_iter());
                deposit(&site, NAME, open, || state.save());
                downgrade(hold, Bi::diagonal(open));
            }
        },
    )
}

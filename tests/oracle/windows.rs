//! The `windows` table, from its definition: each row is the sum over the records that count in it.
//!
//! Nothing is carried from one window to the next, nor from one moment of learning to the next: every truth is computed
//! anew from the raw records, which is quadratic and meant to be.

use super::epochs::{Course, Ending, Fate, Taken};
use super::json;
use super::params::{Params, Span, up};
use super::record::{Op, Record};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// The columns of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    pub partial: bool,
    pub empty_before: i64,
    pub content: Content,
    pub growth: Option<i128>,
    pub gates_failed: Vec<&'static str>,
}

/// What the records of a window come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    pub sales: i64,
    pub units: i64,
    pub cents: i64,
    pub returned_units: i64,
    pub returned_cents: i64,
    pub biggest: Option<i64>,
    pub sellers: i64,
    pub categories: i64,
    pub products: i64,
    pub top_category: Option<(String, i64)>,
    pub top_seller: Option<(String, i64)>,
}

impl Content {
    /// No column says anything.
    pub fn is_empty(&self) -> bool {
        let numbers = [self.sales, self.units, self.cents, self.returned_units, self.returned_cents];
        let keys = [self.sellers, self.categories, self.products];
        let none = self.biggest.is_none() && self.top_category.is_none() && self.top_seller.is_none();
        none && numbers.iter().chain(&keys).all(|n| *n == 0)
    }
}

/// A row that left, or was taken back (`row` is `None`).
#[derive(Clone, Debug)]
pub struct Said {
    pub learned: i64,
    pub window: usize,
    pub end: i64,
    pub revision: i64,
    pub row: Option<Row>,
}

/// An accepted record in one window definition.
struct Placed<'a> {
    record: &'a Record,
    /// Its pane of the length of a slide.
    pane: i64,
    first: i64,
    last: i64,
    learned: i64,
}

/// One window definition over the records of a run.
pub struct Definition<'a> {
    pub params: &'a Params,
    pub window: usize,
    pub span: Span,
    pub ending: Ending,
    taken: &'a [Taken],
    placed: Vec<Placed<'a>>,
    /// The ends that may ever have a row: those in which a record counts, and the one after.
    ends: BTreeSet<i64>,
    /// The answers given so far by (end, number of records known): nothing else goes into them.
    contents: RefCell<BTreeMap<(i64, usize), Content>>,
    rows: RefCell<BTreeMap<(i64, usize), Option<Row>>>,
}

/// The key with the most net sales above 0; of equals the smaller name.
fn top(by_key: &BTreeMap<&String, i64>) -> Option<(String, i64)> {
    let mut best: Option<(String, i64)> = None;
    for (key, n) in by_key {
        if *n > best.as_ref().map_or(0, |b| b.1) {
            best = Some((key.to_string(), *n));
        }
    }
    best
}

/// How many keys have net sales above 0 in at least one pane.
fn active<K: Ord + Clone>(by_pane: &BTreeMap<(K, i64), i64>) -> i64 {
    by_pane.iter().filter(|(_, n)| **n > 0).map(|((k, _), _)| k.clone()).collect::<BTreeSet<K>>().len() as i64
}

impl<'a> Definition<'a> {
    pub fn new(params: &'a Params, course: &'a Course, window: usize) -> Definition<'a> {
        let span = params.span(window);
        let accepted = course.taken.iter().filter(|t| t.fate == Fate::Accepted);
        let placed = accepted.map(|t| {
            let record = t.record().expect("accepted records are valid");
            let p = params.pane(record.at);
            let (first, last) = span.ends(p, t.w);
            Placed { record, pane: up(p, span.slide), first, last, learned: span.learned(p, t.w) }
        });
        let placed: Vec<Placed> = placed.collect();
        let counts = placed.iter().filter(|p| p.first <= p.last);
        let ends = counts.flat_map(|p| (p.first..=p.last + span.slide).step_by(span.slide as usize)).collect();
        Definition {
            params,
            window,
            span,
            ending: course.ending,
            taken: &course.taken,
            placed,
            ends,
            contents: RefCell::default(),
            rows: RefCell::default(),
        }
    }

    fn known(&self, s: i64) -> usize {
        self.placed.iter().filter(|p| p.learned <= s).count()
    }

    /// What the window that ends at `end` holds, as known at `s`.
    pub fn content(&self, end: i64, s: i64) -> Content {
        let question = (end, self.known(s));
        if let Some(answer) = self.contents.borrow().get(&question) {
            return answer.clone();
        }
        let answer = self.sum(end, s);
        self.contents.borrow_mut().insert(question, answer.clone());
        answer
    }

    fn sum(&self, end: i64, s: i64) -> Content {
        let mut c = Content::default();
        let (mut sellers, mut categories, mut products) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (mut amounts, mut by_seller, mut by_category) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for p in self.placed.iter().filter(|p| p.learned <= s && p.first <= end && end <= p.last) {
            let (r, sign) = (p.record, p.record.sign());
            if r.op == Op::Return {
                c.returned_units += r.quantity;
                c.returned_cents += r.cents();
                continue;
            }
            c.sales += sign;
            c.units += sign * r.quantity;
            c.cents += sign * r.cents();
            *sellers.entry((&r.seller, p.pane)).or_default() += sign;
            *categories.entry((&r.category, p.pane)).or_default() += sign;
            *products.entry((&r.product, p.pane)).or_default() += sign;
            *amounts.entry((r.cents(), p.pane)).or_default() += sign;
            *by_seller.entry(&r.seller).or_default() += sign;
            *by_category.entry(&r.category).or_default() += sign;
        }
        (c.sellers, c.categories, c.products) = (active(&sellers), active(&categories), active(&products));
        c.biggest = amounts.iter().filter(|(_, n): &(_, &i64)| **n > 0).map(|((cents, _), _)| *cents).max();
        (c.top_category, c.top_seller) = (top(&by_category), top(&by_seller));
        c
    }

    /// The first event time of the run, as known at `s`.
    pub fn first_time(&self, s: i64) -> Option<i64> {
        self.placed.iter().filter(|p| p.learned <= s).map(|p| p.record.at).min()
    }

    /// Whether the window that ends at `end` lies wholly after the first event time.
    pub fn wholly_seen(&self, end: i64, s: i64) -> bool {
        self.first_time(s).is_some_and(|first| (end - self.span.size) * self.params.tick() >= first)
    }

    /// How far back the window of `growth_pct` lies.
    pub fn back(&self) -> i64 {
        if self.span.size <= 2 * self.span.slide { self.span.slide } else { self.span.size }
    }

    /// The gates that a window fails.
    pub fn gates_failed(&self, end: i64, content: &Content) -> Vec<&'static str> {
        let gates = &self.params.gates;
        let released = || self.taken.iter().filter(|t| end - self.span.size < t.w + 1 && t.w < end);
        let all = released().count() as i64;
        let rejected = released().filter(|t| t.fate == Fate::Rejected).count() as i64;
        let bad_time = released().filter(|t| t.future || t.fate == Fate::TooLate).count() as i64;
        let failed = [
            ("total_sales", content.sales < gates.sales),
            ("total_revenue", content.cents < gates.revenue),
            ("active_sellers", content.sellers < gates.sellers),
            ("schema", rejected * 1000 > gates.rejected * all),
            ("timestamp", bad_time * 1000 > gates.bad_time * all),
        ];
        failed.into_iter().filter(|f| f.1).map(|f| f.0).collect()
    }

    /// Whether an empty window at `end` is the first one after a window with content: that one is written.
    fn is_zero_row(&self, end: i64, s: i64) -> bool {
        end <= self.ending.whole && !self.content(end - self.span.slide, s).is_empty()
    }

    /// How many unwritten empty windows lie between `end` and the last one with content before it.
    fn empty_before(&self, end: i64, s: i64) -> i64 {
        let full = self.ends.range(..end).rev().find(|e| !self.content(**e, s).is_empty());
        let Some(full) = full else { return 0 };
        let first_empty = full + self.span.slide;
        let empty = (end - first_empty) / self.span.slide;
        if empty > 0 && self.is_zero_row(first_empty, s) { empty - 1 } else { empty }
    }

    /// The truth about the window that ends at `end`, as known at `s`.
    pub fn row(&self, end: i64, s: i64) -> Option<Row> {
        let question = (end, self.known(s));
        if let Some(answer) = self.rows.borrow().get(&question) {
            return answer.clone();
        }
        let answer = self.derive(end, s);
        self.rows.borrow_mut().insert(question, answer.clone());
        answer
    }

    fn derive(&self, end: i64, s: i64) -> Option<Row> {
        let content = self.content(end, s);
        if content.is_empty() && !self.is_zero_row(end, s) {
            return None;
        }
        let partial = end > self.ending.whole;
        let reference = self.content(end - self.back(), s).sales;
        let comparable = !partial && reference > 0 && self.wholly_seen(end - self.back(), s);
        Some(Row {
            partial,
            empty_before: self.empty_before(end, s),
            growth: comparable.then(|| growth(content.sales, reference)),
            gates_failed: self.gates_failed(end, &content),
            content,
        })
    }

    /// The moments at which something may be said, and what is looked at then: (`s`, ends). A window is looked at when it
    /// closes, and once more with all that may still change whenever a record is learned.
    pub fn moments(&self) -> Vec<(i64, Vec<i64>)> {
        let learned: BTreeSet<i64> = self.placed.iter().map(|p| p.learned).collect();
        let moments = self.ends.union(&learned).map(|s| {
            let from = if learned.contains(s) { self.span.oldest(*s) } else { *s };
            (*s, self.ends.range(from.min(*s)..=*s).copied().collect())
        });
        moments.collect()
    }

    /// All rows that leave.
    pub fn said(&self) -> Vec<Said> {
        let mut last: BTreeMap<i64, (i64, Option<Row>)> = BTreeMap::new();
        let mut out = vec![];
        for (s, ends) in self.moments() {
            for end in ends {
                let row = self.row(end, s);
                let before = last.get(&end);
                if before.is_none_or(|b| b.1 != row) && (before.is_some() || row.is_some()) {
                    let revision = before.map_or(0, |b| b.0 + 1);
                    last.insert(end, (revision, row.clone()));
                    out.push(Said { learned: s, window: self.window, end, revision, row });
                }
            }
        }
        out
    }
}

/// Growth in millionths of a per cent.
pub fn growth(x: i64, reference: i64) -> i128 {
    json::round_half_even(i128::from(x - reference) * 100_000_000, i128::from(reference))
}

/// The whole table.
pub fn table(params: &Params, course: &Course) -> Vec<Said> {
    let mut rows: Vec<Said> = (0..params.windows.len()).flat_map(|w| Definition::new(params, course, w).said()).collect();
    rows.sort_by_key(|r| (r.learned, r.window, r.end));
    rows
}

/// A row as its line.
pub fn line(params: &Params, said: &Said) -> String {
    let size = params.span(said.window).size;
    let at = |tick: i64| json::string(&json::time(tick * params.tick()));
    let mut fields = vec![
        ("window", json::string(&params.windows[said.window].name)),
        ("window_start", at(said.end - size)),
        ("window_end", at(said.end)),
        ("revision", said.revision.to_string()),
    ];
    let Some(row) = &said.row else {
        fields.push(("deleted", "true".into()));
        return json::object(&fields);
    };
    let (c, cents) = (&row.content, |n: i64| json::money(i128::from(n)));
    let name = |top: &Option<(String, i64)>| json::or_null(top.as_ref(), |t| json::string(&t.0));
    let sales = |top: &Option<(String, i64)>| top.as_ref().map_or(0, |t| t.1).to_string();
    let ticket = (c.sales != 0).then(|| json::round_half_even(i128::from(c.cents), i128::from(c.sales)));
    fields.extend([
        ("partial", row.partial.to_string()),
        ("empty_before", row.empty_before.to_string()),
        ("total_sales", c.sales.to_string()),
        ("total_units", c.units.to_string()),
        ("total_revenue", cents(c.cents)),
        ("returned_units", c.returned_units.to_string()),
        ("returned_revenue", cents(c.returned_cents)),
        ("avg_ticket", json::or_null(ticket, json::money)),
        ("biggest_sale", json::or_null(c.biggest, cents)),
        ("active_sellers", c.sellers.to_string()),
        ("active_categories", c.categories.to_string()),
        ("active_products", c.products.to_string()),
        ("top_category", name(&c.top_category)),
        ("top_category_sales", sales(&c.top_category)),
        ("top_seller", name(&c.top_seller)),
        ("top_seller_sales", sales(&c.top_seller)),
        ("growth_pct", json::or_null(row.growth, json::fraction)),
        ("gates_failed", json::list(&row.gates_failed)),
    ]);
    json::object(&fields)
}

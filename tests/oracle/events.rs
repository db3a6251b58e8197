//! The `events` table: every window that may have changed is judged anew at each learned tick, and what is said compares
//! the judgement with the one before.
//!
//! A line carries of the lineage only what follows from the input: the watermark and the rule.

use super::cooldown::{Cooldown, Decision};
use super::epochs::Course;
use super::json::{self, round_half_even};
use super::params::{Params, Reference};
use super::windows::{Content, Definition, Row};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The rules, in the order in which a window is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Spike,
    Drop,
    Surge,
}

impl Kind {
    const ALL: [Kind; 3] = [Kind::Spike, Kind::Drop, Kind::Surge];

    fn name(self) -> &'static str {
        ["activity_spike", "activity_drop", "revenue_surge"][self as usize]
    }

    fn title(self) -> &'static str {
        ["Activity spike", "Activity drop", "Revenue surge"][self as usize]
    }
}

/// What can be said of a window by one rule.
#[derive(Clone, Debug)]
struct Judgement {
    holds: bool,
    /// Of the window and, summed over the references, of what it is compared with: `None` when it cannot be compared.
    now: Content,
    before: Option<Sum>,
}

/// Sums over the reference windows.
#[derive(Clone, Copy, Debug)]
struct Sum {
    n: i128,
    sales: i128,
    cents: i128,
}

/// What was said of one (type, end), as long as it may change.
#[derive(Clone, Debug, Default)]
struct Told {
    held: bool,
    /// Sent at least once; if not, its first detection was suppressed.
    sent: bool,
    revision: i64,
    retractions: i64,
    severity: usize,
    suppressed: i64,
    quiet: i64,
}

const SEVERITIES: [&str; 3] = ["info", "warning", "critical"];

/// The events on one window definition.
struct Rules<'a> {
    definition: Definition<'a>,
    params: &'a Params,
    moments: BTreeMap<i64, Vec<i64>>,
    told: BTreeMap<(i64, Kind), Told>,
}

impl Rules<'_> {
    fn slide_or_size(&self) -> &'static str {
        if self.definition.back() == self.definition.span.slide { "slide" } else { "size" }
    }

    /// The ends of the reference windows.
    fn references(&self, end: i64) -> Vec<i64> {
        match self.params.events.reference {
            Reference::Auto => vec![end - self.definition.back()],
            Reference::Mean(n) => (1..=n).map(|k| end - k * self.definition.span.size).collect(),
        }
    }

    fn rule(&self, kind: Kind) -> String {
        let reference = match self.params.events.reference {
            Reference::Auto => self.slide_or_size().to_string(),
            Reference::Mean(n) => format!("mean-{n}"),
        };
        let column = if kind == Kind::Surge { "total_revenue" } else { "total_sales" };
        format!("growth/{column}/{reference}")
    }

    fn threshold(&self, kind: Kind) -> i128 {
        let events = &self.params.events;
        i128::from([events.spike, events.drop, events.revenue][kind as usize]) * 1000
    }

    /// The window that ends at `end` by one rule, as known at `s`.
    fn judge(&self, kind: Kind, end: i64, s: i64) -> Judgement {
        let row: Option<Row> = self.definition.row(end, s);
        let references = self.references(end);
        let comparable = references.iter().all(|e| self.definition.wholly_seen(*e, s));
        let contents: Vec<Content> = references.iter().map(|e| self.definition.content(*e, s)).collect();
        let sum = Sum {
            n: references.len() as i128,
            sales: contents.iter().map(|c| i128::from(c.sales)).sum(),
            cents: contents.iter().map(|c| i128::from(c.cents)).sum(),
        };
        let Some(row) = row.filter(|r| !r.partial) else {
            return Judgement { holds: false, now: Content::default(), before: None };
        };
        let compared = if kind == Kind::Surge { sum.cents } else { sum.sales };
        let mut judgement = Judgement { holds: false, now: row.content, before: None };
        if !comparable || compared <= 0 {
            return judgement;
        }
        judgement.before = Some(sum);
        let (grown, of) = growth(kind, &judgement.now, &sum);
        let enough = if kind == Kind::Drop { -grown } else { grown } * 100_000_000 >= self.threshold(kind) * of;
        let gates_pass = match kind {
            Kind::Drop => references.iter().zip(&contents).all(|(e, c)| self.definition.gates_failed(*e, c).is_empty()),
            _ => row.gates_failed.is_empty(),
        };
        judgement.holds = enough && gates_pass;
        judgement
    }

    /// How many times the threshold, in millionths.
    fn score(&self, kind: Kind, j: &Judgement) -> i128 {
        let Some(sum) = &j.before else { return 0 };
        let (grown, of) = growth(kind, &j.now, sum);
        let grown = if kind == Kind::Drop { -grown } else { grown };
        round_half_even(grown * 100_000_000 * 1_000_000, of * self.threshold(kind))
    }

    fn severity(&self, kind: Kind, j: &Judgement) -> usize {
        let score = self.score(kind, j);
        if score >= 2_000_000 || (kind == Kind::Drop && j.now.sales <= 0) { 2 } else { usize::from(score >= 1_500_000) }
    }

    fn window(&self) -> &str {
        &self.params.windows[self.definition.window].name
    }

    fn id(&self, kind: Kind, end: i64, suffix: &str) -> String {
        let end = json::time(end * self.params.tick());
        let rule = format!("{}{suffix}", self.rule(kind));
        let hash = Sha256::digest(json::list(&[kind.name(), "global", "all", self.window(), &end, &rule]));
        hash[..16].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// How the growth stands in the message, behind the title.
    fn against(&self, kind: Kind, j: &Judgement) -> Option<String> {
        let (grown, of) = growth(kind, &j.now, j.before.as_ref()?);
        let tenths = round_half_even(grown * 1000, of);
        let words = match self.params.events.reference {
            Reference::Mean(n) => format!("the mean of {n} windows before"),
            Reference::Auto if self.slide_or_size() == "slide" => "the window before".into(),
            Reference::Auto => "the window one size before".into(),
        };
        let sign = if tenths < 0 { "" } else { "+" };
        Some(format!("{sign}{} % against {words}", people(tenths, 1)))
    }

    /// One line; `retracts` says whether it takes the event back.
    fn line(&self, kind: Kind, (end, s): (i64, i64), j: &Judgement, told: &Told, retracts: bool) -> String {
        let at = |tick: i64| json::string(&json::time(tick * self.params.tick()));
        let growth = j.before.as_ref().map(|sum| growth(kind, &j.now, sum));
        let (value, expected) = match kind {
            Kind::Surge => {
                (json::money(i128::from(j.now.cents)), j.before.map(|sum| json::money(round_half_even(sum.cents, sum.n))))
            }
            _ => (j.now.sales.to_string(), j.before.map(|sum| json::fraction(round_half_even(sum.sales * 1_000_000, sum.n)))),
        };
        let against = self.against(kind, j);
        let noun = if j.now.sales == 1 { "sale" } else { "sales" };
        let what = format!("{} {noun}, {}", people(j.now.sales.into(), 0), people(j.now.cents.into(), 2));
        let message = match (retracts, against) {
            (false, against) => format!("{}, {}, {what}", kind.title(), against.expect("what is sent can be compared")),
            (true, Some(a)) => format!("{} retracted after a correction: {a}, {what}", kind.title()),
            (true, None) => format!("{} retracted after a correction: {what}", kind.title()),
        };
        let id = self.id(kind, end, "");
        let retraction = self.id(kind, end, "/retraction");
        json::object(&[
            ("event_id", json::string(if retracts { &retraction } else { &id })),
            ("type", json::string(kind.name())),
            ("level", json::string("global")),
            ("key", json::string("all")),
            ("severity", json::string(SEVERITIES[told.severity])),
            ("window", json::string(self.window())),
            ("window_start", at(end - self.definition.span.size)),
            ("window_end", at(end)),
            ("revision", if retracts { told.retractions } else { told.revision }.to_string()),
            ("value", value),
            ("expected", expected.unwrap_or("null".into())),
            ("score", json::fraction(self.score(kind, j))),
            ("growth_pct", json::or_null(growth, |(g, of)| json::fraction(round_half_even(g * 100_000_000, of)))),
            ("message", json::string(&message)),
            ("insights", json::list(&if retracts { vec![] } else { insights(kind, j) })),
            ("suppressed_since_last", if retracts { 0 } else { told.suppressed }.to_string()),
            ("cooldown_s", if retracts { "null".into() } else { seconds(told.quiet) }),
            ("retracts", if retracts { json::string(&id) } else { "null".into() }),
            ("lineage", json::object(&[("watermark", at(s)), ("rule", json::string(&self.rule(kind)))])),
        ])
    }

    /// What leaves at `s` for the window that ends at `end`.
    fn say(&mut self, kind: Kind, end: i64, s: i64, cooldown: &mut Cooldown) -> Option<String> {
        let j = self.judge(kind, end, s);
        let Some(mut told) = self.told.get(&(end, kind)).cloned() else {
            if !j.holds {
                return None;
            }
            let decision = cooldown.detect(&self.params.cooldown, kind.name(), end * self.params.tick());
            let mut told = Told { held: true, severity: self.severity(kind, &j), ..Told::default() };
            if let Decision::Sent { suppressed, quiet } = decision {
                told = Told { sent: true, suppressed, quiet, ..told };
            }
            self.told.insert((end, kind), told.clone());
            return told.sent.then(|| self.line(kind, (end, s), &j, &told, false));
        };
        let was = std::mem::replace(&mut told.held, j.holds);
        let mut line = None;
        match (was, j.holds) {
            _ if !told.sent => (),
            (true, true) if self.severity(kind, &j) > told.severity => {
                told.severity = self.severity(kind, &j);
                told.revision += 1;
                line = Some(self.line(kind, (end, s), &j, &told, false));
            }
            (true, false) => {
                line = Some(self.line(kind, (end, s), &j, &told, true));
                told.retractions += 1;
            }
            (false, true) => {
                told.severity = self.severity(kind, &j);
                told.revision += 1;
                line = Some(self.line(kind, (end, s), &j, &told, false));
            }
            _ => (),
        }
        self.told.insert((end, kind), told);
        line
    }
}

/// `N v - R` and `R` of one rule: growth is their quotient.
fn growth(kind: Kind, now: &Content, sum: &Sum) -> (i128, i128) {
    let (v, r) = match kind {
        Kind::Surge => (now.cents, sum.cents),
        _ => (now.sales, sum.sales),
    };
    (sum.n * i128::from(v) - r, r)
}

/// A number for people: its last `digits` digits behind the point, thousands apart, e.g. `2,847.50`.
fn people(n: i128, digits: usize) -> String {
    let plain = format!("{:0width$}", n.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = plain.split_at(plain.len() - digits);
    let mut out = String::from(if n < 0 { "-" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if digits > 0 { format!("{out}.{fraction}") } else { out }
}

/// Milliseconds as seconds.
fn seconds(ms: i64) -> String {
    if ms % 1000 == 0 { (ms / 1000).to_string() } else { format!("{}.{:03}", ms / 1000, ms % 1000) }
}

/// One decimal of a quotient.
fn tenth(num: i128, den: i128) -> String {
    people(round_half_even(num * 10, den), 1)
}

/// What else strikes about a window that raises an event.
fn insights(kind: Kind, j: &Judgement) -> Vec<String> {
    let (mut out, c, sum) = (vec![], &j.now, j.before.expect("what is sent can be compared"));
    let (grown, of) = growth(kind, c, &sum);
    let v = i128::from(if kind == Kind::Surge { c.cents } else { c.sales });
    match kind {
        Kind::Drop if v <= 0 => out.push("standstill: no sales".into()),
        Kind::Drop if -grown * 4 >= of * 3 => {
            out.push(format!("sharp fall: {} % of the reference is left", tenth(100 * sum.n * v, of)));
        }
        Kind::Drop => (),
        _ if grown >= 2 * of => out.push(format!("explosive growth: {} times the reference", tenth(sum.n * v, of))),
        _ if grown >= of => out.push(format!("strong growth: {} times the reference", tenth(sum.n * v, of))),
        _ => (),
    }
    let share = |n: i64| tenth(100 * i128::from(n), i128::from(c.sales));
    if let Some((seller, n)) = &c.top_seller
        && c.sales > 0
        && 2 * n >= c.sales
    {
        out.push(format!("concentrated on one seller: {seller} made {} % of the sales", share(*n)));
    }
    if let Some((category, n)) = &c.top_category
        && c.sales > 0
    {
        out.push(format!("leading category: {category} with {} % of the sales", share(*n)));
    }
    if c.sales > 0 && sum.sales > 0 && sum.cents > 0 {
        let (mine, theirs) = (i128::from(c.cents) * sum.sales, sum.cents * i128::from(c.sales));
        let ticket = |cents: i128, n: i128| people(round_half_even(cents, n), 2);
        let against = format!("{} against {}", ticket(c.cents.into(), c.sales.into()), ticket(sum.cents, sum.sales));
        if 4 * mine >= 5 * theirs {
            out.push(format!("high average ticket: {against}"));
        } else if 4 * mine <= 3 * theirs {
            out.push(format!("low average ticket: {against}"));
        }
    }
    out
}

/// The whole table.
pub fn table(params: &Params, course: &Course) -> Vec<String> {
    let mut rules: Vec<Rules> = (0..params.windows.len())
        .map(|w| {
            let definition = Definition::new(params, course, w);
            let moments = definition.moments().into_iter().collect();
            Rules { definition, params, moments, told: BTreeMap::new() }
        })
        .collect();
    let moments: std::collections::BTreeSet<i64> = rules.iter().flat_map(|r| r.moments.keys().copied()).collect();
    let (mut cooldown, mut lines) = (Cooldown::default(), vec![]);
    for s in moments {
        for rules in &mut rules {
            for end in rules.moments.get(&s).cloned().unwrap_or_default() {
                lines.extend(Kind::ALL.iter().filter_map(|kind| rules.say(*kind, end, s, &mut cooldown)));
            }
        }
    }
    lines
}

#[test]
fn numbers_for_people() {
    assert_eq!(people(284_750, 2), "2,847.50");
    assert_eq!(people(-123_456_705, 2), "-1,234,567.05");
    assert_eq!(
        (people(473, 1), people(10_000, 1), people(999, 0), people(-1_000, 0)),
        ("47.3".into(), "1,000.0".into(), "999".into(), "-1,000".into())
    );
}

//! The feature tables, from their definition: at every `as_of` the aggregates of a key over its horizon are summed anew
//! from the raw records, and compared with those one slide earlier.

use super::epochs::{Course, Fate};
use super::json;
use super::params::{HOUR, MINUTE, Params, Span};
use super::record::{Op, Record};
use std::collections::{BTreeMap, BTreeSet};

/// The two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Seller,
    Category,
}

/// A row that left: its columns as text, or `None` when it was taken back.
#[derive(Clone, Debug)]
pub struct Said {
    pub learned: i64,
    pub as_of: i64,
    pub key: String,
    pub revision: i64,
    pub columns: Option<Vec<(&'static str, String)>>,
}

/// An accepted sale or cancellation.
struct Placed<'a> {
    record: &'a Record,
    pane: i64,
    first: i64,
    last: i64,
    learned: i64,
}

/// The integers that decide whether a key has a row, and from which its columns are derived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sums {
    n: i64,
    units: i64,
    cents: i64,
    orders: i64,
    ln: i64,
    ln2: i128,
    /// Sale lines in the 30 whole minutes, and the sums over their cents x_m: x, m x, x^2.
    lines: i64,
    s: [i128; 3],
    /// The cents of the 30 whole minutes, oldest first. Not compared: they move as time passes.
    minutes: Minutes,
}

#[derive(Clone, Debug, Default)]
struct Minutes(Vec<i64>);

impl PartialEq for Minutes {
    fn eq(&self, _: &Minutes) -> bool {
        true
    }
}

impl Eq for Minutes {}

/// ln of a price in currency units, in units of 2^-20.
fn ln_fixed(price: i64) -> i64 {
    libm::rint(libm::log(price as f64 / 100.0) * 1_048_576.0) as i64
}

/// One key of one table over the records of a run.
struct History<'a> {
    params: &'a Params,
    kind: Kind,
    span: Span,
    placed: Vec<Placed<'a>>,
}

impl<'a> History<'a> {
    /// The sums at `as_of`, as known at `s`.
    fn sums(&self, as_of: i64, s: i64) -> Sums {
        let mut sums = Sums::default();
        let known = || self.placed.iter().filter(|p| p.learned <= s && p.first <= as_of);
        // (customer, minute, pane) -> net sales
        let mut baskets: BTreeMap<(&str, i64, i64), i64> = BTreeMap::new();
        for p in known().filter(|p| as_of <= p.last) {
            let (r, sign) = (p.record, p.record.sign());
            sums.n += sign;
            sums.units += sign * r.quantity;
            sums.cents += sign * r.cents();
            match (&r.customer, self.kind) {
                (_, Kind::Category) => {
                    sums.ln += sign * ln_fixed(r.price);
                    sums.ln2 += i128::from(sign) * i128::from(ln_fixed(r.price)).pow(2);
                }
                (Some(customer), _) => *baskets.entry((customer, r.at.div_euclid(MINUTE), p.pane)).or_default() += sign,
                (None, _) => sums.orders += sign,
            }
        }
        let kept: BTreeSet<(&str, i64)> = baskets.iter().filter(|b| *b.1 > 0).map(|b| (b.0.0, b.0.1)).collect();
        sums.orders += kept.len() as i64;
        if self.kind == Kind::Category {
            let now = (as_of * self.params.tick()).div_euclid(MINUTE);
            for m in now - 30..now {
                let of_minute = || known().filter(|p| p.record.at.div_euclid(MINUTE) == m);
                let x = of_minute().map(|p| p.record.sign() * p.record.cents()).sum::<i64>();
                let wide = i128::from(x);
                sums.lines += of_minute().map(|p| p.record.sign()).sum::<i64>();
                sums.s = [sums.s[0] + wide, sums.s[1] + i128::from(m) * wide, sums.s[2] + wide * wide];
                sums.minutes.0.push(x);
            }
        }
        sums
    }

    /// The columns of the row at `as_of`, as known at `s`; none when nothing changed at `as_of`.
    fn row(&self, as_of: i64, s: i64) -> Option<Vec<(&'static str, String)>> {
        let now = self.sums(as_of, s);
        let changed = now != self.sums(as_of - self.span.slide, s);
        changed.then(|| match self.kind {
            Kind::Seller => seller_columns(&now),
            Kind::Category => category_columns(&now),
        })
    }

    /// Each `as_of` at which the sums may change. A sale stays in the whole minutes of the trend a little longer than in
    /// the horizon.
    fn as_ofs(&self, newest: i64) -> BTreeSet<i64> {
        let minute = self.params.ticks(MINUTE);
        let mut all = BTreeSet::new();
        for p in &self.placed {
            let mut as_of = p.first;
            while as_of <= newest.min(p.last + self.span.slide + 2 * minute) {
                all.insert(as_of);
                as_of += self.span.slide;
            }
        }
        all
    }

    /// All rows that leave.
    fn said(&self, key: &str, newest: i64) -> Vec<Said> {
        let as_ofs = self.as_ofs(newest);
        let learned: BTreeSet<i64> = self.placed.iter().map(|p| p.learned).collect();
        let (mut last, mut out) = (BTreeMap::new(), vec![]);
        for s in as_ofs.union(&learned).copied() {
            let from = if learned.contains(&s) { self.span.oldest(s) } else { s };
            for as_of in as_ofs.range(from..=s).copied() {
                let columns = self.row(as_of, s);
                let before: Option<&(i64, Option<_>)> = last.get(&as_of);
                if before.is_none_or(|b| b.1 != columns) && (before.is_some() || columns.is_some()) {
                    let revision = before.map_or(0, |b| b.0 + 1);
                    last.insert(as_of, (revision, columns.clone()));
                    out.push(Said { learned: s, as_of, key: key.into(), revision, columns });
                }
            }
        }
        out
    }
}

fn seller_columns(sums: &Sums) -> Vec<(&'static str, String)> {
    vec![
        ("seller_volume_last_1h", sums.units.to_string()),
        ("seller_revenue_last_1h", json::money(i128::from(sums.cents))),
        ("seller_orders_last_1h", sums.orders.to_string()),
        ("n_support", sums.n.to_string()),
    ]
}

fn category_columns(sums: &Sums) -> Vec<(&'static str, String)> {
    let (n, ln) = (i128::from(sums.n), i128::from(sums.ln));
    let mean = (n > 0).then(|| json::fraction(json::round_half_even(ln * 1_000_000, n << 20)));
    let deviation = (n > 0).then(|| {
        let squares = (n * sums.ln2 - ln * ln).max(0);
        if n == 1 { 0.0 } else { libm::sqrt(squares as f64 / (n * (n - 1)) as f64) / 1_048_576.0 }
    });
    let (trend, error) = if sums.lines < 10 { (0, 0.0) } else { trend(&sums.minutes.0) };
    vec![
        ("category_trend_30min", json::fraction(trend)),
        ("category_trend_30min_se", json::float(error)),
        ("category_revenue_30min", json::money(i128::from(sums.cents))),
        ("category_volume_30min", sums.units.to_string()),
        ("price_mean_ln", mean.unwrap_or("null".into())),
        ("price_sd_ln", json::or_null(deviation, json::float)),
        ("n", sums.n.to_string()),
        ("n_support", sums.n.to_string()),
    ]
}

/// The slope of the least-squares line through 30 minutes of cents, times 30, relative to their mean (at least 10 cents):
/// in millionths; and its standard error.
///
/// With i - 14.5 = (2 i - 29) / 2 and the sum of its squares 2247.5, the slope is b = sum((2 i - 29) x_i) / 4495 cents a
/// minute: the formula of the definition, (12 sum(i x) - 174 sum(x)) / 26970, is 6 times both.
/// The residual of minute i is x_i - mean - b (2 i - 29) / 2, or over the common denominator 26970:
/// (26970 x_i - 899 sum(x) - 3 (2 i - 29) slope) / 26970, where slope = sum((2 i - 29) x_i).
fn trend(cents: &[i64]) -> (i128, f64) {
    let x = || (0..30_i128).zip(cents.iter().map(|x| i128::from(*x)));
    let sum: i128 = x().map(|(_, x)| x).sum();
    let slope: i128 = x().map(|(i, x)| (2 * i - 29) * x).sum();
    let thirty_means = sum.max(300);
    // b * 30 / (thirty_means / 30) = slope / 4495 * 900 / thirty_means
    let relative = json::round_half_even(slope * 900 * 1_000_000, 4_495 * thirty_means);
    let residuals = x().map(|(i, x)| 26_970 * x - 899 * sum - 3 * (2 * i - 29) * slope);
    let squares: i128 = residuals.map(|r| r * r).sum();
    let variance_of_b = squares as f64 / (26_970.0 * 26_970.0) / 28.0 / 2_247.5;
    (relative.clamp(-5_000_000, 5_000_000), libm::sqrt(variance_of_b) * 900.0 / thirty_means as f64)
}

/// The whole table.
pub fn table(params: &Params, course: &Course, kind: Kind) -> Vec<Said> {
    let span = params.feature(if kind == Kind::Seller { HOUR } else { HOUR / 2 });
    let newest = super::params::up(course.ending.last, span.slide);
    let mut by_key: BTreeMap<&str, Vec<Placed>> = BTreeMap::new();
    for t in course.taken.iter().filter(|t| t.fate == Fate::Accepted) {
        let record = t.record().expect("accepted records are valid");
        if record.op != Op::Return {
            let p = params.pane(record.at);
            let ((first, last), learned) = (span.ends(p, t.w), span.learned(p, t.w));
            let key = if kind == Kind::Seller { &record.seller } else { &record.category };
            let pane = super::params::up(p, span.slide);
            by_key.entry(key).or_default().push(Placed { record, pane, first, last, learned });
        }
    }
    let keys = by_key.into_iter();
    let mut rows: Vec<Said> = keys.flat_map(|(key, placed)| History { params, kind, span, placed }.said(key, newest)).collect();
    rows.sort_by(|a, b| (a.learned, a.as_of, &a.key).cmp(&(b.learned, b.as_of, &b.key)));
    rows
}

/// A row as its line.
pub fn line(params: &Params, said: &Said) -> String {
    let mut fields = vec![
        ("key", json::string(&said.key)),
        ("as_of", json::string(&json::time(said.as_of * params.tick()))),
        ("revision", said.revision.to_string()),
    ];
    match &said.columns {
        Some(columns) => fields.extend(columns.iter().cloned()),
        None => fields.push(("deleted", "true".into())),
    }
    json::object(&fields)
}

//! `large_order`: one line whose amount is out of all proportion for its category. It is worth a call, and it is no surge.
//!
//! How great an amount must be follows from the category's own greatest ones ([`amounts`](super::amounts)): it is the one that their
//! tail makes one expect once a year. A multiple of the standard deviation cannot say that. Amounts have a heavier tail than a
//! log-normal law, and not in proportion to the deviation of the many small ones: 8 deviations were passed once in forty days by
//! the ordinary lines of one category and once in four by those of another, while an order of a thousand times the usual one was 7
//! deviations in a third. Besides, the line has at least [`FACTOR`] times the amount of the mean of the last 24 h (the
//! [baseline](super::ticket) of the ticket, from 100 lines on), and lies half as many deviations above it as the setting says.
//! Until the tail is known, the setting alone decides. The greatest line of a pane speaks for all of them.
//!
//! Unit: standard deviations of ln x. Cold start: quiet, then the setting. Lines that may matter are kept one by one for as long as
//! their pane can change.

use super::signal::Found;
use super::ticket::Base;
use crate::plan::detect::SLIDE;
use crate::row::event::{Direction, Figure, Severity};
use crate::row::round::{div_half_even, growth, narrow};
use serde::{Deserialize, Serialize};

/// A large order is at least so many times a usual one: where all prices are the same, little is many deviations.
pub const FACTOR: i64 = 10;

/// ln of [`FACTOR`], in 1e-4.
const FACTOR_LN: i64 = 23_026;

/// From where on a line is a large order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// So many standard deviations above the mean, in millionths.
    pub deviations: i64,
    /// It follows from the category's own greatest amounts, and not from a setting.
    pub own: bool,
}

impl Limit {
    /// From the setting, in millionths of a deviation, and what the category's amounts reach once a year (ln in 1e-4).
    pub fn new(base: &Base, setting: i64, yearly: Option<i64>) -> Limit {
        match yearly {
            Some(ln) => {
                let own = div_half_even(i128::from(ln - base.mean) * 1_000_000, base.sd.into());
                Limit { deviations: narrow(own).max(setting / 2), own: true }
            }
            None => Limit { deviations: setting, own: false },
        }
    }
}

/// Lines of one pane that may be large orders: cents, ln, net lines; exact under cancellation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whales(Vec<(i64, i32, i64)>);

impl Whales {
    /// Notes `n` lines of an amount, if it lies at half of the limit or above.
    pub fn line(&mut self, base: &Base, cents: i64, ln: i32, n: i64, limit: Limit) {
        let above = base.above(ln);
        if above < FACTOR_LN || above.saturating_mul(2_000_000) < base.sd.saturating_mul(limit.deviations) {
            return;
        }
        match self.0.iter_mut().find(|w| w.0 == cents) {
            Some(known) => known.2 += n,
            None => self.0.push((cents, ln, n)),
        }
    }

    /// The greatest line, and how many there are.
    pub fn greatest(&self) -> Option<(i64, i32, i64)> {
        let live = self.0.iter().filter(|w| w.2 > 0);
        let all = live.clone().map(|w| w.2).sum();
        live.max_by_key(|w| w.0).map(|w| (w.0, w.1, all))
    }
}

/// What is said of the greatest line of a pane.
pub fn found(whales: &Whales, base: &Base, start: u32, limit: Limit) -> Option<Found> {
    let (cents, ln, lines) = whales.greatest()?;
    let score = narrow(div_half_even(i128::from(base.above(ln)) * 1_000_000, base.sd.into()));
    let usual = libm::rint(libm::exp(base.mean as f64 / 1e4) * 100.0) as i64;
    let times = libm::exp(base.above(ln) as f64 / 1e4);
    let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
    let others = if lines > 1 { vec![format!("{} more such lines in the same {} s", lines - 1, SLIDE / 1_000)] } else { vec![] };
    let whose = if limit.own && score >= limit.deviations {
        vec!["the greatest amounts of the category make one expect such a line less than once a year".to_string()]
    } else {
        vec![]
    };
    Some(Found {
        direction: Direction::Up,
        start,
        score,
        threshold: limit.deviations,
        step: limit.deviations / 2,
        severity: Severity::Warning,
        value: Figure::Cents(cents),
        expected: Some(Figure::Cents(usual)),
        growth_pct: growth(cents, usual),
        rule: "amount/line".into(),
        message: format!("Large order: a line of {}, {times:.0} times a usual one of {}", money(cents), money(usual)),
        insights: [
            vec![
                format!("{:.1} standard deviations above the mean log amount of {} lines in 24 h", score as f64 / 1e6, base.n),
                "one line: the other tickets are judged without it".to_string(),
            ],
            whose,
            others,
        ]
        .concat(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: Limit = Limit { deviations: 6_000_000, own: false };
    const BASE: Base = Base { mean: 46_052, sd: 8_000, n: 1_000 }; // 100.00, 0.8

    #[test]
    fn the_greatest_line_speaks() {
        let mut whales = Whales::default();
        let (threshold, line) = (SIX, |cents: i64| (cents, crate::feature::price::ln4_cents(cents)));
        let mut put = |cents: i64, n: i64| {
            let (cents, ln) = line(cents);
            whales.line(&BASE, cents, ln, n, threshold);
        };
        put(50_000, 1); // 500.00: ln 5 = 1.6, below the factor
        put(130_000_000, 1); // ln 13000 = 9.47, 11.8 deviations
        put(2_000_000, 2); // ln 200 = 5.30, 6.6 deviations
        assert_eq!(whales.greatest().map(|w| (w.0, w.2)), Some((130_000_000, 3)));
        let (cents, ln) = line(130_000_000);
        whales.line(&BASE, cents, ln, -1, threshold);
        let found = found(&whales, &BASE, 7, threshold).unwrap();
        assert_eq!((found.value, found.expected), (Figure::Cents(2_000_000), Some(Figure::Cents(10_000))));
        assert_eq!((found.score, found.holds()), (6_622_875, true)); // (98_035 - 46_052 + ...) / 8_000
        let (cents, ln) = line(2_000_000);
        whales.line(&BASE, cents, ln, -2, threshold);
        assert!(super::found(&whales, &BASE, 7, threshold).is_none());
    }

    #[test]
    fn where_all_amounts_are_the_same_little_is_not_much() {
        let base = Base { sd: 1_000, ..BASE };
        let mut whales = Whales::default();
        // 9 times: 22 deviations of 0.10
        whales.line(&base, 90_000, crate::feature::price::ln4_cents(90_000), 1, SIX);
        assert_eq!(whales.greatest(), None);
        assert_eq!(FACTOR_LN, i64::from(crate::feature::price::ln4_cents(100 * FACTOR)));
    }
    #[test]
    fn the_limit_is_that_of_the_category_where_it_is_known() {
        // e^8.6 times 1.00 is 5 deviations above the mean of ln x, 4.6052
        assert_eq!(Limit::new(&BASE, 8_000_000, Some(86_052)), Limit { deviations: 5_000_000, own: true });
        assert_eq!(Limit::new(&BASE, 8_000_000, Some(48_000)), Limit { deviations: 4_000_000, own: true });
        assert_eq!(Limit::new(&BASE, 8_000_000, None), Limit { deviations: 8_000_000, own: false });
    }
}

//! What amount the lines of a category reach once a year: the tail of its amounts, beyond what was ever seen.
//!
//! The greatest amounts of a shop follow a power law, so the logarithm of an amount lies above a high level `u` by an exponential
//! variable, and the lines a day beyond x are `lambda exp(-alpha (ln x - u))`. `u` is the least level with at most
//! max(50, n / 20,000) of the n lines above it, `lambda` the lines a day above it, and `alpha` the estimate of Hill, for amounts in
//! bins of 0.05 and with the greatest quarter of the lines censored: a few whales among the greatest lines must not teach that
//! whales are usual. Of the estimate the lower limit of 95 % confidence is taken, `1 - 1.645 / sqrt(lines)` of it: the body of the
//! amounts still reaches into the tail and makes it look lighter than it is farther out, and a tail that is taken too light calls
//! every few days. Where all amounts are moderate, an exponential beyond `u` is too heavy, and calls too seldom.
//! One line a year and category is an eighth of a false alarm a day for 45 categories.
//!
//! Unit: ln of an amount, in 1e-4. Window: the last 14 closed days, UTC. Cold start: unknown before 3 of them with 2,000 lines together.
//! Renewed once a day, behind all that may come late, so that a decision depends neither on the hour nor on the order of arrival.
//! State: 400 counts a day, 24 KB a category.
//! Counts are exact under cancellation. Source: Hill 1975; censored from above, for it is a maximum likelihood estimate.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Width of a bin: 0.05, in 1e-4.
const BIN: i32 = 500;

/// Bins, from an amount of 1.00 (and less) to one of 450 million (and more).
const BINS: usize = 400;

/// Closed days that count.
const DAYS: u32 = 14;

/// Fewer of them say nothing.
const DAYS_LEAST: usize = 3;

/// Fewer lines in them say nothing.
const LINES_LEAST: i64 = 2_000;

/// At least so many lines make the tail.
const TAIL_LEAST: i64 = 50;

/// Of a great number of lines, one in so many is in the tail.
const TAIL_SHARE: i64 = 20_000;

/// The quantile of a normal law for a one-sided limit of 95 %.
const CONFIDENCE: f64 = 1.645;

/// Days after which a line as great is expected once.
const RETURN: f64 = 365.0;

/// Lines of a category by day and amount.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    days: VecDeque<(u32, Vec<i32>)>,
    /// The newest day that was asked about, and the answer.
    asked: u32,
    yearly: Option<i64>,
}

impl Amounts {
    /// `n` lines of an amount on a day; cancellations are negative.
    pub fn add(&mut self, day: u32, ln: i32, n: i64) {
        if day + DAYS + 1 < self.asked {
            return;
        }
        let i = self.days.partition_point(|known| known.0 < day);
        if self.days.get(i).is_none_or(|known| known.0 != day) {
            self.days.insert(i, (day, vec![0; BINS]));
        }
        let bin = (ln / BIN).clamp(0, BINS as i32 - 1) as usize;
        self.days[i].1[bin] += n as i32;
    }

    /// The amount that is reached once a year, by the days that had closed before `day`; `None` while too little is known. The
    /// newest answer is kept; of the days before, that before it can still be asked about, by what comes late.
    pub fn yearly(&mut self, day: u32) -> Option<i64> {
        if self.asked < day {
            self.asked = day;
            while self.days.pop_front_if(|known| known.0 + DAYS + 1 < day).is_some() {}
            self.yearly = self.before(day);
        }
        if self.asked == day { self.yearly } else { self.before(day) }
    }

    fn before(&self, day: u32) -> Option<i64> {
        let inside = self.days.iter().filter(|known| known.0 < day && known.0 + DAYS >= day);
        let closed: Vec<&Vec<i32>> = inside.map(|known| &known.1).collect();
        let bins: Vec<i64> = (0..BINS).map(|bin| closed.iter().map(|day| i64::from(day[bin])).sum()).collect();
        if closed.len() < DAYS_LEAST { None } else { reached(&bins, closed.len()) }
    }
}

/// The same, of the counts of so many days by bin.
fn reached(bins: &[i64], days: usize) -> Option<i64> {
    let bins: Vec<i64> = bins.iter().map(|n| (*n).max(0)).collect();
    let n: i64 = bins.iter().sum();
    if n < LINES_LEAST {
        return None;
    }
    // the tail, from its greatest bin down
    let most = TAIL_LEAST.max(n / TAIL_SHARE);
    let (mut tail, mut from) = (0, BINS);
    while let Some(more) = from.checked_sub(1).map(|below| bins[below]).filter(|more| tail + more <= most) {
        (tail, from) = (tail + more, from - 1);
    }
    // each line that is seen has survived the bins below its own; of the greatest quarter only that they came so far
    let (mut seen, mut survived) = (0, 0);
    for (i, count) in bins[from..].iter().enumerate() {
        if seen > 0 && 4 * (seen + count) > 3 * tail + 3 {
            survived += i as i64 * (tail - seen);
            break;
        }
        seen += count;
        survived += i as i64 * count;
    }
    if seen == 0 || survived == 0 {
        return None;
    }
    let sure = 1.0 - CONFIDENCE / libm::sqrt(seen as f64);
    if sure <= 0.0 {
        return None;
    }
    let alpha = sure * libm::log1p(seen as f64 / survived as f64) / f64::from(BIN);
    let above = libm::log(tail as f64 / days as f64 * RETURN).max(0.0) / alpha;
    Some(from as i64 * i64::from(BIN) + libm::rint(above) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` lines a day whose ln x lies above 4 by an exponential variable of rate `alpha`, at its quantiles.
    fn power_law(alpha: f64, n: i64, days: u32) -> Amounts {
        let mut amounts = Amounts::default();
        for day in 1..=days {
            for i in 0..n {
                // the days take turns, so that together they hold the quantiles of all of them
                let p = (i as f64 + (f64::from(day) - 0.5) / f64::from(days)) / n as f64;
                amounts.add(day, ((4.0 - p.ln() / alpha) * 1e4) as i32, 1);
            }
        }
        amounts
    }

    fn truth(alpha: f64, n: i64) -> f64 {
        4.0 + (n as f64 * 365.0).ln() / alpha
    }

    #[test]
    fn what_a_power_law_reaches_once_a_year() {
        for (alpha, n) in [(2.5, 50_000), (1.5, 5_000), (4.0, 1_000)] {
            let reached = power_law(alpha, n, 14).yearly(15).unwrap() as f64 / 1e4;
            let truth = truth(alpha, n);
            // never less than it is, and more by what the estimate may be off
            assert!((0.98..1.5).contains(&((reached - 4.0) / (truth - 4.0))), "{alpha} {n}: {reached} {truth}");
        }
    }

    #[test]
    fn whales_do_not_teach_that_they_are_usual() {
        let mut amounts = power_law(2.5, 50_000, 14);
        let alone = amounts.clone().yearly(15).unwrap();
        (1..=4).for_each(|day| amounts.add(day, 11 * 10_000, 1));
        let among = amounts.yearly(15).unwrap();
        assert!((alone..alone + 9_000).contains(&among), "{alone} {among}");
    }

    #[test]
    fn little_says_nothing_and_today_does_not_count() {
        let mut amounts = power_law(2.5, 50_000, 2);
        assert_eq!(amounts.clone().yearly(3), None, "two days");
        assert_eq!(power_law(2.5, 600, 3).yearly(4), None, "1,800 lines");
        (0..50_000).for_each(|_| amounts.add(3, 40_000, 1));
        assert_eq!(amounts.clone().yearly(3), None, "the third has not closed");
        assert!(amounts.clone().yearly(4).is_some());
        // all of one amount: nothing is known beyond it
        let mut same = Amounts::default();
        (0..30_000).for_each(|i| same.add(i / 10_000, 40_000, 1));
        assert_eq!(same.yearly(3), None);
    }

    #[test]
    fn what_is_cancelled_was_never_there_and_old_days_are_forgotten() {
        let mut amounts = power_law(2.5, 5_000, 5);
        let before = amounts.clone();
        (0..100).for_each(|_| amounts.add(4, 90_000, 1));
        (0..100).for_each(|_| amounts.add(4, 90_000, -1));
        assert_eq!(amounts, before);
        // what comes late asks about the day before, and hears what it would have heard in time
        assert_eq!((amounts.yearly(6), amounts.yearly(5)), (before.clone().yearly(6), before.clone().yearly(5)));
        assert_ne!(before.clone().yearly(6), before.clone().yearly(5));
        assert_eq!(amounts.yearly(18), None, "two days are left");
        amounts.add(2, 40_000, 1);
        assert!(amounts.days.iter().all(|known| known.0 >= 3));
    }
}

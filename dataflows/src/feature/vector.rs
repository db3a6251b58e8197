//! `customer_behavior_vector`: 32 numbers that say how a customer buys (DETECTION, feature 5). Version 1.
//!
//! All sums are integers over the customer's panes; floats begin here. The category part decays by a half in 30 days, by whole
//! days: the weight of a day is a power of two fixed by the distance to the day of `as_of`, so that a cancellation subtracts
//! exactly what its sale added, without a landmark that a long run would outgrow.

use super::amount::Logs;
use crate::row::round::round_millionths;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Components.
pub const WIDTH: usize = 32;

/// The version of their order and meaning.
pub const VERSION: i64 = 1;

/// Components of category affinity.
const AFFINITY: usize = 12;

/// Seeds of the two hashes of a category: its component, and its sign.
const SEEDS: [u64; 2] = [0x7669_7472_696e_6531, 0x7669_7472_696e_6532];

/// Milliseconds in an hour.
const HOUR: f64 = 3_600_000.0;

/// Weights by age in days: 2^(-age / 30) in 2^-32.
#[derive(Clone, Debug)]
pub struct Tables {
    decay: [i64; 128],
    sin: [f64; 24],
    cos: [f64; 24],
}

impl Default for Tables {
    fn default() -> Self {
        let angle = |h: usize| std::f64::consts::TAU * h as f64 / 24.0;
        Tables {
            decay: std::array::from_fn(|age| libm::rint(libm::exp2(32.0 - age as f64 / 30.0)) as i64),
            sin: std::array::from_fn(|h| libm::sin(angle(h))),
            cos: std::array::from_fn(|h| libm::cos(angle(h))),
        }
    }
}

impl Tables {
    /// The weight of a day that lies so many days back.
    #[inline]
    pub fn decay(&self, age: u32) -> i64 {
        self.decay[(age as usize).min(127)]
    }
}

/// What is known of a customer: sums over the sales, less cancellations, of 90 days.
#[derive(Debug, Default)]
pub struct Behaviour<'a> {
    /// Milliseconds since the last sale.
    pub recency: i64,
    /// Lines, cents, units.
    pub n: i64,
    /// See `n`.
    pub cents: i64,
    /// See `n`.
    pub units: i64,
    /// Logarithms of the amounts.
    pub logs: Logs,
    /// Categories and sellers with net lines above 0.
    pub categories: i64,
    /// See `categories`.
    pub sellers: i64,
    /// `refund_rate_30d` in millionths.
    pub refund: i64,
    /// Sum over lines of the share of the category's sales that cost less, in 2^-16.
    pub shares: i64,
    /// Lines by half hour since the Unix epoch, in order.
    pub halves: &'a [(u32, i64)],
    /// Lines by hour of the day, UTC.
    pub hours: [i64; 24],
    /// Lines on a Saturday or Sunday, UTC.
    pub weekend: i64,
    /// Lines by payment: the first four of the settings, and the others.
    pub paid: [i64; 5],
    /// Decayed cents by category, in the order of the categories' keys.
    pub spend: &'a [(u64, i128)],
}

/// Which component a category adds to, and with which sign.
#[inline]
pub fn place(category: u64) -> (usize, i128) {
    let [h, s] = SEEDS.map(|seed| xxh3_64_with_seed(&category.to_le_bytes(), seed));
    ((h % AFFINITY as u64) as usize, if s & 1 == 0 { 1 } else { -1 })
}

/// The vector, in millionths; zeros for a customer without a sale.
///
/// Window: 90 days before `as_of`, the lower end on a day; refresh: whenever the customer has a row. Cold start: zeros.
///
/// | component | value |
/// |---|---|
/// | 0 | ln(1 + hours since the last sale) |
/// | 1 | ln(1 + lines) |
/// | 2 | ln(1 + revenue in currency) |
/// | 3, 4 | mean and standard deviation (n - 1) of ln(price times quantity) |
/// | 5 | units a basket; a basket is what is bought within one half hour of the clock |
/// | 6, 7 | distinct categories, and sellers, over lines |
/// | 8 | `refund_rate_30d` |
/// | 9 | mean share of the category's sales of 30 days that cost less than the customer's lines |
/// | 10, 11 | ln(1 + mean hours between baskets), and their coefficient of variation; 0 for one basket |
/// | 12, 13 | mean of the sine and of the cosine of the hour of the day (UTC): the mean direction, as long as it is pronounced |
/// | 14 | share of the lines on a Saturday or Sunday (UTC) |
/// | 15..19 | shares of the first four ways of payment of the settings, and of all others, smoothed by 0.5 |
/// | 20..31 | decayed spend by category, hashed with sign into 12 components (xxh3 of the category's key with seeds `SEEDS`), over its length |
pub fn vector(b: &Behaviour, tables: &Tables, out: &mut Vec<i64>) {
    let from = out.len();
    if b.n <= 0 {
        out.resize(from + WIDTH, 0);
        return;
    }
    let n = b.n as f64;
    let mut put = |x: f64| out.push(round_millionths(x));
    put(libm::log1p(b.recency as f64 / HOUR));
    put(libm::log1p(n));
    put(libm::log1p(b.cents.max(0) as f64 / 100.0));
    put(b.logs.ln as f64 / n / f64::from(1 << 20));
    put(b.logs.deviation());
    let baskets = b.halves.iter().filter(|h| h.1 > 0);
    let (mut count, mut first, mut last, mut gaps2) = (0i64, 0, 0, 0.0);
    for (half, _) in baskets {
        if count == 0 {
            first = *half;
        } else {
            let gap = f64::from(half - last) / 2.0;
            gaps2 += gap * gap;
        }
        last = *half;
        count += 1;
    }
    put(b.units as f64 / count.max(1) as f64);
    put(b.categories as f64 / n);
    put(b.sellers as f64 / n);
    put(b.refund as f64 / 1e6);
    put(b.shares as f64 / 65_536.0 / n);
    if count > 1 {
        let gaps = (count - 1) as f64;
        let mean = f64::from(last - first) / 2.0 / gaps;
        put(libm::log1p(mean));
        put(libm::sqrt((gaps2 / gaps - mean * mean).max(0.0)) / mean);
    } else {
        put(0.0);
        put(0.0);
    }
    let along = |of: &[f64; 24]| b.hours.iter().zip(of).map(|(h, x)| *h as f64 * x).sum::<f64>() / n;
    put(along(&tables.sin));
    put(along(&tables.cos));
    put(b.weekend as f64 / n);
    let paid: i64 = b.paid.iter().map(|p| p.max(&0)).sum();
    b.paid.iter().for_each(|p| put(((*p).max(0) as f64 + 0.5) / (paid as f64 + 2.5)));
    let mut affinity = [0i128; AFFINITY];
    for (category, spend) in b.spend {
        let (place, sign) = place(*category);
        affinity[place] += sign * (*spend).max(0);
    }
    let affinity = affinity.map(|x| if x == 0 { 0.0 } else { x as f64 });
    let length = libm::sqrt(affinity.iter().map(|x| x * x).sum::<f64>());
    affinity.iter().for_each(|x| put(if *x == 0.0 { 0.0 } else { x / length }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::ln_fixed;

    #[test]
    fn nobody_is_zeros() {
        let mut out = vec![1];
        vector(&Behaviour::default(), &Tables::default(), &mut out);
        assert_eq!(out, [[1].as_slice(), &[0; WIDTH]].concat());
    }

    #[test]
    fn a_customer_by_hand() {
        let ln = ln_fixed(10_000);
        let spend = [(5, 1 << 40), (9, 3 << 40)];
        let mut hours = [0; 24];
        (hours[0], hours[6]) = (1, 1);
        let b = Behaviour {
            recency: 3_600_000,
            n: 2,
            cents: 20_000,
            units: 6,
            logs: Logs { n: 2, ln: 2 * ln, ln2: 2 * i128::from(ln * ln) },
            categories: 2,
            sellers: 1,
            refund: 50_000,
            shares: 65_536,
            halves: &[(100, 1), (110, 0), (112, 1)],
            hours,
            weekend: 1,
            paid: [2, 0, 0, 0, 0],
            spend: &spend,
        };
        let mut out = vec![];
        vector(&b, &Tables::default(), &mut out);
        // ln 2, ln 3, ln 201, ln 100, 0, 6 / 2, 2 / 2, 1 / 2, 0.05, 1 / 2, ln(1 + 6), 0, 1/2, 1/2, 1/2, 2.5/4.5, 0.5/4.5 ...
        let by_hand = [693_147, 1_098_612, 5_303_305, 4_605_170, 0, 3_000_000, 1_000_000, 500_000, 50_000, 500_000, 1_945_910, 0];
        assert_eq!(out[..12], by_hand);
        assert_eq!(out[12..20], [500_000, 500_000, 500_000, 555_556, 111_111, 111_111, 111_111, 111_111]);
        let length: f64 = out[20..].iter().map(|x| (*x as f64 / 1e6).powi(2)).sum();
        assert!((length - 1.0).abs() < 1e-5 && out.len() == WIDTH, "{length}");
    }

    #[test]
    fn a_half_in_thirty_days() {
        let tables = Tables::default();
        assert_eq!((tables.decay(0), tables.decay(30), tables.decay(90)), (1 << 32, 1 << 31, 1 << 29));
    }
}

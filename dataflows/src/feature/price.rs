//! Price level of a sale against the product's own last prices, else against its category (DETECTION, feature 3 and 1.5).
//!
//! Logarithms of prices are integers of 1e-4, so that order statistics are exact, a deletion is exact, and no order of arrival
//! shows. Multisets come as `(ln, count)` in the order of `ln`, counts above 0.

use crate::row::round::{div_half_even, narrow};
use serde::{Deserialize, Serialize};

/// So many of the product's own sales are looked at: the newest.
pub const OWN: u32 = 60;

/// Fewer own prices than this say nothing: then the category is asked.
pub const OWN_LEAST: u32 = 5;

/// Fewer prices of a category than this say nothing.
pub const CATEGORY_LEAST: u32 = 30;

/// So many prices more than needed are left until they are forgotten together.
const SPARE: usize = 30;

/// How far back own prices count, in milliseconds: 90 days.
pub const OWN_SPAN: i64 = 90 * 86_400_000;

/// The least robust deviation of own prices: 0.10, in 1e-4.
const OWN_FLOOR: i64 = 1_000;

/// The least robust deviation of prices of a category: 0.25, in 1e-4.
const CATEGORY_FLOOR: i64 = 2_500;

/// `price_zscore` is clipped to this, in millionths.
const LIMIT: i64 = 20_000_000;

/// What a price is compared with: `price_level_used`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PriceLevel {
    /// The product's own last prices.
    Product,
    /// The prices of its category.
    Category,
    /// Neither has enough of them.
    #[default]
    None,
}

impl PriceLevel {
    /// As it stands in `price_level_used`.
    pub fn name(self) -> &'static str {
        match self {
            PriceLevel::Product => "product",
            PriceLevel::Category => "category",
            PriceLevel::None => "none",
        }
    }
}

/// The features of a price. See [`price_score`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceScore {
    /// `price_zscore`, in millionths.
    pub zscore: i64,
    /// `price_knn2`, in millionths; `None` below [`OWN_LEAST`] own prices.
    pub knn2: Option<i64>,
    /// `price_level_used`.
    pub level: PriceLevel,
    /// How many prices it was compared with.
    pub support: u32,
}

/// The natural logarithm of a price in currency units, in 1e-4, half to even. A price of nothing, which only foreign limits let
/// in, counts as one cent.
#[inline]
pub fn ln4(price_cents: u32) -> i32 {
    ln4_cents(i64::from(price_cents))
}

/// The same of any amount in cents; of nothing and less, that of one cent.
#[inline]
pub fn ln4_cents(cents: i64) -> i32 {
    libm::rint(libm::log(cents.max(1) as f64 / 100.0) * 1e4) as i32
}

/// How many there are.
pub fn size(prices: &[(i32, u32)]) -> u32 {
    prices.iter().map(|p| p.1).sum()
}

/// The `i`-th of the values that `steps` gives in order, with their counts, counted from 0.
fn nth(steps: impl Iterator<Item = (i64, u32)>, i: u32) -> i64 {
    let (mut passed, mut last) = (0, 0);
    for (x, n) in steps {
        last = x;
        passed += n;
        if passed > i {
            break;
        }
    }
    last
}

/// Twice the median of what `steps` gives in order, `n` in all: whole, whatever `n` is.
fn median2(steps: impl Iterator<Item = (i64, u32)> + Clone, n: u32) -> i64 {
    if n == 0 { 0 } else { nth(steps.clone(), (n - 1) / 2) + nth(steps, n / 2) }
}

/// Distance of `ln` to its `k`-th nearest among `prices`, in 1e-4; `None` when there are fewer than `k`.
///
/// Several prices of one product are normal (tiers, packs); a price near two earlier ones is no news.
pub fn nearest(prices: &[(i32, u32)], ln: i32, k: u32) -> Option<i32> {
    kth_nearest(prices, ln, k).map(|near| near.abs_diff(ln) as i32)
}

/// The `k`-th nearest of `prices` to `ln` itself; of two at one distance the lower comes first.
pub fn kth_nearest(prices: &[(i32, u32)], ln: i32, k: u32) -> Option<i32> {
    let at = prices.partition_point(|p| p.0 < ln);
    let (mut below, mut above) = (prices[..at].iter().rev().peekable(), prices[at..].iter().peekable());
    let mut passed = 0;
    loop {
        let next = match (below.peek(), above.peek()) {
            (Some(b), Some(a)) if ln.abs_diff(b.0) <= ln.abs_diff(a.0) => below.next(),
            (Some(_), None) => below.next(),
            (_, Some(_)) => above.next(),
            (None, None) => None,
        }?;
        passed += next.1;
        if passed >= k {
            return Some(next.0);
        }
    }
}

/// The value below which `permille` thousandths of the prices lie: the element of rank `floor(permille (n - 1) / 1000)`, for the
/// upper half the mirror of it. In 1e-4; 0 without prices.
pub fn quantile(prices: &[(i32, u32)], permille: u32) -> i32 {
    let n = u64::from(size(prices));
    let last = n.saturating_sub(1);
    let rank = if permille <= 500 {
        last * u64::from(permille) / 1000
    } else {
        last - last * u64::from(1000 - permille.min(1000)) / 1000
    };
    nth(prices.iter().map(|p| (i64::from(p.0), p.1)), rank as u32) as i32
}

/// How far `ln` lies outside the 0.5 % and 99.5 % quantiles of `prices`, in 1e-4; 0 inside. `None` below [`CATEGORY_LEAST`].
pub fn outside(prices: &[(i32, u32)], ln: i32) -> Option<i32> {
    let (low, high) = bounds(prices)?;
    Some((low - ln).max(ln - high).max(0))
}

/// The 0.5 % and 99.5 % quantiles; `None` below [`CATEGORY_LEAST`] prices. Ranks are `floor(0.005 (n - 1))` from either end.
pub fn bounds(prices: &[(i32, u32)]) -> Option<(i32, i32)> {
    let n = size(prices);
    (n >= CATEGORY_LEAST).then(|| {
        let (rank, at) = ((n - 1) / 200, |i| nth(prices.iter().map(|p| (i64::from(p.0), p.1)), i) as i32);
        (at(rank), at(n - 1 - rank))
    })
}

/// `(ln - median) / max(1.4826 MAD, floor)`, clipped, in millionths: computed as one fraction and rounded once.
fn robust(prices: &[(i32, u32)], ln: i32, floor: i64) -> i64 {
    let n = size(prices);
    let median2 = median2(prices.iter().map(|p| (i64::from(p.0), p.1)), n);
    let mut from: Vec<(i64, u32)> = prices.iter().map(|p| ((2 * i64::from(p.0) - median2).abs(), p.1)).collect();
    from.sort_unstable();
    // Four times the MAD: deviations from twice the median, doubled again by their own median.
    let mad4 = self::median2(from.iter().copied(), n);
    let scale = (14_826 * mad4).max(floor * 40_000);
    let z = div_half_even(20_000_000_000 * i128::from(2 * i64::from(ln) - median2), i128::from(scale));
    narrow(z).clamp(-LIMIT, LIMIT)
}

/// `price_zscore`, `price_knn2` and `price_level_used` of a price.
///
/// | feature | unit | window | cold start |
/// |---|---|---|---|
/// | `price_zscore` | robust deviations of the log price: (ln p - median) / max(1.4826 MAD, 0.10), -20 to 20 | the product's own last 60 sales of 90 d before the sale | below 5 own prices: the category's, with floor 0.25; below 30 of those 0 |
/// | `price_knn2` | distance of ln p to its second nearest | the same 60 | null below 5 |
/// | `price_level_used` | | | `none` |
///
/// `own` and `category` are multisets in the order of `ln`; see [`PriceHistory`]. Source: DETECTION, section 3, feature 3.
pub fn price_score(own: &[(i32, u32)], category: &[(i32, u32)], ln: i32) -> PriceScore {
    let n = size(own);
    if n >= OWN_LEAST {
        let knn2 = nearest(own, ln, 2).map(|d| i64::from(d) * 100);
        return PriceScore { zscore: robust(own, ln, OWN_FLOOR), knn2, level: PriceLevel::Product, support: n };
    }
    let n = size(category);
    if n >= CATEGORY_LEAST {
        return PriceScore { zscore: robust(category, ln, CATEGORY_FLOOR), knn2: None, level: PriceLevel::Category, support: n };
    }
    PriceScore::default()
}

/// Prices of one product by the instant at which they were paid, exact under cancellation. An instant is what the caller counts
/// in: milliseconds, or panes.
///
/// 16 bytes for each different price of an instant: those of the last [`OWN`] sales, of all that may still be cancelled, and of up
/// to 30 more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceHistory(Vec<(i64, i32, i32)>);

impl PriceHistory {
    /// `n` sales at a price are added; a cancellation is negative, and may come before its sale.
    pub fn add(&mut self, at: i64, ln: i32, n: i32) {
        let i = self.bound((at, ln));
        match self.0.get_mut(i).filter(|e| (e.0, e.1) == (at, ln)) {
            Some(known) => {
                known.2 += n;
                if known.2 == 0 {
                    self.0.remove(i);
                }
            }
            None if n != 0 => self.0.insert(i, (at, ln, n)),
            None => (),
        }
    }

    /// The place of the first entry that is not before an instant and a price: nearly always one of the last.
    fn bound(&self, place: (i64, i32)) -> usize {
        let before = |e: &(i64, i32, i32)| (e.0, e.1) < place;
        let near = self.0.len().saturating_sub(16);
        let from = if self.0.get(near).is_some_and(before) { near } else { 0 };
        from + self.0[from..].partition_point(before)
    }

    /// The newest prices paid in `[from, before)`, in the order of `ln`: those of the newest instants that hold at least [`OWN`]
    /// sales together. The oldest of these instants is taken whole, so that nothing but time decides which sale is forgotten.
    pub fn newest(&self, from: i64, before: i64, into: &mut Vec<(i32, u32)>) {
        self.newest_of(OWN, from, before, into);
    }

    /// The same with another number than [`OWN`], not above it.
    pub fn newest_of(&self, most: u32, from: i64, before: i64, into: &mut Vec<(i32, u32)>) {
        into.clear();
        let mut n = 0;
        let to = self.bound((before, i32::MIN));
        let mut oldest = i64::MAX;
        for e in self.0[..to].iter().rev().filter(|e| e.2 > 0) {
            if e.0 < from || (n >= most && e.0 < oldest) {
                break;
            }
            oldest = e.0;
            n += e.2 as u32;
            into.push((e.1, e.2 as u32));
        }
        into.sort_unstable();
        into.dedup_by(|next, kept| {
            let same = kept.0 == next.0;
            kept.1 += if same { next.1 } else { 0 };
            same
        });
    }

    /// The prices paid before an instant with the instant and how often, the newest first.
    pub fn backwards(&self, before: i64) -> impl Iterator<Item = (i64, i32, u32)> {
        let to = self.bound((before, i32::MIN));
        self.0[..to].iter().rev().filter(|e| e.2 > 0).map(|e| (e.0, e.1, e.2 as u32))
    }

    /// The first instant that is still known.
    pub fn first(&self) -> Option<i64> {
        self.0.iter().find(|e| e.2 > 0).map(|e| e.0)
    }

    /// What was paid at an instant, and how often: counts above 0.
    pub fn at(&self, at: i64) -> impl Iterator<Item = (i32, u32)> {
        let from = self.bound((at, i32::MIN));
        self.0[from..].iter().take_while(move |e| e.0 == at).filter(|e| e.2 > 0).map(|e| (e.1, e.2 as u32))
    }

    /// Nothing before `done` changes any more, and nobody asks for prices before `from`: forgets what no question can need.
    pub fn forget(&mut self, from: i64, done: i64) {
        if self.0.len() <= OWN as usize + SPARE && self.0.first().is_none_or(|first| first.0 >= from) {
            return;
        }
        let to = self.0.partition_point(|e| e.0 < done);
        let (mut n, mut oldest, mut keep) = (0, i64::MAX, to);
        for (i, e) in self.0[..to].iter().enumerate().rev() {
            if e.0 < from || (n >= OWN && e.0 < oldest) {
                break;
            }
            oldest = e.0;
            n += e.2.max(0) as u32;
            keep = i;
        }
        if keep > 0 {
            self.0.drain(..keep);
        }
    }

    /// Reads a few of the newest entries, and gives a number that means nothing: see
    /// [`Profile::touch`](crate::profile::kinds::Profile::touch).
    pub fn touch(&self) -> usize {
        self.0.iter().rev().step_by(4).take(8).map(|e| e.2 as usize & 1).sum()
    }

    /// Entries held.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests;

//! Whether a burst of a seller comes from few buyers: what tells `fraud_like_burst` from `seller_spike`.
//!
//! A burst is concentrated when its greatest customer has at least half of its lines, or when there are fewer distinct buyers a
//! line than in all but 1 % of the seller's own busy windows ([`Ratios`]). A line without a customer is a buyer of its own, so
//! that a shop that names none has no fraud of this kind. Below 5 lines nothing is concentrated.
//!
//! Unit: shares. Window: that of the burst. Cold start: below 200 busy windows only the share of the greatest customer counts.
//! Source: DETECTION 1.5, features 7. Integers throughout.

use serde::{Deserialize, Serialize};

/// Fewer lines than this are not concentrated.
pub const LINES_LEAST: i64 = 5;

/// Fewer busy windows of the seller than this have no quantile.
pub const WINDOWS_LEAST: u32 = 200;

/// Buyers of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buyers {
    /// Lines, less those cancelled.
    pub lines: i64,
    /// Customers with net lines above 0, and lines without a customer.
    pub distinct: i64,
    /// Net lines of the customer who has most of them; 1 when all are without a customer.
    pub top: i64,
}

impl Buyers {
    /// Of the net lines of each customer, and the net number of lines without one.
    pub fn of(customers: impl IntoIterator<Item = i64>, anonymous: i64) -> Buyers {
        let anonymous = anonymous.max(0);
        let mut all = Buyers { lines: anonymous, distinct: anonymous, top: anonymous.min(1) };
        for n in customers.into_iter().filter(|n| *n > 0) {
            all.lines += n;
            all.distinct += 1;
            all.top = all.top.max(n);
        }
        all
    }

    /// Share of the greatest customer, in thousandths, rounded down.
    pub fn top_permille(&self) -> i64 {
        if self.lines > 0 { 1000 * self.top / self.lines } else { 0 }
    }

    /// Why it is concentrated; `None` when it is not. `usual`: [`Ratios::low`] of the seller.
    pub fn concentrated(&self, usual: Option<u32>) -> Option<Concentrated> {
        if self.lines < LINES_LEAST {
            None
        } else if 2 * self.top >= self.lines {
            Some(Concentrated::Top)
        } else {
            usual.filter(|low| Ratios::bin(self.distinct, self.lines) < *low).map(|_| Concentrated::Few)
        }
    }
}

/// Why a burst is concentrated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concentrated {
    /// The greatest customer has half of the lines or more.
    Top,
    /// Far fewer buyers a line than usual.
    Few,
}

impl Concentrated {
    /// Says so of these buyers.
    pub fn words(self, buyers: &Buyers) -> String {
        match self {
            Concentrated::Top => {
                format!("one customer has {} of the {} lines ({} %)", buyers.top, buyers.lines, buyers.top_permille() / 10)
            }
            Concentrated::Few => {
                format!(
                    "only {} buyers for {} lines, fewer a line than in 99 % of this seller's windows",
                    buyers.distinct, buyers.lines
                )
            }
        }
    }
}

/// Bins of [`Ratios`].
const BINS: usize = 33;

/// Distinct buyers a line in the busy windows (5 lines or more) of one seller: a histogram of 33 bins, 132 bytes. Linear: a window
/// that changes is taken away as it was and added as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratios(Vec<u32>);

impl Default for Ratios {
    fn default() -> Self {
        Ratios(vec![0; BINS])
    }
}

impl Ratios {
    /// The bin of a window: 32 times the buyers over the lines, rounded down.
    fn bin(distinct: i64, lines: i64) -> u32 {
        (32 * distinct.clamp(0, lines.max(0)) / lines.max(1)) as u32
    }

    /// A window counts (`n` = 1), or no longer counts as it was (`n` = -1).
    pub fn add(&mut self, window: &Buyers, n: i32) {
        if window.lines >= LINES_LEAST {
            let bin = &mut self.0[Ratios::bin(window.distinct, window.lines) as usize];
            *bin = bin.saturating_add_signed(n);
        }
    }

    /// The 1 % quantile: at most 1 % of the windows lie in bins below it. `None` below [`WINDOWS_LEAST`] windows.
    pub fn low(&self) -> Option<u32> {
        let n: u32 = self.0.iter().sum();
        let mut below = 0;
        let i = self.0.iter().position(|bin| {
            below += bin;
            below > n / 100
        });
        i.filter(|_| n >= WINDOWS_LEAST).map(|i| i as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        let one = Buyers::of([12, 3, 1, -2, 0], 0);
        assert_eq!(one, Buyers { lines: 16, distinct: 3, top: 12 });
        assert_eq!((one.top_permille(), one.concentrated(None)), (750, Some(Concentrated::Top)));
        assert_eq!(Buyers::of([4], 0).concentrated(None), None, "four lines");
        // thirty customers with one line each; and as many lines of nobody
        assert_eq!(Buyers::of([1; 30], 0).concentrated(Some(20)), None);
        assert_eq!(Buyers::of([], 30).concentrated(Some(20)), None);
        // three customers of ten lines: 3 of 30 is in bin 3
        let three = Buyers::of([10; 3], 0);
        assert_eq!((three.concentrated(None), three.concentrated(Some(3))), (None, None));
        assert_eq!(three.concentrated(Some(4)), Some(Concentrated::Few));
    }

    #[test]
    fn a_quantile_needs_windows() {
        let mut ratios = Ratios::default();
        let (loose, tight) = (Buyers::of([1; 8], 0), Buyers::of([4, 4], 0));
        (0..198).for_each(|_| ratios.add(&loose, 1));
        ratios.add(&tight, 1);
        assert_eq!(ratios.low(), None);
        ratios.add(&tight, 1);
        assert_eq!(ratios.low(), Some(32)); // two of 200 lie below
        ratios.add(&tight, 1);
        assert_eq!(ratios.low(), Some(8));
        ratios.add(&tight, -1);
        assert_eq!(ratios.low(), Some(32));
    }

    proptest! {
        #[test]
        fn the_quantile_is_that_of_the_list(windows in proptest::collection::vec((5..40i64, 0..40i64), 200..400)) {
            let windows: Vec<Buyers> = windows.iter().map(|(n, d)| Buyers { lines: *n, distinct: (*d).min(*n), top: 1 }).collect();
            let mut ratios = Ratios::default();
            windows.iter().for_each(|w| ratios.add(w, 1));
            let mut bins: Vec<u32> = windows.iter().map(|w| (32 * w.distinct / w.lines) as u32).collect();
            bins.sort_unstable();
            prop_assert_eq!(ratios.low(), Some(bins[windows.len() / 100]));
        }
    }
}

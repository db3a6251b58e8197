//! A price against what the product cost lately (DETECTION, feature 9).

use super::price::{OWN, PriceHistory, size};

/// So many of the product's last sales are looked at.
const LAST: u32 = 20;

/// Fewer say nothing.
const LEAST: u32 = 5;

/// How far back they count, in milliseconds.
const SPAN: i64 = 30 * 86_400_000;

/// A price that differs from the one before by more than this, in 1e-4 of its logarithm, has changed.
const CHANGE: i32 = 100;

/// The columns, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PriceChange {
    /// `price_change_vs_own`.
    pub versus_own: i64,
    /// `days_since_price_change`.
    pub days: i64,
}

/// The columns of a price that is paid at `at`.
///
/// | column | unit | window | cold start |
/// |---|---|---|---|
/// | `price_change_vs_own` | ln p - median of ln p of the product's own last 20 sales before | 30 d | 0 below 5 sales |
/// | `days_since_price_change` | days since a sale whose price differs by more than 1 % from the one before | 30 d | 30, the cap |
///
/// Source: sales less cancellations before `at`; of the oldest instant all sales are taken, as for `price_zscore`. The change is
/// sought among the last 60 sales; `None` asks for the days alone. `buffer` is room to work in.
pub fn price_change(history: &PriceHistory, ln: Option<i32>, at: i64, buffer: &mut Vec<(i32, u32)>) -> PriceChange {
    let mut versus_own = 0;
    if let Some(ln) = ln {
        history.newest_of(LAST, at - SPAN, at, buffer);
        let n = size(buffer);
        if n >= LEAST {
            let nth = |rank: u32| {
                let mut passed = 0;
                let found = buffer.iter().find(|p| {
                    passed += p.1;
                    passed > rank
                });
                i64::from(found.map_or(0, |p| p.0))
            };
            let median2 = nth((n - 1) / 2) + nth(n / 2);
            versus_own = (2 * i64::from(ln) - median2) * 50;
        }
    }
    let mut newer: Option<(i64, i32)> = None;
    let (mut days, mut n) = (SPAN, 0);
    for (then, price, times) in history.backwards(at).take_while(|p| p.0 >= at - SPAN) {
        if n >= OWN && newer.is_some_and(|newer| then < newer.0) {
            break;
        }
        if let Some((when, _)) = newer.filter(|n| (n.1 - price).abs() > CHANGE) {
            days = at - when;
            break;
        }
        newer = Some((then, price));
        n += times;
    }
    PriceChange { versus_own, days: (i128::from(days) * 1_000_000 / 86_400_000) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn changes_by_hand() {
        let mut history = PriceHistory::default();
        let mut buffer = vec![];
        assert_eq!(price_change(&history, Some(5), 100 * DAY, &mut buffer), PriceChange { versus_own: 0, days: 30_000_000 });
        for (day, ln) in [(90, 1_000), (91, 1_000), (92, 1_050), (93, 2_000), (94, 2_000)] {
            history.add(day * DAY, ln, 1);
        }
        // median 1050; the price changed on day 93
        let found = price_change(&history, Some(2_050), 100 * DAY, &mut buffer);
        assert_eq!(found, PriceChange { versus_own: 100_000, days: 7_000_000 });
        // before day 94 there are four
        assert_eq!(price_change(&history, Some(2_050), 94 * DAY, &mut buffer).versus_own, 0);
    }
}

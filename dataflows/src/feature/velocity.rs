//! How fast a key buys or sells (DETECTION, feature 6).

use crate::row::round::{div_half_even, narrow};

/// `velocity_ratio_*`: the pace of the last hour against that of the last day, in millionths.
///
/// Unit: ratio, 1 is the usual pace. Window: 1 h against 24 h, every feature slide. Cold start: 1, since both are smoothed by one
/// line: (n_1h + 1) / (n_24h / 24 + 1). Source: lines, sales less cancellations; the counts and amounts beside it are plain sums
/// over `[as_of - H, as_of)`, the lower end of 24 h on a pane of 5 minutes.
pub fn pace(hour: i64, day: i64) -> i64 {
    let (hour, day) = (i128::from(hour.max(0)) + 1, i128::from(day.max(0)) + 24);
    narrow(div_half_even(hour * 24_000_000, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces_by_hand() {
        assert_eq!(pace(0, 0), 1_000_000);
        assert_eq!(pace(5, 24), 3_000_000); // 6 / 2
        assert_eq!(pace(0, 24), 500_000);
        assert_eq!(pace(-3, -3), 1_000_000); // a cancellation without its sale
    }
}

//! How long ago (DETECTION, features 14 and 16).

/// Longest time that is told apart: 90 days, in milliseconds.
pub const CAP: i64 = 90 * 86_400_000;

/// `time_since_last_sale_*`: milliseconds since the last sale before `now`, as millionths of a second.
///
/// Unit: s. Window: 90 d. Cold start: the cap, 7,776,000. Source: the greatest `sale_date` whose sales were not all cancelled.
pub fn since_last(now: i64, last: Option<i64>) -> i64 {
    last.map_or(CAP, |last| (now - last).clamp(0, CAP)) * 1_000
}

/// `*_age_days`: time since the first sale, in millionths of a day.
///
/// Unit: days. Window: all. Cold start: 0. Source: the least `sale_date` whose sales were not all cancelled. A first sale can be
/// cancelled as long as records of its time are taken, an hour and the allowed lateness; after that it stands.
pub fn age(now: i64, first: Option<i64>) -> i64 {
    first.map_or(0, |first| ((now - first).max(0) as i128 * 1_000_000 / 86_400_000) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_by_hand() {
        assert_eq!(since_last(5_250, Some(4_000)), 1_250_000);
        assert_eq!(since_last(5_250, None), 7_776_000_000_000);
        assert_eq!(since_last(CAP + 2, Some(1)), 7_776_000_000_000);
        assert_eq!(age(86_400_000 * 3 / 2, Some(0)), 1_500_000);
        assert_eq!((age(5, None), age(5, Some(9))), (0, 0));
    }
}

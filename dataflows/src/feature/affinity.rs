//! What is bought together (DETECTION, feature 11).

use crate::row::round::round_millionths;

/// Products that are recommended with one.
pub const TOP: usize = 20;

/// A pair that was bought together less often says nothing.
pub const LEAST: i64 = 5;

/// `basket_affinity`: normalised pointwise mutual information of two products, in millionths.
///
/// With baskets that hold both (n_ab), one (n_a, n_b) and all (N): ln(n_ab N / (n_a n_b)) / -ln(n_ab / N), -1..1; 1 when every
/// basket of one holds the other. Window: baskets of 30 days that were complete at `as_of`. Cold start: absent. A basket is what
/// one customer bought within one half hour of the clock (there is no order id).
pub fn npmi(both: i64, a: i64, b: i64, all: i64) -> i64 {
    if both <= 0 || a <= 0 || b <= 0 || all <= 0 {
        return 0;
    }
    let (both, a, b, all) = (both as f64, a as f64, b as f64, all as f64);
    let information = -libm::log(both / all);
    if information <= 0.0 {
        return 1_000_000;
    }
    round_millionths((libm::log(both * all / (a * b)) / information).clamp(-1.0, 1.0))
}

/// Whether pair (n_ab, n_a, n_b) goes before another in the list: by n_ab / sqrt(n_a n_b), compared as whole numbers.
pub fn nearer(one: (i64, i64, i64), other: (i64, i64, i64)) -> std::cmp::Ordering {
    let square = |x: (i64, i64, i64)| i128::from(x.0) * i128::from(x.0);
    let norm = |x: (i64, i64, i64)| i128::from(x.1.max(1)) * i128::from(x.2.max(1));
    (square(other) * norm(one)).cmp(&(square(one) * norm(other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Ordering;

    #[test]
    fn affinities_by_hand() {
        assert_eq!(npmi(0, 1, 1, 10), 0);
        assert_eq!(npmi(10, 10, 10, 10), 1_000_000);
        assert_eq!(npmi(5, 5, 5, 100), 1_000_000); // always together: ln(20) / ln(20)
        assert_eq!(npmi(1, 10, 10, 100), 0); // independent
        assert_eq!(npmi(2, 10, 10, 100), 177_184); // ln 2 / ln 50
    }

    #[test]
    fn the_nearest_first() {
        assert_eq!(nearer((5, 10, 10), (6, 100, 10)), Ordering::Less); // 0.5 and 0.19
        assert_eq!(nearer((5, 10, 10), (10, 20, 20)), Ordering::Equal);
    }
}

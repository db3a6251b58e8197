//! The divisions that make derived columns: exact quotients, rounded half to even.
//!
//! A quotient is taken of integers and rounded once, so that no order of addition and no platform shows in it. Everything
//! saturates instead of overflowing: a total that large is nonsense, but it must not stop the stream.

/// `numerator / denominator`, rounded half to even. 0 when the denominator is 0.
pub fn div_half_even(numerator: i128, denominator: i128) -> i128 {
    if denominator == 0 {
        return 0;
    }
    // Work with a positive denominator; the remainder then lies in 0..denominator.
    let (n, d) =
        if denominator < 0 { (numerator.saturating_neg(), denominator.saturating_neg()) } else { (numerator, denominator) };
    let (quotient, rest) = (n.div_euclid(d), n.rem_euclid(d));
    // rest > d/2, without doubling what may not fit
    let up = match rest.cmp(&(d - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient & 1 == 1,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(up)
}

/// As `i64`, saturating.
pub fn narrow(x: i128) -> i64 {
    x.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
}

/// Growth of `now` against `reference` in millionths of a per cent: `100 * (now - reference) / reference`, half to even.
/// `None` when the reference is not above 0.
pub fn growth(now: i64, reference: i64) -> Option<i64> {
    (reference > 0).then(|| {
        let reference = i128::from(reference);
        narrow(div_half_even(100_000_000 * (i128::from(now) - reference), reference))
    })
}

/// The mean of `n` amounts in cents, half to even; `None` when there are none. More cancellations than sales give a mean too.
pub fn average(cents: i64, n: i64) -> Option<i64> {
    (n != 0).then(|| narrow(div_half_even(i128::from(cents), i128::from(n))))
}

/// A fraction as millionths, half to even, saturating; 0 for what is not a number.
pub fn round_millionths(x: f64) -> i64 {
    // libm and not std: the same bits everywhere. `as` saturates and maps NaN to 0.
    libm::rint(x * 1e6) as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_to_the_even_neighbour() {
        // (numerator, denominator, nearest)
        for (n, d, q) in [
            (5, 2, 2),   // 2.5
            (7, 2, 4),   // 3.5
            (-5, 2, -2), // -2.5
            (-7, 2, -4), // -3.5
            (5, -2, -2), // -2.5
            (1, 3, 0),   // 0.33
            (2, 3, 1),   // 0.67
            (-1, 3, 0),  // -0.33
            (-2, 3, -1), // -0.67
            (1, 2, 0),   // 0.5
            (-1, 2, 0),  // -0.5
            (3, 2, 2),   // 1.5
            (100, -3, -33),
            (0, 7, 0),
            (7, 0, 0), // no quotient
        ] {
            assert_eq!(div_half_even(n, d), q, "{n} / {d}");
        }
        assert_eq!(div_half_even(i128::MAX, 1), i128::MAX);
        assert_eq!(div_half_even(i128::MIN, -1), i128::MAX); // saturates
        assert_eq!(div_half_even(i128::MAX, i128::MAX - 1), 1);
    }

    #[test]
    fn growth_by_hand() {
        assert_eq!(growth(28, 19), Some(47_368_421)); // 100 * 9/19 = 47.368421052...
        assert_eq!(growth(0, 7), Some(-100_000_000));
        assert_eq!(growth(-7, 7), Some(-200_000_000));
        assert_eq!(growth(7, 7), Some(0));
        assert_eq!(growth(1, 0), None);
        assert_eq!(growth(1, -3), None);
        // 100 * (n - 2^9)/2^9 per cent = 195312.5 millionths a unit: a tie at odd n
        assert_eq!(growth(513, 512), Some(195_312)); // 195312.5
        assert_eq!(growth(515, 512), Some(585_938)); // 585937.5
        assert_eq!(growth(i64::MAX, 1), Some(i64::MAX));
        assert_eq!(growth(i64::MIN, 1), Some(i64::MIN));
    }

    #[test]
    fn averages_by_hand() {
        assert_eq!(average(284_750, 23), Some(12_380)); // 12380.43
        assert_eq!(average(25, 2), Some(12)); // 12.5
        assert_eq!(average(27, 2), Some(14)); // 13.5
        assert_eq!(average(101, -2), Some(-50)); // -50.5: more cancellations than sales
        assert_eq!(average(-101, -2), Some(50)); // 50.5
        assert_eq!(average(5, 0), None);
        assert_eq!(average(i64::MIN, -1), Some(i64::MAX));
    }

    #[test]
    fn fractions_as_millionths() {
        assert_eq!(round_millionths(0.5e-6), 0);
        assert_eq!(round_millionths(1.5e-6), 2);
        assert_eq!(round_millionths(-2.5e-6), -2);
        assert_eq!(round_millionths(f64::NAN), 0);
        assert_eq!(round_millionths(f64::INFINITY), i64::MAX);
        assert_eq!(round_millionths(f64::NEG_INFINITY), i64::MIN);
        assert_eq!(round_millionths(-0.0), 0);
        assert_eq!(round_millionths(4.605170), 4_605_170);
    }

    /// A 256-bit product as (high, low), schoolbook: the referee needs more room than the code under test.
    fn wide(a: u128, b: u128) -> (u128, u128) {
        let (ah, al, bh, bl) = (a >> 64, a & u128::from(u64::MAX), b >> 64, b & u128::from(u64::MAX));
        let (low, mid1, mid2, high) = (al * bl, ah * bl, al * bh, ah * bh);
        let mid = (low >> 64) + (mid1 & u128::from(u64::MAX)) + (mid2 & u128::from(u64::MAX));
        (high + (mid1 >> 64) + (mid2 >> 64) + (mid >> 64), (mid << 64) | (low & u128::from(u64::MAX)))
    }

    proptest! {
        // q is right exactly when |n - q d| * 2 < |d|, or equal and q even.
        #[test]
        fn the_nearest_by_wide_arithmetic(n in any::<i128>(), d in any::<i128>(), small in any::<i64>(), pick in 0..3) {
            let d = match pick { 0 => d, 1 => i128::from(small), _ => i128::from(small % 100) };
            prop_assume!(d != 0 && d != i128::MIN && n != i128::MIN);
            let q = div_half_even(n, d);
            let same_sign = q == 0 || n == 0 || ((q < 0) == ((n < 0) != (d < 0)));
            prop_assert!(same_sign);
            let (high, low) = wide(q.unsigned_abs(), d.unsigned_abs());
            // | |n| - |q||d| | fits 128 bits when q is near; otherwise q is wrong
            let rest = match high {
                0 => low.abs_diff(n.unsigned_abs()),
                _ => u128::MAX,
            };
            let (half_high, doubled) = wide(rest, 2);
            prop_assert!(half_high == 0);
            prop_assert!(doubled < d.unsigned_abs() || (doubled == d.unsigned_abs() && q % 2 == 0), "{} / {} = {}", n, d, q);
        }

        #[test]
        fn growth_is_the_nearest(now in any::<i64>(), reference in 1..i64::MAX) {
            let exact = 100_000_000 * (i128::from(now) - i128::from(reference));
            let found = i128::from(growth(now, reference).unwrap());
            if found != i128::from(i64::MAX) && found != i128::from(i64::MIN) {
                let miss = 2 * (exact - found * i128::from(reference)).abs();
                prop_assert!(miss < i128::from(reference) || (miss == i128::from(reference) && found % 2 == 0));
            }
        }
    }
}

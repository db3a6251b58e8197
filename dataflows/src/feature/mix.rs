//! What a seller sells now, against what it usually sells (DETECTION, feature 17).

use crate::row::round::round_millionths;

/// `category_share_of_seller_1h`: Kullback-Leibler divergence of the mix of categories of the last hour from that of 28 days, in
/// millionths of a nat.
///
/// With lines a_c of the hour, b_c of 28 days, k categories in either, and A, B their sums: p_c = (a_c + 0.5) / (A + k/2), q_c
/// likewise from b, sum p_c ln(p_c / q_c). Window: 1 h against 28 d, the lower end of which lies on a day. Cold start: 0 while
/// the hour has no line. Source: lines, sales less cancellations, net by category, below 0 as 0. `lines` comes in the order of
/// the categories' keys, so that the sum is always taken in one order.
pub fn divergence(lines: impl Iterator<Item = (i64, i64)> + Clone) -> i64 {
    let net = |x: i64| x.max(0) as f64;
    let counted = || lines.clone().filter(|l| l.0 > 0 || l.1 > 0);
    let (mut hour, mut month, mut k) = (0.0, 0.0, 0.0);
    for l in counted() {
        hour += net(l.0);
        month += net(l.1);
        k += 0.5;
    }
    if hour == 0.0 {
        return 0;
    }
    let mut sum = 0.0;
    for l in counted() {
        let p = (net(l.0) + 0.5) / (hour + k);
        sum += p * libm::log(p * (month + k) / (net(l.1) + 0.5));
    }
    round_millionths(sum.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divergences_by_hand() {
        let divergence = |lines: &[(i64, i64)]| divergence(lines.iter().copied());
        assert_eq!(divergence(&[]), 0);
        assert_eq!(divergence(&[(0, 5), (-1, 3)]), 0);
        assert_eq!(divergence(&[(1, 1), (2, 2)]), 0);
        // p = 2.5/3, 0.5/3; q = 0.5/3, 2.5/3: (2/3) ln 5 = 1.072959
        assert_eq!(divergence(&[(2, 0), (0, 2)]), 1_072_959);
    }
}

//! Who buys from a seller: many, or few (DETECTION, feature 7).

use crate::row::round::{div_half_even, narrow};

/// Net lines of the customers of a seller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buyers {
    /// Customers with net lines above 0.
    pub named: i64,
    /// Net lines that name no customer: each counts as a customer of its own.
    pub anonymous: i64,
    /// Net lines of the customer with the most.
    pub most: i64,
    /// Sum of the net lines of these customers.
    pub lines: i64,
    /// Sum of the squares of their net lines.
    pub squares: i64,
}

/// The columns.
///
/// | column | unit | window | cold start |
/// |---|---|---|---|
/// | `distinct_buyers_per_seller_1h` | customers with net lines above 0, and lines without a customer | 1 h | 0 |
/// | `buyer_concentration_1h` | share of the lines that the customer with the most has: max n_c / n | 1 h | 0 |
/// | `buyer_hhi_1h` | Herfindahl index: sum n_c^2 / n^2 | 1 h | 0 |
///
/// Source: sales less cancellations of the seller in `[as_of - 1 h, as_of)`, net by customer.
pub fn columns(buyers: &Buyers) -> [i64; 3] {
    let strangers = buyers.anonymous.max(0);
    let n = i128::from(buyers.lines + strangers);
    let share = |x: i64, of: i128| narrow(div_half_even(1_000_000 * i128::from(x), of));
    let most = buyers.most.max(strangers.min(1));
    [buyers.named + strangers, share(most, n), share(buyers.squares + strangers, n * n)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concentration_by_hand() {
        assert_eq!(columns(&Buyers::default()), [0, 0, 0]);
        // 3, 1 and two strangers: n = 6, 3/6, (9 + 1 + 1 + 1) / 36
        let buyers = Buyers { named: 2, anonymous: 2, most: 3, lines: 4, squares: 10 };
        assert_eq!(columns(&buyers), [4, 500_000, 333_333]);
        assert_eq!(columns(&Buyers { anonymous: 1, ..Buyers::default() }), [1, 1_000_000, 1_000_000]);
        assert_eq!(columns(&Buyers { anonymous: -1, ..Buyers::default() }), [0, 0, 0]);
    }
}

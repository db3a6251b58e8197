//! What a seller sold in the last hour. The formulas are the sums themselves (DETECTION, feature 1).

use crate::row::SellerColumns;
use serde::{Deserialize, Serialize};

/// Integer aggregates of one seller over `[as_of - 1 h, as_of)`, sales less cancellations; returns do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SellerSums {
    /// Lines.
    pub n: i64,
    /// Units.
    pub units: i64,
    /// Cents.
    pub cents: i64,
    /// Distinct (customer, whole minute), plus the lines that name no customer.
    pub orders: i64,
}

/// The seller's columns.
///
/// | column | unit | window | cold start |
/// |---|---|---|---|
/// | `seller_volume_last_1h` | items: the sum of quantities | 1 h, every feature slide | 0, a true zero |
/// | `seller_revenue_last_1h` | currency: the sum of price times quantity | same | 0.00 |
/// | `seller_orders_last_1h` | distinct (customer, minute); null when `orders_kept` is false | same | 0 |
/// | `n_support` | lines | same | 0 |
pub fn seller(sums: &SellerSums, orders_kept: bool) -> SellerColumns {
    SellerColumns { volume: sums.units, revenue: sums.cents, orders: orders_kept.then_some(sums.orders), n_support: sums.n }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_the_features() {
        let sums = SellerSums { n: 3, units: 7, cents: 12_345, orders: 2 };
        let columns = SellerColumns { volume: 7, revenue: 12_345, orders: Some(2), n_support: 3 };
        assert_eq!(seller(&sums, true), columns);
        assert_eq!(seller(&sums, false), SellerColumns { orders: None, ..columns });
    }
}

//! The columns of the feature tables and of `scores`, behind those that name the row: `key`, `as_of` and `revision`, or
//! `id_sale` and the others of `scores`.
//!
//! A row is computed as one integer a column, in this order, so that there is one writer for all of them, and one list for
//! whoever reads them. Money is cents, fractions are millionths, [`NULL`] stands for none.

use super::fact::class::{self, CATEGORY as CATEGORIES, CUSTOMER as CUSTOMERS, PRODUCT as PRODUCTS, SELLER as SELLERS};
use crate::edge::Table;
use crate::feature::vector::WIDTH;

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string.
    Text,
    /// A time.
    Time,
    /// A whole number.
    Integer,
    /// Two decimals.
    Money,
    /// Six decimals.
    Fraction,
    /// A list of so many fractions.
    Fractions(usize),
    /// 0 `product`, 1 `category`, 2 `none`.
    Level,
    /// A list of objects `product`, `copurchase_count_30d`, `basket_affinity`.
    Pairs,
    /// As it came with the record: a string, a number, or null.
    Carried,
}

/// No value.
pub const NULL: i64 = i64::MIN;

/// A column.
pub type Column = (&'static str, Type);

use Type::{Carried, Fraction, Fractions, Integer, Level, Money, Pairs, Text, Time};

/// `seller_features`.
pub const SELLER: &[Column] = &[
    ("seller_volume_last_1h", Integer),
    ("seller_revenue_last_1h", Money),
    ("seller_orders_last_1h", Integer),
    ("n_support", Integer),
    ("velocity_seller_1m", Integer),
    ("velocity_seller_5m", Integer),
    ("velocity_seller_1h", Integer),
    ("velocity_seller_24h", Integer),
    ("velocity_seller_amount_1m", Money),
    ("velocity_seller_amount_5m", Money),
    ("velocity_seller_amount_1h", Money),
    ("velocity_seller_amount_24h", Money),
    ("velocity_seller_ratio_1h_24h", Fraction),
    ("distinct_buyers_per_seller_1h", Integer),
    ("buyer_concentration_1h", Fraction),
    ("buyer_hhi_1h", Fraction),
    ("refund_rate_30d", Fraction),
    ("refund_rate_30d_lag7", Fraction),
    ("refund_n_support", Integer),
    ("category_share_of_seller_1h", Fraction),
    ("category_share_n_support", Integer),
    ("time_since_last_sale_seller", Fraction),
    ("seller_age_days", Fraction),
    ("seller_first_hour_volume", Integer),
];

/// `category_features`.
pub const CATEGORY: &[Column] = &[
    ("category_trend_30min", Fraction),
    ("category_trend_30min_se", Fraction),
    ("category_revenue_30min", Money),
    ("category_volume_30min", Integer),
    ("price_mean_ln", Fraction),
    ("price_sd_ln", Fraction),
    ("n", Integer),
    ("n_support", Integer),
    ("category_trend_30min_seasonal", Fraction),
    ("category_trend_30min_seasonal_se", Fraction),
    ("category_trend_30min_theil_sen", Fraction),
    ("category_trend_30min_mann_kendall", Fraction),
    ("seasonal_index", Fraction),
    ("seasonality_score", Fraction),
    ("seasonality_n_support", Integer),
];

/// `product_features`.
pub const PRODUCT: &[Column] = &[
    ("product_orders_last_1h", Integer),
    ("product_volume_last_1h", Integer),
    ("product_revenue_last_1h", Money),
    ("product_orders_last_24h", Integer),
    ("product_volume_last_24h", Integer),
    ("price_median_ln", Fraction),
    ("days_since_price_change", Fraction),
    ("price_n_support", Integer),
    ("refund_rate_30d", Fraction),
    ("refund_rate_30d_lag7", Fraction),
    ("n_support", Integer),
    ("time_since_last_sale_product", Fraction),
    ("product_age_days", Fraction),
    ("stock_cover_h", Fraction),
    ("p_stockout_before", Fraction),
    ("stock_n_support", Integer),
    ("copurchased", Pairs),
];

/// `customer_features`.
pub const CUSTOMER: &[Column] = &[
    ("velocity_customer_1m", Integer),
    ("velocity_customer_5m", Integer),
    ("velocity_customer_1h", Integer),
    ("velocity_customer_24h", Integer),
    ("velocity_customer_amount_1m", Money),
    ("velocity_customer_amount_5m", Money),
    ("velocity_customer_amount_1h", Money),
    ("velocity_customer_amount_24h", Money),
    ("velocity_customer_ratio_1h_24h", Fraction),
    ("distinct_sellers_per_customer_1h", Integer),
    ("distinct_payment_types_per_customer_24h", Integer),
    ("refund_rate_30d", Fraction),
    ("refund_rate_30d_lag7", Fraction),
    ("refund_n_support", Integer),
    ("amount_mean_ln", Fraction),
    ("amount_sd_ln", Fraction),
    ("time_since_last_sale_customer", Fraction),
    ("is_new", Integer),
    ("n_support", Integer),
    ("customer_behavior_vector_version", Integer),
    ("customer_behavior_vector", Fractions(WIDTH)),
];

/// What a sale itself has of its product, in `scores` only.
pub const OF_PRICE: &[Column] = &[
    ("price_zscore", Fraction),
    ("price_knn2", Fraction),
    ("price_level_used", Level),
    ("price_level_n_support", Integer),
    ("price_change_vs_own", Fraction),
];

/// What a sale itself has of its customer, in `scores` only.
pub const OF_CUSTOMER: &[Column] = &[("amount_vs_customer", Fraction), ("hour_of_day_surprise", Fraction)];

/// What is known of the way of payment, in `scores` only.
pub const OF_PAYMENT: &[Column] = &[
    ("velocity_payment_1m", Integer),
    ("velocity_payment_5m", Integer),
    ("velocity_payment_1h", Integer),
    ("velocity_payment_24h", Integer),
    ("velocity_payment_amount_1m", Money),
    ("velocity_payment_amount_5m", Money),
    ("velocity_payment_amount_1h", Money),
    ("velocity_payment_amount_24h", Money),
    ("velocity_payment_ratio_1h_24h", Fraction),
];

/// What names a row of `scores`, and what is only carried.
pub const OF_SALE: &[Column] = &[
    ("sale_date", Time),
    ("learned", Time),
    ("id_product", Text),
    ("seller", Text),
    ("nm_category", Text),
    ("id_customer", Text),
    ("price", Money),
    ("quantity", Integer),
    ("tp_payment", Text),
    ("total_value", Money),
    ("id_sale", Text),
    ("customer_segment", Carried),
    ("seasonality_factor", Carried),
    ("discount_percentage", Carried),
    ("product_rating", Carried),
    ("seller_region", Carried),
    ("sales_channel", Carried),
    ("proctime", Carried),
];

/// How many columns of a table enter `scores`: a list of other products is no part of a vector.
pub fn scored(columns: &'static [Column]) -> &'static [Column] {
    match columns.split_last() {
        Some((last, rest)) if last.1 == Pairs => rest,
        _ => columns,
    }
}

/// The columns of a table behind those that name the row (`key`, `as_of`, `revision`), in order; for `scores` all of them. Empty
/// for other tables.
pub fn columns(table: Table) -> Vec<Column> {
    match table {
        Table::SellerFeatures => SELLER.to_vec(),
        Table::CategoryFeatures => CATEGORY.to_vec(),
        Table::ProductFeatures => PRODUCT.to_vec(),
        Table::CustomerFeatures => CUSTOMER.to_vec(),
        Table::Scores => [OF_SALE, &scores()].concat(),
        _ => vec![],
    }
}

/// What several tables have is called after its class in `scores`.
fn told_apart(class: usize, name: &'static str) -> &'static str {
    match (class, name) {
        (SELLERS, "n_support") => "seller_n_support",
        (SELLERS, "refund_rate_30d") => "seller_refund_rate_30d",
        (SELLERS, "refund_rate_30d_lag7") => "seller_refund_rate_30d_lag7",
        (SELLERS, "refund_n_support") => "seller_refund_n_support",
        (PRODUCTS, "n_support") => "product_n_support",
        (PRODUCTS, "refund_rate_30d") => "product_refund_rate_30d",
        (PRODUCTS, "refund_rate_30d_lag7") => "product_refund_rate_30d_lag7",
        (CATEGORIES, "n") => "category_n",
        (CATEGORIES, "n_support") => "category_n_support",
        (CUSTOMERS, "n_support") => "customer_n_support",
        (CUSTOMERS, "refund_rate_30d") => "customer_refund_rate_30d",
        (CUSTOMERS, "refund_rate_30d_lag7") => "customer_refund_rate_30d_lag7",
        (CUSTOMERS, "refund_n_support") => "customer_refund_n_support",
        _ => name,
    }
}

/// The columns of a class in its own table.
pub fn of(class: usize) -> &'static [Column] {
    [SELLER, PRODUCT, CATEGORY, CUSTOMER][class]
}

/// The columns that a class gives to `scores`: those of its table, and what the sale itself has of it.
pub fn given(class: usize) -> Vec<Column> {
    let own = scored(of(class)).iter().map(|c| (told_apart(class, c.0), c.1));
    let beside: &[Column] = match class {
        PRODUCTS => OF_PRICE,
        CUSTOMERS => OF_CUSTOMER,
        _ => &[],
    };
    own.chain(beside.iter().copied()).collect()
}

/// The scoring vector: what seller, product, category and customer give, and the way of payment.
pub fn scores() -> Vec<Column> {
    (0..class::COUNT).flat_map(given).chain(OF_PAYMENT.iter().copied()).collect()
}

/// How many integers a row of these columns has.
pub fn width(columns: &[Column]) -> usize {
    columns.iter().map(|c| if let Fractions(n) = c.1 { n } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_twice() {
        for table in Table::ALL {
            let mut names: Vec<_> = columns(table).iter().map(|c| c.0).collect();
            let all = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), all, "{}", table.name());
        }
    }
}

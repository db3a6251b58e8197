//! The rows that leave, as values.
//!
//! Money is cents, fractions are millionths (six decimals), times are milliseconds since the Unix epoch: a row holds integers
//! only, so that two rows are equal exactly when their bytes are.
//! [`round`] has the divisions that make derived columns, [`json`] turns rows into lines.

use crate::sale::Fault;
use serde::{Deserialize, Serialize};

pub mod round;
pub mod text;
pub mod json;
pub mod event;

/// A row of the `windows` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowRow {
    /// Index of the definition in the plan.
    pub window: u8,
    /// Start and end of the window, milliseconds since the Unix epoch.
    pub start: i64,
    /// See `start`.
    pub end: i64,
    /// 0 for the first row of this (window, end).
    pub revision: u32,
    /// Taken back: only the key columns and the revision leave.
    pub deleted: bool,
    /// The columns.
    pub columns: WindowColumns,
}

/// The columns of a window that revisions compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowColumns {
    /// The end of the input came before the end of the window.
    pub partial: bool,
    /// Empty windows that were not written before this one.
    pub empty_before: u64,
    /// Sales less cancellations.
    pub total_sales: i64,
    /// Units.
    pub total_units: i64,
    /// Cents.
    pub total_revenue: i64,
    /// Units that came back.
    pub returned_units: i64,
    /// Cents that came back.
    pub returned_revenue: i64,
    /// Cents of the biggest sale, `None` without one.
    pub biggest_sale: Option<i64>,
    /// Distinct sellers with net sales above 0 in at least one slide.
    pub active_sellers: i64,
    /// Distinct categories, likewise.
    pub active_categories: i64,
    /// Distinct products, likewise.
    pub active_products: i64,
    /// Category with the most net sales above 0, ties to the smaller name, and its sales.
    pub top_category: Option<(String, i64)>,
    /// Seller with the most net sales above 0, ties to the smaller name, and its sales.
    pub top_seller: Option<(String, i64)>,
    /// Growth of sales in millionths of a per cent, `None` without a reference.
    pub growth_pct: Option<i64>,
    /// Names of the gates that failed.
    pub gates_failed: Vec<Gate>,
}

/// A quality gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Gate {
    /// Too few sales.
    TotalSales,
    /// Too little revenue.
    TotalRevenue,
    /// Too few sellers.
    ActiveSellers,
    /// Too many rejected records.
    Schema,
    /// Too many records from the future or too late.
    Timestamp,
}

impl Gate {
    /// As it stands in `gates_failed`.
    pub fn name(self) -> &'static str {
        match self {
            Gate::TotalSales => "total_sales",
            Gate::TotalRevenue => "total_revenue",
            Gate::ActiveSellers => "active_sellers",
            Gate::Schema => "schema",
            Gate::Timestamp => "timestamp",
        }
    }
}

/// A row of `seller_features`. The key stands outside: millions of these are compared and written, names only written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerRow {
    /// The features look at the time before this one, milliseconds since the Unix epoch.
    pub as_of: i64,
    /// 0 for the first row of this (key, `as_of`).
    pub revision: u32,
    /// Taken back: only the key columns and the revision leave.
    pub deleted: bool,
    /// The columns.
    pub columns: SellerColumns,
}

/// The columns of `seller_features` that revisions compare; see [`crate::feature::seller`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerColumns {
    /// `seller_volume_last_1h`: units.
    pub volume: i64,
    /// `seller_revenue_last_1h`: cents.
    pub revenue: i64,
    /// `seller_orders_last_1h`, `None` when the settings leave it out.
    pub orders: Option<i64>,
    /// Lines that the features rest on.
    pub n_support: i64,
}

/// A row of `category_features`; the key stands outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryRow {
    /// The features look at the time before this one, milliseconds since the Unix epoch.
    pub as_of: i64,
    /// 0 for the first row of this (key, `as_of`).
    pub revision: u32,
    /// Taken back: only the key columns and the revision leave.
    pub deleted: bool,
    /// The columns.
    pub columns: CategoryColumns,
}

/// The columns of `category_features` that revisions compare; see [`crate::feature::category`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryColumns {
    /// `category_trend_30min` in millionths.
    pub trend: i64,
    /// `category_trend_30min_se` in millionths.
    pub trend_se: i64,
    /// `category_revenue_30min`: cents.
    pub revenue: i64,
    /// `category_volume_30min`: units.
    pub volume: i64,
    /// `price_mean_ln` in millionths, `None` without a line.
    pub price_mean_ln: Option<i64>,
    /// `price_sd_ln` in millionths, `None` without a line.
    pub price_sd_ln: Option<i64>,
    /// `n` and `n_support`: lines that the features rest on.
    pub n: i64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Disposition {
    /// It breaks a rule; to the dead letters.
    Rejected,
    /// No window and no feature takes it any more; to the dead letters.
    TooLate,
    /// It came before; counted only.
    Duplicate,
    /// It counts.
    Accepted,
}

impl Disposition {
    /// As it stands in `disposition` and in `summary.json`.
    pub fn name(self) -> &'static str {
        match self {
            Disposition::Rejected => "rejected",
            Disposition::TooLate => "too_late",
            Disposition::Duplicate => "duplicate",
            Disposition::Accepted => "accepted",
        }
    }
}

/// A row of `dead_letters`: a record that does not count, with its bytes untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The input as the user named it: a path, `-`, a topic.
    pub source: &'a str,
    /// Index of the input, or the Kafka partition.
    pub partition: u32,
    /// Where the record begins in the input.
    pub offset: u64,
    /// The broker's time, milliseconds since the Unix epoch; files have none.
    pub timestamp: Option<i64>,
    /// Rejected or too late.
    pub disposition: Disposition,
    /// All that is wrong with it.
    pub errors: &'a [Fault],
    /// The record as it came.
    pub payload: &'a [u8],
}

//! The rows that leave, as values.
//!
//! Money is cents, fractions are millionths (six decimals), times are milliseconds since the Unix epoch: a row holds integers
//! only, so that two rows are equal exactly when their bytes are.

use serde::{Deserialize, Serialize};

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

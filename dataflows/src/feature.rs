//! Features: what is derived from the integer aggregates of a key, at the edge, once.
//!
//! The dataflow keeps sums only, which add and subtract exactly in any order; the formulas here run over them when a row
//! leaves. Where a formula is a quotient of integers it is computed as one and rounded once; a float appears only for a
//! logarithm or a root, from `libm`, so that every machine writes the same six decimals.

mod category;
mod seller;
pub mod affinity;
pub mod amount;
pub mod concentration;
pub mod elapsed;
pub mod hours;
pub mod mix;
pub mod price;
pub mod price_change;
pub mod refund;
pub mod season_trend;
pub mod seasonality;
pub mod stock;
pub mod vector;
pub mod velocity;

pub use category::{CategorySums, category, ln_fixed};
pub use seller::{SellerSums, seller};

//! Profiles: features that look back further than an hour, or at single sales, and the scoring vector of each sale.
//!
//! ```text
//! released ─► gather ─┬─ blocks ─► combine                       (windows, sums of an hour)
//!                     ├─ items ──► baskets ──────────┐
//!                     ├─ told ───────────────────────┴► profiles ─► rows of the feature tables
//!                     └─ tickets ──────────────────────────parts──► scores ─► rows of scores
//! ```
//!
//! Where the sums of [`pane`](crate::pane) are asked what they hold, a profile is asked what it knows: medians, greatest shares,
//! the last sale, what was bought together. Each is a plain struct of panes on the owner of its key ([`seller`], [`product`],
//! [`category`], [`customer`]), from which a row as of any time of the last minutes is computed anew by formulas of
//! [`feature`](crate::feature). So late records, cancellations and the vector of the moment before a sale need no code of their own.
//!
//! Rows. A key has a row as of T when lines, units, cents or returns of the slide that ends at T, or of the one that leaves the
//! hour at T, are not all 0 (of a seller: the lines of each customer and category); a category when one of the integers of its half
//! hour differs. So rows are at most two for each (key, slide) with a record, however long the horizons: a value of a longer
//! horizon that falls as time passes shows in the next row. Late records restate the rows within the allowed lateness; what comes
//! later than that enters at the oldest row that is still revised.

/// Counts the changes of what a profile's state means: a checkpoint of another version is refused.
pub const VERSION: u32 = 4;

pub mod columns;
pub mod fact;
pub mod gather;
pub mod baskets;
pub mod env;
pub mod ring;
pub mod shares;
pub mod people;
pub mod population;
pub mod seller;
pub mod shelf;
pub mod product;
pub mod category;
pub mod customer;
pub mod sums;
pub mod together;
pub mod said;
pub mod turn;
pub mod write;
pub mod kinds;
pub mod class;
pub mod stage;
pub mod operator;
pub mod scores;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

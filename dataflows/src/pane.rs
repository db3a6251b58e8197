//! Panes: aggregate before arranging.
//!
//! ```text
//! released ─► combine ──totals──────────────► totals ─────────► sums of each window
//!             (key, pane)  sellers ─exchange─► store ─► presence, best key, sums a key
//!             on each      categories ───────► store ─►    "
//!             reader       products ─────────► store ─► presence
//!                          amounts ──────────► amounts ───────► biggest sale
//! ```
//!
//! `combine` folds the sales that a worker has read into (key, pane) aggregates; a pane leaves when the
//! watermark passes it, so that only aggregates are exchanged. The store, on the worker that owns the key, keeps the panes
//! and says what changes: linear sums go to the rows of features as they are, each retraction when it is due and never
//! early. What is not linear, distinct counts, best keys and the biggest sale, leaves as
//! step functions of the event tick, about one update a tick, which differential counts and corrects.
//!
//! The difficult state is in plain structs without timely in them: [`arena`], [`due`], [`presence`], [`maxima`], [`best`], [`orders`], [`minutes`].

pub mod tally;
pub mod delta;
pub mod told;
pub mod heads;
pub mod facts;
pub mod note;
pub mod signed;
pub mod fold;
pub mod journal;
pub mod combine;
pub mod touched;
pub mod texts;
pub mod names;
pub mod maxima;
pub mod due;
pub mod arena;
pub mod presence;
pub mod best;
pub mod orders;
pub mod minutes;
pub mod class;
pub mod store;
pub mod totals;
pub mod amounts;

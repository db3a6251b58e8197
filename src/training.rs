//! Training sets: what the features of a key were at a time, for a list of (key, time).
//!
//! A feature has two histories, and a model needs both told apart. The dataflow's times are pairs, so both are there:
//!
//! ```text
//! learned ▲             `known` at t: the last row of the lines learned up to t, which is what was served then
//!         │        ▒▒▒▒█                (a late sale had not come yet)
//!       t ┼ ─ ─ ─ ─▒▒▒▒░ ─ ─
//!         │    ████    ┊       `final` at t: the last row up to as_of t, as it was left by all corrections
//!         └────────────┼────►
//!                      t  as_of
//! ```
//!
//! Inputs run through the same engine as in `replay`, and their rows into the same views as those that are served; each request is
//! answered from the view when the stream has come to its time. So there is no second definition of a feature, nor of when it was
//! known, and only rows of keys that somebody asks for are kept.
//!
//! | part | |
//! |---|---|
//! | [`wanted`] | the list |
//! | [`collect`] | the sink that answers it |
//! | [`table`] | the answers as Parquet |

pub mod wanted;
pub mod collect;
pub mod table;

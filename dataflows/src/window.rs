//! The global windows: from step functions to rows and their revisions.
//!
//! Differential says how the sums, the best keys and the biggest sale of a definition change over window ends, and how late
//! records correct them. [`assemble`] keeps those functions for the ends that may still change or be compared with, derives
//! what the table should say of each end, and lets a row leave exactly when that differs from what was last said.

pub mod assemble;
pub mod steps;
pub mod epochs;
pub mod operator;

pub use operator::windows;

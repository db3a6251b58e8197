//! How features are served, in numbers.

use super::histogram::Histogram;
use dataflows::edge::Table;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

/// Serving the last features.
#[derive(Debug, Default)]
pub struct Serving {
    /// Whether they are served.
    pub on: AtomicBool,
    /// The watermark that answers are made from, in milliseconds since the Unix epoch; 0 before there is one.
    pub watermark: AtomicI64,
    /// Keys by table.
    pub keys: [AtomicU64; Table::COUNT],
    /// Requests that were answered, and that were refused.
    pub requests: [AtomicU64; 2],
    /// Values by status, see [`crate::serving::feast::STATUSES`].
    pub values: [AtomicU64; 4],
    /// From the whole request to the whole answer.
    pub duration: Histogram,
}

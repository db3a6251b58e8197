//! Where rows go: each sink is a [`dataflows::edge::RowSink`].

pub mod files;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod lines;
pub mod tally;
#[cfg(feature = "kafka")]
pub mod webhook;

//! Where rows go: each sink is a [`dataflows::edge::RowSink`].

pub mod files;
pub mod lines;
pub mod tally;

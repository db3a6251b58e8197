//! Where rows go: each sink is a [`dataflows::edge::RowSink`].

pub mod files;

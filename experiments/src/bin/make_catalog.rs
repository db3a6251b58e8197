//! Rewrites `data/catalog.csv` from the tables of departments and categories beside it.
//!
//! Run it with `cargo run -p experiments --bin make_catalog` after a change of those tables.

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/catalog.csv");
    std::fs::write(path, vitrine::generate::compose::compose()).with_context(|| format!("writing {path}"))
}

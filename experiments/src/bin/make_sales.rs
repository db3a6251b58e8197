//! Makes the sales that the peers are compared on, and says what they are; it measures nothing itself.
//!
//! The file is the one that `throughput` uses with the same numbers. What is printed is a record as the measurements keep it,
//! whose result is the path, so that a comparison written in another language needs neither a generator nor a hash of its own.
//!
//! ```text
//! cargo run --release -p experiments --bin make_sales -- --sales 1000000 --minutes 30
//! ```

#![expect(clippy::print_stdout, reason = "the record goes to stdout")]

use anyhow::Result;
use clap::Parser;
use experiments::data::{self, Data};
use experiments::record::{Record, Source};
use serde_json::json;
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "A file of generated sales, and a record of what it is")]
struct Arguments {
    /// Folder for generated data [default: experiments in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
}

fn main() -> Result<()> {
    let a = Arguments::parse();
    let path = a.data.file(&a.folder.unwrap_or_else(data::folder))?;
    let record = Record::new(Source::of(&path)?, json!({"path": path}));
    println!("{}", serde_json::to_string(&record)?);
    Ok(())
}

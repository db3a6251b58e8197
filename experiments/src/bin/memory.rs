//! How many bytes does a live (key, pane) cost, and does what is kept stay flat over ten times the longest window?
//!
//! Method: eleven hours of sales, the longest window being one hour, go through the pipeline of R4 on one worker. Each hour the
//! entries of the stores, the bytes reserved for them and the resident memory of the process are noted. Flat means: after the
//! first two hours, in which the windows fill, nothing grows but by noise. Orders and the amounts of sales are kept besides.
//!
//! ```text
//! cargo run --release -p experiments --bin memory
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::Result;
use clap::Parser;
use experiments::data::{Data, SELLERS};
use experiments::engine::{self, Run};
use experiments::feed::{Feed, Plain};
use experiments::job::{self, Job};
use experiments::record::Options;
use experiments::sink::Null;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use vitrine::engine::AHEAD;

#[derive(Parser)]
#[command(about = "Bytes by live (key, pane), and what is kept over ten times the longest window")]
struct Arguments {
    /// Sales in an hour
    #[arg(long, default_value_t = 300_000, value_name = "N")]
    hourly: u64,
    /// Hours of event time
    #[arg(long, default_value_t = 11, value_name = "N")]
    hours: u64,
    /// Folder for generated data [default: experiments in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    keep: Options,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sales = arguments.hourly * arguments.hours;
    let data = Data { sales, minutes: arguments.hours * 60, late: 1, cancelled: 1, customers: 200_000, sellers: SELLERS };
    let plan = Job::R4.plan(true, &[])?;
    let schema = job::schema(&plan);
    let path = data.file(&arguments.folder.clone().unwrap_or_else(experiments::data::folder))?;
    let feed = Feed::Ndjson(Arc::new(Plain::open(&path)?));
    let run = Run { plan, schema, feed, workers: 1, ahead: AHEAD, sink: Null::default(), stages: false, states: true };
    let outcome = engine::run(&run)?;

    println!("{} sales an hour for {} hours, 1 % late, 1 % cancelled, R4, one worker", arguments.hourly, arguments.hours);
    println!(
        "{:>7} {:>12} {:>10} {:>10} {:>10} {:>10} {:>12}",
        "minute", "entries", "sellers", "categories", "products", "B/entry", "resident MB"
    );
    let mut rows = vec![];
    for hour in 0..=arguments.hours {
        let Some(state) = outcome.states.iter().rev().find(|s| s.minutes <= hour as f64 * 60.0) else { continue };
        let classes = state.sizes.classes;
        let entries: usize = classes.iter().map(|c| c.0).sum();
        let bytes: usize = classes.iter().map(|c| c.1).sum();
        println!(
            "{:>7.0} {entries:>12} {:>10} {:>10} {:>10} {:>10.1} {:>12.1}",
            state.minutes,
            classes[0].0,
            classes[1].0,
            classes[2].0,
            bytes as f64 / entries.max(1) as f64,
            state.resident as f64 / 1e6,
        );
        rows.push(json!({"minute": state.minutes, "entries": entries, "store_bytes": bytes, "resident_bytes": state.resident}));
    }
    arguments.keep.keep(&path, json!({"hourly": arguments.hourly, "hours": arguments.hours, "states": rows}))
}

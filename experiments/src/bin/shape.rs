//! What do overlap, lateness and the number of keys cost, and how does what is kept grow with the keys?
//!
//! Method: the pipeline on one worker, over files that differ in one thing at a time. Overlap: one window of 15 min, whose slide
//! goes from 15 min down to a second, so that a sale lies in 1 to 900 of them. Lateness: one window a minute long, 5 % of the sales
//! late, and an allowed lateness of none to 30 slides. Keys: R4 with more and more sellers; the entries and bytes of the
//! stores are the greatest of the run. Medians; all shapes in turn, so that a noisy minute hits all of them.
//!
//! ```text
//! cargo run --release -p experiments --bin shape
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::Result;
use clap::Parser;
use dataflows::plan::{Plan, Spec, WindowSpec};
use experiments::data::{self, Data, SELLERS};
use experiments::engine::{self, Run};
use experiments::feed::{Feed, Plain};
use experiments::job::{self, Job};
use experiments::measure::{cost, median};
use experiments::record::Options;
use experiments::sink::Null;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use vitrine::engine::AHEAD;

#[derive(Parser)]
#[command(about = "CPU seconds against overlap, lateness and keys")]
struct Arguments {
    /// Sales of each file
    #[arg(long, default_value_t = 2_000_000, value_name = "N")]
    sales: u64,
    /// Minutes of event time over which they are spread
    #[arg(long, default_value_t = 75, value_name = "N")]
    minutes: u64,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 5, value_name = "N")]
    reps: usize,
    /// Folder for generated data [default: experiments in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    keep: Options,
}

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;

/// Slides of the window of 15 min.
const SLIDES: [i64; 6] = [15 * MINUTE, 5 * MINUTE, MINUTE, 15 * SECOND, 5 * SECOND, SECOND];
/// Allowed lateness of the window of a minute every half, in slides.
const LATENESS: [i64; 5] = [0, 1, 2, 10, 30];
/// Sellers.
const KEYS: [u64; 4] = [100, 1_000, SELLERS, 100_000];

/// One thing that is varied, and how far.
struct Shape {
    axis: &'static str,
    value: u64,
    plan: Arc<Plan>,
    data: Data,
}

/// What a run of it took.
#[derive(Clone, Copy, Default)]
struct Took {
    cpu: f64,
    entries: usize,
    bytes: usize,
}

fn main() -> Result<()> {
    let a = Arguments::parse();
    let folder = a.folder.clone().unwrap_or_else(data::folder);
    let shapes = shapes(a.usual())?;
    let mut took: Vec<Vec<Took>> = vec![vec![]; shapes.len()];
    for _ in 0..a.reps {
        for (shape, took) in shapes.iter().zip(&mut took) {
            took.push(shape.run(Arc::new(Plain::open(&shape.data.file(&folder)?)?))?);
        }
    }
    println!("{:<9} {:>8} {:>8} {:>7} {:>10} {:>9}", "axis", "value", "CPU s", "times", "entries", "MB");
    let mut rows = vec![];
    let mut base = ("", 1.0);
    for (shape, took) in shapes.iter().zip(&took) {
        let Shape { axis, value, .. } = shape;
        let cpu = median(took.iter().map(|took| took.cpu));
        if base.0 != *axis {
            base = (axis, cpu);
        }
        let Took { entries, bytes, .. } = took.first().copied().unwrap_or_default();
        println!("{axis:<9} {value:>8} {cpu:>8.3} {:>7.2} {entries:>10} {:>9.1}", cpu / base.1, bytes as f64 / 1e6);
        let all: Vec<f64> = took.iter().map(|took| took.cpu).collect();
        rows.push(
            json!({"axis": axis, "value": value, "cpu_s": all, "median_cpu_s": cpu, "entries": entries, "store_bytes": bytes}),
        );
    }
    a.keep.keep(&a.usual().file(&folder)?, json!({"sales": a.sales, "minutes": a.minutes, "rows": rows}))
}

impl Arguments {
    /// The data from which those of a shape may differ.
    fn usual(&self) -> Data {
        Data { sales: self.sales, minutes: self.minutes, late: 0, cancelled: 0, customers: 0, sellers: SELLERS }
    }
}

/// All of them, in the order in which they run.
fn shapes(plain: Data) -> Result<Vec<Shape>> {
    let mut shapes = vec![];
    for slide in SLIDES {
        let plan = window(15 * MINUTE, slide, slide)?;
        shapes.push(Shape { axis: "overlap", value: (15 * MINUTE / slide) as u64, plan, data: plain });
    }
    for slides in LATENESS {
        let plan = window(MINUTE, MINUTE / 2, slides * MINUTE / 2)?;
        shapes.push(Shape { axis: "lateness", value: slides as u64, plan, data: Data { late: 5, ..plain } });
    }
    for sellers in KEYS {
        shapes.push(Shape { axis: "keys", value: sellers, plan: Job::R4.plan(false, &[])?, data: Data { sellers, ..plain } });
    }
    Ok(shapes)
}

/// One window and nothing else.
fn window(size: i64, slide: i64, lateness: i64) -> Result<Arc<Plan>> {
    let mut spec = Spec::default();
    let name = format!("{}s/{}s", size / SECOND, slide / SECOND);
    spec.windows = vec![WindowSpec { name, size, slide, lateness, biggest: true }];
    spec.features.enabled = false;
    Ok(Arc::new(Plan::new(&spec)?))
}

impl Shape {
    fn run(&self, file: Arc<Plain>) -> Result<Took> {
        let (plan, schema) = (self.plan.clone(), job::schema(&self.plan));
        let feed = Feed::Ndjson(file);
        let run = Run { plan, schema, feed, workers: 1, ahead: AHEAD, sink: Null::default(), stages: false, states: true };
        let (cost, outcome) = cost(|| engine::run(&run));
        let kept = outcome?.states.into_iter().map(|state| {
            let classes = state.sizes.classes;
            (classes.iter().map(|class| class.0).sum(), classes.iter().map(|class| class.1).sum())
        });
        let (entries, bytes) = kept.max().unwrap_or((0, 0));
        Ok(Took { cpu: cost.cpu, entries, bytes })
    }
}

//! How many sales does the pipeline take in a CPU second, and what does it cost compared with a loop written by hand?
//!
//! Method: the same sales go alternately through the hand loop and through the pipeline that `replay` builds, in one process;
//! both write all rows as JSON into a sink that counts and hashes them. Medians of CPU seconds are compared. Where nothing
//! is late, the rows of both are compared in the same run, byte for byte. What is asked for with `--also` the hand loop cannot do:
//! then the pipeline runs alone. One more run tells the share of each stage. The certificate is that of `vitrine replay`: two
//! programs with the same one wrote the same rows.
//!
//! ```text
//! cargo run --release -p experiments --bin throughput -- --job r4 --from ndjson
//! cargo run --release -p experiments --bin throughput -- --customers 1000000 --also detectors,features
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Result, bail};
use clap::Parser;
use dataflows::plan::Plan;
use dataflows::schema::Schema;
use experiments::data::{self, Data};
use experiments::engine::{self, Outcome, Run};
use experiments::feed::{Archive, Cached, Feed, From, Plain};
use experiments::job::{self, Also, Job};
use experiments::measure::{Cost, cost, median};
use experiments::record::Options;
use experiments::sink::{Null, compare, first_difference};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use vitrine::engine::AHEAD;

#[derive(Parser)]
#[command(about = "Sales per CPU second, of the pipeline and of a loop written by hand")]
struct Arguments {
    /// What is computed
    #[arg(long, value_enum, default_value = "r4")]
    job: Job,
    /// What is computed besides, with commas between
    #[arg(long, value_enum, value_delimiter = ',')]
    also: Vec<Also>,
    /// Where the sales come from
    #[arg(long, value_enum, default_value = "ndjson")]
    from: From,
    /// Threads of the pipeline
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: usize,
    /// Blocks that are under way, for each thread
    #[arg(long, default_value_t = AHEAD, value_name = "N")]
    ahead: u64,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 5, value_name = "N")]
    reps: usize,
    /// Only the hand loop or only the pipeline, for a profiler
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Folder for generated data [default: experiments in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    keep: Options,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    Hand,
    Pipeline,
}

/// What all runs share.
struct Bench {
    plan: Arc<Plan>,
    schema: Arc<Schema>,
    file: Arc<Plain>,
    archive: Option<Archive>,
    /// Where the file and its cache are, when that is what is read.
    cached: Option<(PathBuf, PathBuf)>,
    workers: usize,
    ahead: u64,
}

impl Bench {
    fn feed(&self) -> Feed {
        match (&self.archive, &self.cached) {
            (Some(archive), _) => Feed::Decoded(archive.copy()),
            (_, Some((path, folder))) => Feed::Cached(Arc::new(Cached::new(path, folder, &self.schema))),
            _ => Feed::Ndjson(self.file.clone()),
        }
    }

    /// Returns how many sales came too late for it.
    fn hand(&self, sink: &Null) -> Result<(Cost, u64)> {
        let feed = self.feed();
        let (cost, late) = cost(|| engine::by_hand(&self.plan, &self.schema, &feed, sink.clone()));
        Ok((cost, late?))
    }

    fn pipeline(&self, sink: &Null, stages: bool) -> Result<(Cost, Outcome)> {
        let (plan, schema, workers) = (self.plan.clone(), self.schema.clone(), self.workers);
        let run = Run { plan, schema, feed: self.feed(), workers, ahead: self.ahead, sink: sink.clone(), stages, states: false };
        let (cost, outcome) = cost(|| engine::run(&run));
        Ok((cost, outcome?))
    }
}

fn main() -> Result<()> {
    let a = Arguments::parse();
    let folder = a.folder.clone().unwrap_or_else(data::folder);
    let path = a.data.file(&folder)?;
    let file = Arc::new(Plain::open(&path)?);
    let plan = a.job.plan(a.data.customers > 0, &a.also)?;
    let only = a.only.or((!a.also.is_empty()).then_some(Only::Pipeline));
    let schema = job::schema(&plan);
    let archive = if a.from == From::Decoded { Some(Archive::read(&*file, &schema)?) } else { None };
    let cached = (a.from == From::Cache).then(|| (path.clone(), folder.clone()));
    if cached.is_some() {
        Cached::new(&path, &folder, &schema).fill()?;
    }
    let bench = Bench { plan, schema, file, archive, cached, workers: a.workers, ahead: a.ahead };
    let Data { sales, minutes, late, cancelled, customers, sellers } = a.data;
    let with = if customers > 0 { format!(", {customers} customers") } else { String::new() };
    let also: Vec<&str> = a.also.iter().map(|also| also.name()).collect();
    println!(
        "{} from {}: {sales} sales in {minutes} min, {late} % late, {cancelled} % cancelled{with}",
        [&[a.job.name()], also.as_slice()].concat().join(" + "),
        a.from.name()
    );

    let (mut hand, mut pipeline) = (vec![], vec![]);
    let (mut agreed, mut certificate) = (None, String::new());
    for rep in 0..a.reps {
        let (by_hand, by_engine) = (Null::default(), Null::default());
        let mut behind = 0;
        if only != Some(Only::Pipeline) {
            let (cost, late) = bench.hand(&by_hand)?;
            hand.push(cost);
            behind = late;
        }
        if only != Some(Only::Hand) {
            pipeline.push(bench.pipeline(&by_engine, false)?.0);
        }
        let (x, y) = (by_hand.take(), by_engine.take());
        println!(
            "  run {rep}: hand {} | pipeline {} | {} rows, {} MB, certificate {}",
            show(&hand),
            show(&pipeline),
            y.rows.iter().sum::<u64>(),
            y.bytes / 1_000_000,
            y.certificate
        );
        certificate.clone_from(&y.certificate);
        if only.is_none() && behind == 0 && cancelled == 0 {
            match compare(&x, &y) {
                Ok(rows) => agreed = Some(rows),
                Err((learned, table)) => {
                    let (by_hand, by_engine) = (Null::keeping(learned, table), Null::keeping(learned, table));
                    bench.hand(&by_hand)?;
                    bench.pipeline(&by_engine, false)?;
                    let (x, y) = first_difference(&by_hand.take().kept, &by_engine.take().kept);
                    bail!("rows of {} differ at tick {learned}:\nby hand  {x}\npipeline {y}", table.name());
                }
            }
        }
    }
    let (h, p) = (median(hand.iter().map(|c| c.cpu)), median(pipeline.iter().map(|c| c.cpu)));
    if !hand.is_empty() {
        println!("  hand     {h:.3} CPU s, {:.2} M sales per CPU s", sales as f64 / h / 1e6);
    }
    println!(
        "  pipeline {p:.3} CPU s, {:.3} M sales per CPU s, {:.3} s wall",
        sales as f64 / p / 1e6,
        median(pipeline.iter().map(|c| c.wall))
    );
    let ratios = || hand.iter().zip(&pipeline).map(|(h, p)| p.cpu / h.cpu);
    if only.is_none() {
        let (least, most) = (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max));
        println!("  ratio    {:.2} (pairs from {least:.2} to {most:.2})", p / h);
        match agreed {
            Some(rows) => println!("  rows agree: {rows}"),
            None => println!("  rows are not compared: the hand loop takes no corrections"),
        }
    }
    let mut shares = vec![];
    // One more run, which notes which operators the time goes to.
    if a.only.is_none() {
        shares = bench.pipeline(&Null::default(), true)?.1.stages.shares();
        for (stage, share, operators) in &shares {
            println!("  {share:5.1} % {stage}");
            operators.iter().filter(|o| o.1 >= 0.1).for_each(|(name, share)| println!("      {share:5.1} % {name}"));
        }
    }
    let shares: Vec<_> = shares.iter().map(|(stage, share, _)| json!({"stage": stage, "percent": share})).collect();
    let all = |costs: &[Cost]| costs.iter().map(|c| c.cpu).collect::<Vec<_>>();
    a.keep.keep(
        &path,
        json!({
            "job": a.job.name(), "also": also, "certificate": certificate, "from": a.from.name(), "workers": a.workers, "sales": sales, "minutes": minutes,
            "late_percent": late, "cancelled_percent": cancelled, "customers": customers, "sellers": sellers,
            "hand_cpu_s": all(&hand), "pipeline_cpu_s": all(&pipeline), "pipeline_wall_s": median(pipeline.iter().map(|c| c.wall)),
            "hand_median_cpu_s": h, "pipeline_median_cpu_s": p, "ratio": only.is_none().then_some(p / h), "rows_agree": agreed,
            "sales_per_cpu_s": sales as f64 / p, "stages": shares,
        }),
    )
}

fn show(costs: &[Cost]) -> String {
    costs.last().map_or("-".into(), |c| format!("{:.3} CPU s, {:.3} s", c.cpu, c.wall))
}

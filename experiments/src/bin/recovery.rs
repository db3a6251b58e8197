//! How long does a worker stand still for a checkpoint, and how long does a restart take, by the size of the state?
//!
//! Method: sales of many products, each of which lives in the windows and in the features, go through R4 from a file, with a
//! journal and checkpoints on disk. For each cut the pause of the worker is noted, from the last record of its epoch until
//! the part was handed to the thread that writes, and how long it took until the manifest stood. Then the engine is started again
//! from the last checkpoint, on as many workers, and the time is taken until the first epoch behind it has been handed to the sink:
//! by then the whole journal has gone through the dataflow.
//!
//! ```text
//! cargo run --release -p experiments --bin recovery -- --record recovery
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Result};
use clap::Parser;
use dataflows::clock::{Binding, Every};
use dataflows::edge::{Marks, RowSink, TickRows};
use dataflows::pipeline;
use dataflows::site::Setup;
use experiments::job::{self, Job as Reference};
use experiments::measure::median;
use experiments::record::Options;
use serde_json::json;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vitrine::checkpoint::Store;
use vitrine::checkpoint::fingerprint::Fingerprint;
use vitrine::checkpoint::manifest::Manifest;
use vitrine::engine::{self, Job, State, Stop};
use vitrine::fault::Kill;
use vitrine::metrics::Metrics;
use vitrine::source::Input;

#[derive(Parser)]
#[command(about = "The pause of a checkpoint, and the time to go on from one")]
struct Arguments {
    /// Products
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    keys: u64,
    /// Sales
    #[arg(long, default_value_t = 3_000_000, value_name = "N")]
    sales: u64,
    /// Over so many minutes of event time
    #[arg(long, default_value_t = 45, value_name = "N")]
    minutes: u64,
    /// Checkpoints, about
    #[arg(long, default_value_t = 8, value_name = "N")]
    checkpoints: u64,
    /// Threads
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: usize,
    /// Folder for what is made [default: experiments in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    keep: Options,
}

/// The midnight on which the sales begin, milliseconds since the Unix epoch.
const MIDNIGHT: u64 = 1_767_571_200_000;

/// Writes the sales: products in an order in which each comes as often as any other, a thousand sellers, 248 categories.
fn write(path: &Path, arguments: &Arguments) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for i in 0..arguments.sales {
        let product = i.wrapping_mul(0x9E37_79B1) % arguments.keys;
        let at = MIDNIGHT + i * arguments.minutes * 60_000 / arguments.sales;
        writeln!(
            out,
            r#"{{"id_sale":"s{i}","id_product":"p{product}","nm_category":"c{}","seller":"v{}","id_customer":"k{}","price":{}.99,"tp_payment":"PIX","sale_date":{at}}}"#,
            product % 248,
            product % 1_000,
            i % 50_000,
            1 + product % 300,
        )?;
    }
    Ok(out.flush()?)
}

/// Notes when the first epoch comes.
#[derive(Clone, Default)]
struct First(Arc<Mutex<Option<Instant>>>);

impl RowSink for First {
    fn tick(&mut self, _rows: &TickRows) -> Result<(), String> {
        Ok(())
    }
    fn epoch(&mut self, _binding: &Binding) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        Ok(())
    }
    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }
}

/// Runs the sales, or what comes behind a checkpoint; how long it took until the first epoch was handed over.
fn run(path: &Path, arguments: &Arguments, store: &Store, every: u64, from: Option<Manifest>) -> Result<Duration> {
    let plan = Reference::R4.plan(true, &[])?;
    let metrics = Arc::new(Metrics::new(&plan, arguments.workers, Arc::default()));
    let name = path.to_str().context("a path in UTF-8")?;
    let job = Job {
        schema: job::schema(&plan),
        plan,
        inputs: vec![Input::open(name, None)?],
        live: None,
        epoch_bytes: 1 << 20,
        max_drift: 60_000,
        max_jump: Some(86_400_000),
        workers: arguments.workers,
        process: 0,
        addresses: vec![],
        state: Some(State { store: store.clone(), every: Every::Epochs(every), from }),
        stop: Stop::default(),
        faults: Default::default(),
        progress: metrics.progress.clone(),
        metrics,
    };
    let (first, setup, began) = (First::default(), Arc::new(Setup::default()), Instant::now());
    let sink = Some(Box::new(first.clone()) as engine::Sink);
    engine::run(job, sink, move |scope, context, released| pipeline::build(scope, context, &setup, released))?;
    let at = first.0.lock().unwrap_or_else(PoisonError::into_inner).context("no epoch came")?;
    Ok(at - began)
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let folder = arguments.folder.clone().unwrap_or_else(experiments::data::folder);
    let (path, state) = (folder.join("recovery.ndjson"), folder.join("recovery-state"));
    std::fs::create_dir_all(&folder)?;
    write(&path, &arguments)?;
    let _ = std::fs::remove_dir_all(&state); // it may not be there
    let plan = Reference::R4.plan(true, &[])?;
    let fingerprint = Fingerprint::of(&plan, &job::schema(&plan), "recovery");
    let store = || Store::new(&state, plan.clone(), fingerprint.clone(), Kill::default());

    let every = (std::fs::metadata(&path)?.len() >> 20) / arguments.checkpoints.max(1);
    let first = store();
    run(&path, &arguments, &first, every.max(1), None)?;
    let pace = first.pace();
    let newest = first.newest(|_| true)?.context("no checkpoint was cut; take more sales or fewer checkpoints")?;
    let entries: usize = {
        let mut journal = vitrine::checkpoint::resume::resume(&state, &newest, 0, 1)?.journal.context("a journal")?;
        let mut sum = 0;
        while let Some(tick) = journal.next().map_err(anyhow::Error::msg)? {
            let rows = |e: &dataflows::snapshot::Entry| {
                let (s, c) = (e.sellers.iter().map(|d| d.ids.len()), e.categories.iter().map(|d| d.ids.len()));
                s.chain(c).chain(e.products.iter().map(|d| d.ids.len())).sum::<usize>()
            };
            sum += tick.iter().map(|(_, entry)| rows(entry)).sum::<usize>();
        }
        sum
    };
    let again = (0..3).map(|_| {
        let store = store();
        Ok(run(&path, &arguments, &store, u64::MAX, Some(newest.clone()))?.as_secs_f64())
    });
    let again = median(again.collect::<Result<Vec<f64>>>()?);

    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!(
        "{} products, {} sales over {} minutes, R4, {} workers",
        arguments.keys, arguments.sales, arguments.minutes, arguments.workers
    );
    println!("(key, pane) entries in the journal of the last checkpoint  {entries:>12}");
    println!("bytes of that journal                                      {:>12}", newest.journal_bytes());
    println!("bytes of the checkpoint itself                             {:>12}", newest.bytes());
    println!("checkpoints                                                {:>12}", pace.complete);
    println!("longest pause of a worker                                  {:>9.1} ms", ms(pace.longest_pause));
    println!("last checkpoint, from cut to manifest                      {:>9.1} ms", ms(pace.took));
    println!("start from it until the first epoch behind it              {:>9.2} s", again);
    arguments.keep.keep(
        &path,
        json!({
            "keys": arguments.keys, "sales": arguments.sales, "minutes": arguments.minutes, "workers": arguments.workers,
            "entries": entries, "journal_bytes": newest.journal_bytes(), "part_bytes": newest.bytes(),
            "checkpoints": pace.complete, "longest_pause_ms": ms(pace.longest_pause), "last_took_ms": ms(pace.took),
            "restart_s": again,
        }),
    )
}

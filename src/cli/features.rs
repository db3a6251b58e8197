//! `features INPUT... --as-of known --at FILE -o FILE.parquet`.

use super::compute::Compute;
use super::inputs::InputArgs;
use super::{Failure, Session, SettingsArgs, World, print, run};
use crate::console::progress::{Done, Progress};
use crate::serving::TABLES;
use crate::training::collect::{AsOf, Collect};
use crate::training::table;
use crate::training::wanted::Wanted;
use clap::{Args, ValueEnum};
use dataflows::edge::Table;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Write a training set: the features of a list of keys, each as of its own time
///
/// Runs files through the engine like `replay`, and writes a Parquet file with a row for each line of the list. With `--as-of known`
/// a row holds what was served at that time, with `--as-of final` what is true of it after all corrections.
///
/// The list is CSV with a header, or JSON lines: a column `time`, and `key` or the name of what the tables are keyed by (seller,
/// category, product, customer).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        vitrine features sales.ndjson --as-of known --at list.csv -o train.parquet\n  \
                        vitrine features jan.csv.gz feb.csv.gz --as-of final --at list.ndjson -o train.parquet \\\n    \
                        --table seller_features --table category_features\n  \
                        vitrine features --kafka --bindings state --as-of known --at list.csv -o train.parquet")]
pub struct Features {
    #[command(flatten)]
    inputs: InputArgs,
    /// What was served at each time, or what is true of it after all corrections
    #[arg(long, value_enum, value_name = "WHICH")]
    as_of: Which,
    /// The list of keys and times (.csv, or JSON lines)
    #[arg(long, value_name = "FILE")]
    at: PathBuf,
    /// A table of features; may be repeated
    #[arg(long, value_name = "NAME", default_value = "seller_features", value_parser = served)]
    table: Vec<Table>,
    /// Where the training set goes
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Which {
    /// What was served then
    Known,
    /// What is true of it
    Final,
}

fn served(name: &str) -> Result<Table, String> {
    let found = TABLES.into_iter().map(|(table, _)| table).find(|table| table.name() == name);
    found.ok_or_else(|| format!("write one of {}", TABLES.map(|(table, _)| table.name()).join(", ")))
}

impl Features {
    /// Runs it.
    ///
    /// # Errors
    /// Bad settings, unreadable inputs or list, an output that cannot be written, or a process that has gone.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        let settings = self.settings.load_with(world, self.inputs.flags())?;
        let cluster = self.compute.resolve()?;
        let filled = run::tables(&settings);
        if let Some(empty) = self.table.iter().find(|table| !filled.contains(table)) {
            return Err(Failure::Usage(format!("these settings fill no table {}", empty.name())));
        }
        let mut tables = self.table.clone();
        tables.dedup();
        let (job, total) = self.inputs.job(&settings, &cluster, None)?;
        if !cluster.speaks() {
            run::run(job, &settings, world, None)?;
            return Ok(());
        }

        let wanted = Wanted::read(&self.at, &tables)?;
        let requests = wanted.times.len();
        let as_of = match self.as_of {
            Which::Known => AsOf::Known,
            Which::Final => AsOf::Final,
        };
        let answers = Collect::new(Arc::new(settings.plan.clone()), as_of, wanted, settings.http.features.grace);
        let (progress, stored) = (job.progress.clone(), job.live.is_none());
        let done =
            move || Done { bytes: progress.bytes.load(Ordering::Relaxed), records: progress.records.load(Ordering::Relaxed) };
        let bar = session.progress(|screen| Progress::start(screen, total, done))?;
        let stop = job.stop.clone();
        let report = run::run(job, &settings, world, Some(Box::new(answers.clone())));
        drop(bar);
        let report = report?;
        // Recorded bindings end with no word about the end of the sales.
        if if stored { report.ending.is_none() } else { stop.requested() } {
            return Err(Failure::Stopped);
        }
        run::accounted(&report)?;
        let answers = answers.finish();
        table::write(&self.output, as_of, &answers)?;
        let found = |i: usize| answers.found[i].iter().flatten().count();
        let found: Vec<(&str, usize)> = tables.iter().enumerate().map(|(i, table)| (table.name(), found(i))).collect();
        if self.json {
            let found: serde_json::Map<_, _> = found.into_iter().map(|(name, n)| (name.to_owned(), n.into())).collect();
            return print(&format!("{}\n", json!({"requests": requests, "found": found})));
        }
        if session.quiet {
            return Ok(());
        }
        let found: String = found.into_iter().map(|(name, n)| format!("{name}: {n} of {requests} found\n")).collect();
        print(&format!("{found}training set in {}\n", self.output.display()))
    }
}

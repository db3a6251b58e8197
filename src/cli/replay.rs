//! `replay INPUT... --out DIR`.

use super::compute::{Cluster, Compute};
use super::run::{self, Summary};
use super::{Failure, Session, SettingsArgs, World, print};
use crate::console::progress::{Done, Progress};
use crate::engine::Job;
use crate::settings::Settings;
use crate::sink::files::Files;
use crate::sink::tally::Tally;
use crate::source::Input;
use clap::{Args, ValueEnum};
use dataflows::clock;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Run files through the engine as fast as they can be read
///
/// Writes a file a table (windows.ndjson, seller_features.ndjson, category_features.ndjson, events.ndjson, dead_letters.ndjson)
/// and summary.json. The same files give the same bytes, whatever the number of workers.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vitrine replay sales.ndjson --out results\n  \
                        vitrine replay jan.csv.gz feb.csv.gz -c shop.toml --window 15m/1m --out results -w 2\n  \
                        zcat sales.ndjson.gz | vitrine replay - --out results\n  \
                        vitrine replay --kafka --brokers localhost:9092 --bindings state --out again")]
pub struct Replay {
    /// Files of sales (.ndjson, .jsonl, .csv, each also .gz or .zst), or - for standard input
    #[arg(required_unless_present = "kafka", value_name = "INPUT")]
    inputs: Vec<String>,
    /// Repeat a live run from its topic and its recorded bindings, to the byte
    #[cfg(feature = "kafka")]
    #[arg(long, requires = "bindings", conflicts_with_all = ["inputs", "format"])]
    kafka: bool,
    /// The state directory of that run
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "STATE_DIR", requires = "kafka")]
    bindings: Option<PathBuf>,
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    topic: super::live::TopicArgs,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Overwrite the results of an earlier run
    #[arg(long)]
    force: bool,
    /// How the inputs are written, when their names do not say it
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compute: Compute,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One JSON object a line
    Ndjson,
    /// CSV with a header
    Csv,
}

impl Replay {
    /// Runs it.
    ///
    /// # Errors
    /// Bad settings, unreadable inputs, an output that cannot be written, or a process that has gone.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        #[cfg(feature = "kafka")]
        let settings = self.settings.load_with(world, self.topic.flags())?;
        #[cfg(not(feature = "kafka"))]
        let settings = self.settings.load(world)?;
        let cluster = self.compute.resolve()?;
        let (job, total) = self.job(&settings, &cluster)?;
        let stored = job.live.is_none();
        if !cluster.speaks() {
            run::run(job, &settings, world, None)?;
            return Ok(());
        }

        let files = Files::create(&self.out, &run::tables(&settings), self.force)?;
        let tally = Tally::default();
        let sink = tally.before(vec![Box::new(files.clone())]);
        let (progress, began) = (job.progress.clone(), Instant::now());
        let done =
            move || Done { bytes: progress.bytes.load(Ordering::Relaxed), records: progress.records.load(Ordering::Relaxed) };
        let bar = session.progress(|screen| Progress::start(screen, total, done))?;
        let stop = job.stop.clone();
        let unfinished = |why: Failure| Failure::Unfinished { why: Box::new(why), dir: self.out.clone() };
        let report = run::run(job, &settings, world, Some(sink)).map_err(unfinished);
        drop(bar);
        let report = report?;
        // Recorded bindings end with no word about the end of the sales.
        let cut = if stored { report.ending.is_none() } else { stop.requested() };
        if cut {
            return Err(unfinished(Failure::Stopped));
        }
        // Results in which records are missing must not look whole.
        run::accounted(&report).map_err(unfinished)?;
        let totals = tally.totals();
        let summary = Summary::new(&settings, settings.epoch_bytes, report.total(), &totals).text();
        files.finish(&summary).map_err(|e| unfinished(e.into()))?;
        let text = if self.json {
            summary
        } else if session.quiet {
            String::new()
        } else {
            run::table(&settings, &report, &totals, began.elapsed()).text() + &self.where_to_look()
        };
        print(&text)
    }

    /// What is to be repeated, and how many bytes that is.
    fn job(&self, settings: &Settings, cluster: &Cluster) -> Result<(Job, Option<u64>), Failure> {
        #[cfg(feature = "kafka")]
        if let Some(state) = &self.bindings {
            let policy = super::live::replayed(state, cluster)?;
            return Ok((super::live::job(settings, cluster, super::live::topic(settings)?, policy, None), None));
        }
        if self.inputs.iter().filter(|name| *name == "-").count() > 1 {
            return Err(Failure::Usage("standard input (-) can be read only once".into()));
        }
        let format = self.format.map(|format| match format {
            Format::Ndjson => clock::Format::Json,
            Format::Csv => clock::Format::Csv,
        });
        let inputs = self.inputs.iter().map(|name| Input::open(name, format));
        let mut inputs: Vec<Input> = inputs.collect::<Result<_, _>>()?;
        if !settings.stock.is_empty() {
            inputs.push(Input::stock(&settings.stock)?);
        }
        let total: Option<u64> = inputs.iter().map(|input| input.size).sum();
        Ok((run::job(settings, cluster, inputs, settings.epoch_bytes), total))
    }

    fn where_to_look(&self) -> String {
        format!("\nresults in {}\n", self.out.display())
    }
}

//! `replay INPUT... --out DIR`.

use super::caching::{CacheArgs, Written};
use super::compute::Compute;
use super::inputs::InputArgs;
use super::run::{self, Summary};
use super::{Failure, Session, SettingsArgs, World, print};
use crate::console::progress::{Done, Progress};
use crate::sink::files::Files;
use crate::sink::tally::Tally;
use clap::Args;
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
                        vitrine replay sales.ndjson --cache --window 5m/1m --out results\n  \
                        vitrine replay --kafka --brokers localhost:9092 --bindings state --out again")]
pub struct Replay {
    #[command(flatten)]
    inputs: InputArgs,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    out: PathBuf,
    /// Overwrite the results of an earlier run
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    cache: CacheArgs,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compute: Compute,
}

impl Replay {
    /// Runs it.
    ///
    /// # Errors
    /// Bad settings, unreadable inputs, an output that cannot be written, or a process that has gone.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        let settings = self.settings.load_with(world, self.inputs.flags())?;
        let cluster = self.compute.resolve()?;
        let caches = self.cache.caches(&settings, world)?;
        let (job, total) = self.inputs.job(&settings, &cluster, caches.as_ref())?;
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
        let (stop, written) = (job.stop.clone(), Written::by(&job));
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
        written.finish();
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

    fn where_to_look(&self) -> String {
        format!("\nresults in {}\n", self.out.display())
    }
}

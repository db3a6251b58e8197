//! `demo`.

use super::compute::Compute;
use super::run::{self, Summary};
use super::shown::Shown;
use super::{Failure, Session, SettingsArgs, World};
use crate::console::view::{Pulse, View};
use crate::generate::{self, Generator};
use crate::settings::value;
use crate::sink::tally::Tally;
use crate::source::{Input, Line};
use clap::Args;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Bytes in an epoch: small, so that windows close on the screen as soon as their time has passed.
const EPOCH_BYTES: u64 = 16 << 10;

/// Watch generated sales become windows, features and events; nothing needs to be installed
///
/// A shop with incidents (spikes, drops, surges, bursts, wrong prices), shown live on a terminal and as plain lines elsewhere.
/// It ends by itself, or with Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vitrine demo\n  vitrine demo --duration 5m --speed 10 --seed 7\n  \
                        vitrine demo --json | jq 'select(.table == \"events\") | .row.message'")]
pub struct Demo {
    /// How long it lasts
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    duration: Duration,
    /// How much faster than real time the shop lives
    #[arg(long, value_name = "N", default_value_t = 30.0, value_parser = speed)]
    speed: f64,
    /// Another shop for another seed
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Print all rows as JSON lines, each with the name of its table, and the summary last
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compute: Compute,
}

fn duration(text: &str) -> Result<Duration, String> {
    match value::span(text)? {
        0 => Err("a demonstration lasts longer than that".into()),
        ms => Ok(Duration::from_millis(ms.unsigned_abs())),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        _ => Err("write a number from 0.01 to 10000".into()),
    }
}

impl Demo {
    /// Runs it.
    ///
    /// # Errors
    /// Bad settings, or an output that cannot be written.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        let seed = self.seed.map(|seed| super::flag("--seed", "generate.seed", seed));
        let settings = self.settings.load_with(world, seed)?;
        let cluster = self.compute.resolve()?;
        let span = (self.duration.as_secs_f64() * self.speed * 1_000.0) as i64;
        let now = Arc::new(AtomicI64::new(0));
        let lines = lines(settings.demo.clone(), span, now.clone())?;
        let input = Input::generated("demo", Some(self.speed), lines);
        let job = run::job(&settings, &cluster, vec![input], EPOCH_BYTES);
        if !cluster.speaks() {
            run::run(job, &settings, world, None)?;
            return Ok(());
        }

        let progress = job.progress.clone();
        let known = |at: &AtomicI64| Some(at.load(Ordering::Relaxed)).filter(|at| *at > 0);
        let pulse = move || Pulse {
            records: progress.records.load(Ordering::Relaxed),
            watermark: known(&progress.watermark),
            now: known(&now),
        };
        let (tally, began) = (Tally::default(), Instant::now());
        let shown = Shown::new(self.json, session, world);
        let view = View::new("Vitrine demo", &settings.plan, Some(self.duration));
        let (watched, sink) = shown.start(view, session, &settings, job.stop.clone(), pulse)?;
        let report = run::run(job, &settings, world, Some(tally.before(sink.into_iter().collect())));
        watched.finish();
        let (report, totals) = (report?, tally.totals());
        let summary = Summary::new(&settings, EPOCH_BYTES, report.total(), &totals);
        let text = shown.closing(&summary, || run::table(&settings, &report, &totals, began.elapsed()).text());
        run::conclude(&report, &text)
    }
}

/// The records that arrive within `span` milliseconds; `now` follows their arrival.
fn lines(
    settings: generate::Settings,
    span: i64,
    now: Arc<AtomicI64>,
) -> Result<impl Iterator<Item = Line> + Send + 'static, Failure> {
    let end = settings.start.saturating_add(span);
    let mut generator = Generator::new(settings).map_err(|bad| Failure::Usage(bad.to_string()))?;
    Ok(std::iter::from_fn(move || {
        let mut line = String::new();
        let at = generator.next_into(&mut line).filter(|at| *at < end)?;
        now.store(at, Ordering::Relaxed);
        Some((at, line.into_bytes()))
    }))
}

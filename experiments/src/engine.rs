//! The pipeline that `replay` builds, on inputs of the measurements.
//!
//! `vitrine::engine` decodes what it reads, and the measurements also hand out decoded blocks; so this installs the same dataflows
//! with the same settings by itself, without what a command line needs (stops, failures of peers, progress).

use crate::feed::Feed;
use crate::program::resident;
use crate::sink::Null;
use crate::stage::{Stages, Watch};
use anyhow::{Result, ensure};
use dataflows::clock::{self, Context, Counts, Format, Input, Inputs, Policy, Progress, Settings, Sizes};
use dataflows::edge::RowSink;
use dataflows::pipeline;
use dataflows::plan::Plan;
use dataflows::schema::Schema;
use dataflows::site::Setup;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use timely::CommunicationConfig;
use timely::worker::Worker;

/// What is run, and how.
#[derive(Clone)]
pub struct Run {
    /// What is computed.
    pub plan: Arc<Plan>,
    /// How records become sales.
    pub schema: Arc<Schema>,
    /// The sales.
    pub feed: Feed,
    /// Threads.
    pub workers: usize,
    /// Blocks that are under way, for each of them.
    pub ahead: u64,
    /// Where the rows go.
    pub sink: Null,
    /// Whether to note where the time goes.
    pub stages: bool,
    /// Whether to note how much is kept, now and then.
    pub states: bool,
}

/// What is kept at some point of the run, on the first worker.
#[derive(Clone, Copy, Debug)]
pub struct State {
    /// Minutes of event time since the first watermark.
    pub minutes: f64,
    /// Entries and bytes by class of keys.
    pub sizes: Sizes,
    /// Resident memory of the process.
    pub resident: u64,
}

/// What a run has to say.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Records by fate, of all workers.
    pub counts: Counts,
    /// Where the time went, when that was asked for.
    pub stages: Stages,
    /// How much was kept, when that was asked for.
    pub states: Vec<State>,
}

/// Runs it to the end.
///
/// # Errors
/// When the file cannot be read, or a record is not accounted for.
pub fn run(run: &Run) -> Result<Outcome> {
    let communication = match run.workers {
        1 => CommunicationConfig::Thread,
        n => CommunicationConfig::Process(n),
    };
    let config = timely::Config { communication, worker: clock::worker_config() };
    let hired = run.clone();
    let guards = timely::execute(config, move |worker| work(worker, &hired)).map_err(anyhow::Error::msg)?;
    let mut all = Outcome::default();
    for outcome in guards.join() {
        let Outcome { counts, stages, states } = outcome.map_err(anyhow::Error::msg)?.map_err(anyhow::Error::msg)?;
        all.counts = all.counts + counts;
        all.stages.add(&stages);
        all.states.extend(states);
    }
    ensure!(all.counts.unaccounted() == 0, "{} records are not accounted for", all.counts.unaccounted());
    Ok(all)
}

fn work(worker: &mut Worker, run: &Run) -> Result<Outcome, String> {
    let watch = run.stages.then(|| Watch::start(worker));
    let first = worker.index() == 0;
    let sink = first.then(|| Box::new(run.sink.clone()) as Box<dyn RowSink + Send>);
    let context = Context::new(run.plan.clone(), Arc::from(["measured".to_owned()]), sink);
    let (feed, epoch_bytes) = run.feed.input()?;
    let progress = Arc::new(Progress::default());
    let settings = Settings {
        plan: run.plan.clone(),
        policy: Policy::Files,
        epoch_bytes,
        ahead: run.ahead,
        delimiter: b',',
        max_drift: 60_000,
        max_jump: Some(86_400_000),
        checkpoint: None,
        stop: Arc::default(),
        progress: progress.clone(),
        wall: None,
        record: None,
    };
    let input = Input { format: Format::Json, feed, keep: None };
    let setup = Arc::new(Setup::default());
    let decoder = run.feed.decoder(&run.schema);
    let mut running =
        clock::install(worker, &context, &settings, Inputs::Stored(vec![input]), decoder, |scope, context, released| {
            pipeline::build(scope, context, &setup, released)
        });
    let mut states = vec![];
    let mut seen = (0, 0);
    while worker.has_dataflows() {
        worker.step_or_park(None);
        running.stepped();
        if let Some(failure) = context.failure() {
            return Err(format!("{failure:?}"));
        }
        let watermark = progress.watermark.load(Ordering::Relaxed);
        if run.states && first && watermark >= seen.1 {
            seen = (if seen.0 == 0 { watermark } else { seen.0 }, watermark + 60_000);
            let minutes = (watermark - seen.0) as f64 / 60_000.0;
            states.push(State { minutes, sizes: context.sizes.get(), resident: resident(std::process::id()) });
        }
    }
    let stages = watch.map(Watch::stop).unwrap_or_default();
    Ok(Outcome { counts: context.counters.counts(), stages, states })
}

/// The hand loop over the same feed.
///
/// # Errors
/// When the file cannot be read.
pub fn by_hand(plan: &Plan, schema: &Arc<Schema>, feed: &Feed, sink: Null) -> Result<u64> {
    let mut hand = crate::hand::Hand::new(plan, sink);
    let names = feed.each(schema, |decoded, names| hand.block(decoded, names))?;
    hand.finish(&names).map_err(anyhow::Error::msg)?;
    Ok(hand.late)
}

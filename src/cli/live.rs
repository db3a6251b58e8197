//! `run`.

mod start;

use super::compute::{Cluster, Compute};
use super::run::{self, Summary};
use super::shown::Shown;
use super::{Failure, Session, SettingsArgs, World, flag, restart};
use crate::console::report::Report;
use crate::console::view::{Pulse, View};
use crate::engine::{self, Job, Sink, State, Stop};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::settings::layer::Flag;
use crate::settings::value::Instant as At;
use crate::sink::files::Files;
use crate::sink::tally::Tally;
use crate::sink::webhook::Webhook;
use crate::source::bindings::{self, Log};
use crate::source::kafka::{From, Topic};
use crate::source::live::Live;
use clap::Args;
use dataflows::clock::Policy;
use dataflows::clock::policy::{self, Recording};
use start::{Start, start};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// Two epochs are at least so many milliseconds apart: small enough not to be noticed, large enough to hold some sales.
const PACE: i64 = 5;

/// Read sales from Kafka as they come, until stopped
///
/// Each table goes to its topic (vitrine.windows, vitrine.events, ...), and what is rejected to vitrine.dead_letters.
/// What was read is recorded in the state directory; started again with it, the run goes on where it was. Ctrl-C and SIGTERM
/// end it in order: open windows stay open.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vitrine run --state state --out results\n  \
                        vitrine run --brokers kafka:9092 --topic sales --state state --from latest\n  \
                        vitrine run --state state --from earliest --until-caught-up --json")]
pub struct Run {
    #[command(flatten)]
    topic: TopicArgs,
    /// Folder for what a restart needs
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Where to begin when there is nothing to go on with: earliest, latest, or a time such as 2026-01-31T10:00:00Z
    #[arg(long, value_name = "WHERE", default_value = "earliest", value_parser = from)]
    from: From,
    /// End when all is read that stood in the topic at the start
    #[arg(long)]
    until_caught_up: bool,
    /// What readers of the rows in Kafka see of a crash: exactly-once, or at-least-once with less delay [default: exactly-once]
    #[arg(long, value_name = "WHAT")]
    delivery: Option<String>,
    /// Start again from the checkpoint when the run dies, so many times in a row, with growing pauses
    #[arg(long, value_name = "N", default_value_t = 0)]
    restart: u32,
    /// Folder for the tables as files
    #[arg(short, long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite the results of an earlier run
    #[arg(long, requires = "out")]
    force: bool,
    /// Print all rows as JSON lines, each with the name of its table, and the summary last
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(flatten)]
    compute: Compute,
}

/// Where the sales are.
#[derive(Debug, Args)]
pub struct TopicArgs {
    /// One or more brokers, HOST:PORT with commas between [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT")]
    brokers: Option<String>,
    /// The topic of the sales [default: sales]
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
}

impl TopicArgs {
    /// As settings.
    pub fn flags(&self) -> impl Iterator<Item = Flag> {
        let brokers = self.brokers.iter().map(|brokers| flag("--brokers", "kafka.brokers", brokers));
        brokers.chain(self.topic.iter().map(|topic| flag("--topic", "kafka.topic", topic)))
    }
}

fn from(text: &str) -> Result<From, String> {
    match text {
        "earliest" => Ok(From::Earliest),
        "latest" => Ok(From::Latest),
        time => match At::try_from(toml::Value::String(time.to_owned())) {
            Ok(At(ms)) => Ok(From::Time(ms)),
            Err(_) => Err("write earliest, latest, or a time such as 2026-01-31T10:00:00Z".into()),
        },
    }
}

/// The topic of these settings.
///
/// # Errors
/// Settings that no client can be made of.
pub fn topic(settings: &Settings) -> Result<Topic, Failure> {
    Ok(Topic::new(&settings.kafka, Duration::from_millis(settings.clock.idle_timeout.unsigned_abs()))?)
}

/// A job that reads a topic.
pub fn job(settings: &Settings, cluster: &Cluster, topic: Topic, policy: Policy, log: Option<Arc<Log>>) -> engine::Job {
    let source = Arc::new(topic);
    let record = log.map(|log| log as Arc<dyn dataflows::clock::Record>);
    let live = Live { source, policy, record, max_future: settings.clock.max_future };
    engine::Job { live: Some(live), ..run::job(settings, cluster, vec![], settings.epoch_bytes) }
}

/// A file has an end: beside live inputs nobody would read it.
///
/// # Errors
/// When the settings name one for the stock.
pub fn without_file(settings: &Settings) -> Result<(), Failure> {
    if settings.stock.is_empty() {
        return Ok(());
    }
    Err(Failure::Usage("[stock] file is read by `replay` of files only; name a topic here, [stock] topic".into()))
}

impl Run {
    /// Runs it.
    ///
    /// # Errors
    /// Bad settings, a Kafka that is away at the start, or an output that cannot be written.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        if self.restart > 0 {
            return restart::restart(self.restart, &restart::without(&session.given), world);
        }
        let delivery = self.delivery.iter().map(|delivery| flag("--delivery", "kafka.delivery", delivery));
        let settings = self.settings.load_with(world, self.topic.flags().chain(delivery))?;
        without_file(&settings)?;
        let cluster = self.compute.resolve()?;
        let metrics = Arc::new(Metrics::new(&settings.plan, cluster.workers, Arc::default()));
        let mut topic = topic(&settings)?.watched(metrics.clone());
        let live = policy::Live {
            advance_when_idle: settings.clock.advance_when_idle.then_some(settings.clock.idle_timeout),
            pace: PACE,
            until_caught_up: self.until_caught_up,
        };
        if !cluster.speaks() {
            let keeping = start::keeping(&settings, &self.state, cluster.kill.clone());
            let state = Some(State { store: keeping.store.watched(metrics.clone()), ..keeping });
            let job = Job {
                state,
                progress: metrics.progress.clone(),
                metrics,
                ..job(&settings, &cluster, topic, Policy::Live(live), None)
            };
            run::run(job, &settings, world, None)?;
            return Ok(());
        }

        topic.look(self.from)?;
        let stop = Stop::default();
        let Start { policy, log, out, state, again, first, said } = start(&settings, &self.state, live, &cluster, &stop)?;
        let state = State { store: state.store.watched(metrics.clone()), ..state };
        metrics.again(log.last());
        if let Some(out) = &out {
            out.watched(metrics.clone());
        }
        let (store, tables) = (state.store.clone(), run::tables(&settings));
        let files = self.out.as_ref().map(|dir| match &state.from {
            Some(_) => Files::again(dir, &tables),
            // Without a checkpoint all is said again from the start.
            None => Files::create(dir, &tables, self.force || again),
        });
        let files = files.transpose()?;
        let progress = metrics.progress.clone();
        let job = Job {
            stop,
            state: Some(state),
            progress: progress.clone(),
            metrics: metrics.clone(),
            ..job(&settings, &cluster, topic, policy, Some(log.clone()))
        };

        let known = |at: &AtomicI64| Some(at.load(Ordering::Relaxed)).filter(|at| *at > 0);
        let pulse = move || Pulse {
            records: progress.records.load(Ordering::Relaxed),
            watermark: known(&progress.watermark),
            now: Some(engine::now()),
        };
        let (tally, began) = (Tally::default(), Instant::now());
        let shown = Shown::new(self.json, session, world);
        let view = View::new(&format!("Vitrine {}", settings.kafka.topic), &settings.plan, None);
        let (watched, sink) = shown.start(view, session, &settings, job.stop.clone(), pulse)?;
        let written = files.clone().map(|files| Box::new(files) as Sink);
        let sent = out.clone().map(|out| Box::new(out) as Sink);
        let webhook = settings.sinks.webhook.as_ref().map(|webhook| Webhook::start(webhook, first, said)).transpose()?;
        if let Some(webhook) = &webhook {
            webhook.watched(&metrics);
        }
        let posted = webhook.clone().map(|webhook| Box::new(webhook) as Sink);
        let sinks = written.into_iter().chain(sent).chain(posted).chain(sink).collect();
        let report = run::run(job, &settings, world, Some(tally.before(sinks)));
        watched.finish();
        if let Some(webhook) = webhook {
            webhook.finish();
        }
        let report = match out {
            // What the sink says of its failure is more than what the engine heard of it.
            Some(out) => report.map_err(|why| out.failure().map_or(why, Failure::Run)).and_then(|report| {
                out.finish()?;
                Ok(report)
            }),
            None => report,
        };
        let unfinished = |why: Failure| match &self.out {
            Some(dir) => Failure::Unfinished { why: Box::new(why), dir: dir.clone() },
            None => why,
        };
        let (report, totals) = (report.map_err(unfinished)?, tally.totals());
        log.sync()?;
        run::accounted(&report).map_err(unfinished)?;
        let summary = Summary::new(&settings, settings.epoch_bytes, report.total(), &totals);
        if let Some(files) = files {
            files.finish(&summary.text()).map_err(|e| unfinished(e.into()))?;
        }
        let text = shown.closing(&summary, || {
            let table = run::table(&settings, &report, &totals, began.elapsed());
            Report { checkpoints: Some(store.pace()), ..table }.text()
        });
        run::conclude(&report, &text)
    }
}

/// The policy of a replay: on the process that decides, the recorded bindings.
///
/// # Errors
/// When there are none.
pub fn replayed(state: &std::path::Path, cluster: &Cluster) -> Result<Policy, Failure> {
    let bindings = if cluster.speaks() { bindings::recording(state, None)? } else { Recording::new(std::iter::empty()) };
    Ok(Policy::Recorded { bindings, then: None })
}

//! The engine: reads inputs, runs the dataflows on threads and processes, and ends with a report or with one clear error.
//!
//! 1. All workers of all processes build the same dataflows in the same order; what differs between them (who reads what,
//!    who writes the rows) is inside of operators.
//! 2. A failure anywhere stops all workers of the process promptly: each drops its dataflows. In a cluster the others learn
//!    it from the connection that breaks, so a process that has failed must end; its threads stay parked until then.
//! 3. A stop is no failure: the clock binds it as the last epoch, and what was released leaves.

mod abort;
mod cluster;
mod panics;

pub use abort::Stop;
pub use panics::explain;

use crate::checkpoint::Store;
use crate::checkpoint::manifest::Manifest;
use crate::error::Error;
use crate::metrics::{Metrics, Stage};
use crate::source::Input;
use crate::source::live::Live;
use abort::Abort;
use cluster::Seat;
use dataflows::clock::live::STOCK;
use dataflows::clock::{self, Context, Counts, Every, Inputs, Policy, Progress, Settings};
use dataflows::decode::Decoder;
use dataflows::edge::RowSink;
use dataflows::fault::Faults;
use dataflows::plan::Plan;
use dataflows::release::{Ending, Released};
use dataflows::schema::Schema;
use dataflows::snapshot::Snapshots;
use dataflows::time::Bi;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::time::SystemTime;
use timely::dataflow::operators::probe::Handle;
use timely::dataflow::{Scope, Stream};
use timely::worker::Worker;

/// How many blocks are read past what is bound, and of files how many epochs may be unfinished, for each worker.
pub const AHEAD: u64 = 2;

/// Where rows go, on worker 0 of process 0.
pub type Sink = Box<dyn RowSink + Send>;

/// What to run, and where.
pub struct Job {
    /// What is computed.
    pub plan: Arc<Plan>,
    /// How records become sales.
    pub schema: Arc<Schema>,
    /// What is read, in the order of the command line.
    pub inputs: Vec<Input>,
    /// What is read instead, without an end.
    pub live: Option<Live>,
    /// Length of a block, which is an epoch.
    pub epoch_bytes: u64,
    /// An input whose largest date is more than this many milliseconds ahead of the least one sits out.
    pub max_drift: i64,
    /// A date this many milliseconds ahead of its input needs the next record to confirm it; `None` switches that off.
    pub max_jump: Option<i64>,
    /// Threads in each process.
    pub workers: usize,
    /// Index of this process.
    pub process: usize,
    /// `HOST:PORT` of each process; empty when there is one.
    pub addresses: Vec<String>,
    /// Where journal and checkpoints go.
    pub state: Option<State>,
    /// To stop the run from another thread.
    pub stop: Stop,
    /// What goes wrong on purpose, for tests; `build` must put it into its setup.
    pub faults: Faults,
    /// How far the run is, for whoever displays it; moves on process 0.
    pub progress: Arc<Progress>,
    /// How it is doing, for whoever asks; the progress is part of it.
    pub metrics: Arc<Metrics>,
}

/// Journal and checkpoints of a run.
#[derive(Clone)]
pub struct State {
    /// Where they go.
    pub store: Store,
    /// How often a checkpoint is cut.
    pub every: Every,
    /// From where the run goes on. Process 0 decides; the others hear it when they connect.
    pub from: Option<Manifest>,
}

impl Job {
    /// Inputs with an end under these settings, on threads of this process, without a state.
    pub fn alone(settings: &crate::settings::Settings, inputs: Vec<Input>, workers: usize) -> Job {
        let metrics = Arc::new(Metrics::new(&settings.plan, workers, Arc::default()));
        Job {
            plan: Arc::new(settings.plan.clone()),
            schema: Arc::new(settings.schema.clone()),
            inputs,
            live: None,
            epoch_bytes: settings.epoch_bytes,
            max_drift: settings.clock.max_drift,
            max_jump: Some(settings.clock.max_jump),
            workers,
            process: 0,
            addresses: vec![],
            state: None,
            stop: Stop::default(),
            faults: Faults::default(),
            progress: metrics.progress.clone(),
            metrics,
        }
    }

    /// What the inputs are called.
    pub fn sources(&self) -> Vec<String> {
        match &self.live {
            Some(live) => vec![live.source.name().to_owned()],
            None => self.inputs.iter().map(|input| input.name.clone()).collect(),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What each worker counted: of all processes on process 0, of this one elsewhere.
    pub workers: Vec<Counts>,
    /// How the inputs ended; `None` when the run was stopped before.
    pub ending: Option<Ending>,
}

impl Report {
    /// The counts of all workers together.
    pub fn total(&self) -> Counts {
        self.workers.iter().fold(Counts::default(), |sum, counts| sum + *counts)
    }
}

/// Runs a job to its end. `build` makes the data dataflow out of the released records; it is called on every worker.
///
/// # Errors
/// Whatever stopped it. In a cluster the process should then end, or the others wait for it.
pub fn run<B>(mut job: Job, sink: Option<Sink>, build: B) -> Result<Report, Error>
where
    B: for<'s> Fn(Scope<'s, Bi>, &Context, Stream<'s, Bi, Vec<Released>>) -> Handle<Bi> + Send + Sync + 'static,
{
    if job.workers == 0 || job.epoch_bytes == 0 || (job.process > 0 && job.process >= job.addresses.len()) {
        return Err(Error::Settings("workers and epoch_bytes must be positive, and the process one of the cluster".into()));
    }
    let from = job.state.as_ref().and_then(|state| state.from.as_ref()).map(|manifest| manifest.cut.epoch);
    let seat = Seat { threads: job.workers, process: job.process, job: fingerprint(&job), from };
    let abort = Abort::default();
    let cluster::Crew { builders, others, from } = cluster::connect(&seat, &job.addresses, &job.stop)?;
    if let Some(state) = &mut job.state {
        state.from = from.map(|epoch| state.store.of(epoch)).transpose()?;
    }
    let alone = job.addresses.len() < 2;
    let (settings, sources) = (settings(&job), job.sources().into());
    let (failures, outcome) = mpsc::channel();
    let crew = Crew { job, settings, sources, sink: Mutex::new(sink), build, abort: abort.clone(), failures };
    let crew = Arc::new(crew);
    let hired = crew.clone();
    let guards = timely::execute::execute_from(builders, others, clock::worker_config(), move |worker| hired.work(worker))
        .map_err(|e| Error::Bug(format!("cannot start the workers: {e}")))?;
    let finished = crew.failures.clone();
    drop(crew);
    // The connections of a cluster are closed with good manners when the workers return; so after a failure they do not
    // return, and nobody waits for them.
    let joiner = std::thread::spawn(move || {
        let workers: Vec<_> = guards.join();
        let _ = finished.send(None); // nobody listens after a failure
        workers
    });
    if let Ok(Some(error)) = outcome.recv()
        && !alone
    {
        return Err(error);
    }
    let workers = joiner.join().map_err(|_| Error::Bug("the thread that waits for the workers died".into()))?;
    if let Some(error) = abort.error() {
        return Err(error);
    }
    let mut report = Report { workers: vec![], ending: None };
    let mut all = vec![];
    for worker in workers {
        let worker = worker.map_err(Error::Bug)?;
        report.workers.push(worker.counts);
        report.ending = report.ending.or(worker.ending);
        all.extend(worker.all);
    }
    if !all.is_empty() {
        report.workers = all;
    }
    Ok(report)
}

/// What must be the same in all processes of a cluster, as text.
fn fingerprint(job: &Job) -> String {
    let inputs: Vec<_> = job.inputs.iter().map(|i| (&i.name, i.format, i.shared(), i.stock)).collect();
    let live = job.live.as_ref().map(|live| (live.source.name(), live.source.stock(), live.max_future));
    format!("{:?} {:?} {} {} {:?} {inputs:?} {live:?}", job.plan, job.schema, job.epoch_bytes, job.max_drift, job.max_jump)
}

fn settings(job: &Job) -> Settings {
    Settings {
        plan: job.plan.clone(),
        policy: job.live.as_ref().map_or(Policy::Files, |live| live.policy.clone()),
        epoch_bytes: job.epoch_bytes,
        ahead: AHEAD,
        delimiter: job.schema.delimiter,
        max_drift: job.max_drift,
        // The broker's time guards the dates of live inputs.
        max_jump: job.max_jump.filter(|_| job.live.is_none()),
        checkpoint: job.state.as_ref().map(|state| state.every),
        stop: job.stop.flag(),
        progress: job.progress.clone(),
        wall: job.live.is_some().then(|| Arc::new(now) as Arc<dyn Fn() -> i64 + Send + Sync>),
        record: job.live.as_ref().and_then(|live| live.record.clone()),
    }
}

/// The time of day in milliseconds since the Unix epoch.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// What the workers of this process share.
struct Crew<B> {
    job: Job,
    settings: Settings,
    sources: Arc<[String]>,
    sink: Mutex<Option<Sink>>,
    build: B,
    abort: Abort,
    failures: mpsc::Sender<Option<Error>>,
}

/// What one worker has to say in the end.
struct Outcome {
    counts: Counts,
    /// Of all workers of all processes, on worker 0.
    all: Vec<Counts>,
    ending: Option<Ending>,
}

impl<B> Crew<B>
where
    B: for<'s> Fn(Scope<'s, Bi>, &Context, Stream<'s, Bi, Vec<Released>>) -> Handle<Bi>,
{
    /// One worker, from the first step to the last.
    fn work(&self, worker: &mut Worker) -> Outcome {
        let sink = if worker.index() == 0 { self.sink.lock().ok().and_then(|mut sink| sink.take()) } else { None };
        let mut context = Context::new(self.job.plan.clone(), self.sources.clone(), sink);
        let stepped = catch_unwind(AssertUnwindSafe(|| self.step_to_the_end(worker, &mut context)));
        let all = stepped.unwrap_or_else(|panic| Err(panics::error(&*panic))).unwrap_or_else(|error| {
            self.abort.fail(error.clone());
            self.job.metrics.fail();
            let _ = self.failures.send(Some(error)); // nobody listens after the first failure
            vec![]
        });
        if self.abort.error().is_some() {
            for dataflow in worker.installed_dataflows() {
                worker.drop_dataflow(dataflow);
            }
            if self.job.addresses.len() > 1 {
                loop {
                    std::thread::park();
                }
            }
        }
        Outcome { counts: context.counters.counts(), all, ending: *context.ending.borrow() }
    }

    fn step_to_the_end(&self, worker: &mut Worker, context: &mut Context) -> Result<Vec<Counts>, Error> {
        let (index, peers) = (worker.index(), worker.peers());
        if let Some(State { store, from, .. }) = &self.job.state {
            let resume = from.as_ref().map(|from| store.resume(from, index, peers)).transpose()?;
            *context = context.clone().with(Snapshots::new(Some(store.keeper(index, from.as_ref())?), resume));
        }
        let inputs = self.job.inputs.iter().enumerate().map(|(i, input)| {
            let keep = input.cache().map(|cache| cache.worker());
            Ok(clock::Input { format: input.format, feed: input.feed(i, index, peers)?, keep })
        });
        let mut decoder = Decoder::new(self.job.schema.clone());
        if let Some(stock) = self.job.inputs.iter().position(|input| input.stock) {
            decoder = decoder.stock(stock as u32);
        }
        let inputs = match &self.job.live {
            None => Inputs::Stored(inputs.collect::<Result<_, Error>>()?),
            Some(live) => {
                decoder = decoder.max_future(live.max_future);
                if let Some(name) = live.source.stock() {
                    decoder = decoder.stock(STOCK);
                    context.stock = Some(name.into());
                }
                Inputs::Live(live.source.reader(index)?)
            }
        };
        let decoder = Box::new(decoder);
        let mut running = clock::install(worker, context, &self.settings, inputs, decoder, &self.build);
        self.abort.wakes(running.waker(worker));
        self.job.stop.wakes(running.waker(worker));
        let metrics = &self.job.metrics;
        let cut = self.job.state.as_ref().and_then(|state| state.from.as_ref()).map(|from| from.cut);
        metrics.resume(cut.map(|cut| cut.epoch));
        let mut restoring = cut.is_some();
        // No time-out: every wake-up has its own activation.
        while worker.has_dataflows() && self.abort.error().is_none() {
            worker.step_or_park(None);
            running.stepped();
            metrics.publish(index % self.job.workers, context);
            // What the journal holds has been said again.
            if restoring && cut.is_some_and(|cut| running.tick() >= cut.tick) {
                restoring = false;
                metrics.enter(Stage::Running);
            }
            if self.job.stop.requested() {
                metrics.enter(Stage::Draining);
            }
            if let Some(failure) = context.failure() {
                return Err(failure.into());
            }
        }
        Ok(running.counts())
    }
}

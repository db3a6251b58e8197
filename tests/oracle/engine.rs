//! The engine behind the oracle's harness: the product's own dataflows over inputs in memory.

use super::params::{Params, Reference};
use super::shelf::Shelf;
use super::{Counts, Tables};
use dataflows::clock::{self, Blocks, Context, Every, Feed, Format, Input, Inputs, Policy, Progress, Pull, Pulled, Settings};
use dataflows::decode::Decoder;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use dataflows::fault::Faults;
use dataflows::pipeline;
use dataflows::plan::{
    CooldownSpec, DetectSpec, EventSpec, FeatureSpec, Gates, Plan, ProfileSpec, Reference as Compared, SignalSpec, Spec,
    WindowSpec,
};
use dataflows::schema::{Limits, Schema};
use dataflows::site::Setup;
use dataflows::snapshot::Snapshots;
use std::sync::{Arc, Mutex};
use timely::CommunicationConfig;

struct Memory(Vec<u8>);

impl Blocks for Memory {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), String> {
        into.copy_from_slice(&self.0[at as usize..at as usize + into.len()]);
        Ok(())
    }
}

/// The same, from front to end.
struct Front(Arc<Memory>, usize);

impl Pull for Front {
    fn pull(&mut self, into: &mut Vec<u8>) -> Result<Pulled, String> {
        let rest = &self.0.0[self.1..];
        let n = rest.len().min(257);
        into.extend_from_slice(&rest[..n]);
        self.1 += n;
        Ok(if n == 0 { Pulled::End } else { Pulled::Some })
    }
    fn consumed(&self) -> u64 {
        self.1 as u64
    }
}

/// Keeps all rows.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<Vec<(u32, Table, String)>>>);

impl RowSink for Keep {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        let mut all = self.0.lock().map_err(|e| e.to_string())?;
        for table in Table::ALL {
            let text = std::str::from_utf8(&rows.lines[table as usize]).map_err(|e| e.to_string())?;
            all.extend(text.lines().map(|line| (rows.learned, table, line.to_string())));
        }
        Ok(())
    }
    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }
}

fn spec(p: &Params) -> Spec {
    let percent = |thousandths: i64| thousandths as f64 / 1000.0;
    let window = |w: &super::params::Window| WindowSpec {
        name: w.name.clone(),
        size: w.size,
        slide: w.slide,
        lateness: w.lateness,
        biggest: true,
    };
    Spec {
        windows: p.windows.iter().map(window).collect(),
        features: FeatureSpec { enabled: true, slide: p.features.0, lateness: p.features.1, orders: true },
        max_out_of_orderness: p.slack,
        origin: 0,
        deduplicate: p.deduplicate,
        gates: Gates {
            min_sales: p.gates.sales,
            min_revenue: p.gates.revenue,
            min_sellers: p.gates.sellers,
            max_rejected_permille: p.gates.rejected,
            max_bad_time_permille: p.gates.bad_time,
        },
        events: EventSpec {
            enabled: true,
            windows: vec![],
            reference: match p.events.reference {
                Reference::Auto => Compared::Auto,
                Reference::Mean(n) => Compared::Mean(n as u32),
            },
            spike_pct: percent(p.events.spike),
            drop_pct: percent(p.events.drop),
            revenue_pct: percent(p.events.revenue),
            write_suppressed: false,
        },
        cooldown: CooldownSpec { quiet: p.cooldown.quiet, max_quiet: p.cooldown.most, reset: p.cooldown.reset },
        detect: DetectSpec { enabled: p.detect, ..DetectSpec::default() },
        signals: SignalSpec { enabled: p.detect, stock: !p.stock.is_empty(), ..SignalSpec::default() },
        profiles: ProfileSpec {
            sellers: p.profiles,
            categories: p.profiles,
            products: p.profiles,
            customers: p.profiles,
            scores: p.profiles,
        },
    }
}

/// Runs the engine over inputs in memory.
pub fn run(params: &Params, inputs: &[(String, Vec<u8>)], workers: usize) -> Result<Tables, String> {
    run_with(params, inputs, workers, Faults::default())
}

/// The same, with faults.
pub fn run_with(params: &Params, inputs: &[(String, Vec<u8>)], workers: usize, faults: Faults) -> Result<Tables, String> {
    let run = run_from(params, inputs, workers, faults, None, None)?;
    Ok(run.tables())
}

/// Where a run keeps its journal and checkpoints, and how often it cuts one.
#[derive(Clone)]
pub struct Keeping {
    /// Shared by all workers, and by the runs that go on from it.
    pub shelf: Shelf,
    /// Epochs between two cuts.
    pub every: u64,
}

/// All that a run said.
#[derive(Debug)]
pub struct Run {
    /// By learned tick.
    pub rows: Vec<(u32, Table, String)>,
    /// Of all records since the very beginning.
    pub counts: Counts,
}

impl Run {
    /// As the oracle says it.
    pub fn tables(self) -> Tables {
        let mut tables = Tables { counts: self.counts, ..Tables::default() };
        for (_, table, line) in self.rows {
            match table {
                Table::Windows => tables.windows.push(line),
                Table::SellerFeatures => tables.seller_features.push(line),
                Table::CategoryFeatures => tables.category_features.push(line),
                Table::Events => tables.events.push(line),
                Table::DeadLetters => tables.dead_letters.push(line),
                Table::Suppressed | Table::Episodes => (),
                Table::ProductFeatures | Table::CustomerFeatures | Table::Scores => (),
            }
        }
        tables
    }
}

/// The same, keeping checkpoints, or going on from one of an earlier run.
pub fn run_from(
    params: &Params,
    inputs: &[(String, Vec<u8>)],
    workers: usize,
    faults: Faults,
    keeping: Option<Keeping>,
    from: Option<(Shelf, usize)>,
) -> Result<Run, String> {
    let plan = Arc::new(Plan::new(&spec(params)).map_err(|e| e.to_string())?);
    let limits = Limits { time: plan.reach(), ..Limits::default() };
    let schema = Schema { limits, keep_ids: params.deduplicate > 0, ..Schema::default() };
    let schema = Arc::new(Schema { keep_customers: params.profiles, keep_carried: params.profiles, ..schema });
    let settings = Settings {
        plan: plan.clone(),
        policy: Policy::Files,
        epoch_bytes: params.epoch_bytes,
        ahead: 2,
        delimiter: b',',
        max_drift: params.max_drift,
        max_jump: Some(params.max_jump),
        checkpoint: keeping.as_ref().map(|k| Every::Epochs(k.every)),
        stop: Arc::default(),
        progress: Arc::new(Progress::default()),
        wall: None,
        record: None,
    };
    let stock = (!params.stock.is_empty()).then(|| ("stock.ndjson".to_string(), params.stock.clone().into_bytes()));
    let inputs = [inputs, stock.as_slice()].concat();
    let stock = stock.map(|_| inputs.len() as u32 - 1);
    let sources: Arc<[String]> = inputs.iter().map(|i| i.0.clone()).collect();
    let setup = Arc::new(Setup { faults, ..Setup::default() });
    let files: Vec<_> = inputs.iter().map(|i| (i.0.ends_with(".csv"), Arc::new(Memory(i.1.clone())))).collect();
    let kept = Keep::default();
    let communication = match workers {
        1 => CommunicationConfig::Thread,
        n => CommunicationConfig::Process(n),
    };
    let out = kept.clone();
    let config = timely::Config { communication, worker: timely::WorkerConfig::default() };
    let guards = timely::execute(config, move |worker| {
        let sink = (worker.index() == 0).then(|| Box::new(out.clone()) as Box<dyn RowSink + Send>);
        let (me, peers) = (worker.index(), worker.peers());
        let keeper = keeping.as_ref().map(|k| k.shelf.keeper(me, peers));
        let resume = from.as_ref().map(|(shelf, which)| shelf.resume(*which, me, peers));
        let context = Context::new(plan.clone(), sources.clone(), sink).with(Snapshots::new(keeper, resume));
        let mine = |i: usize| i % worker.peers() == worker.index();
        let feed = |(i, (csv, file)): (usize, &(bool, Arc<Memory>))| match csv {
            false => Input { format: Format::Json, feed: Feed::Blocks(file.clone()), keep: None },
            true if mine(i) => Input { format: Format::Csv, feed: Feed::Mine(Box::new(Front(file.clone(), 0))), keep: None },
            true => Input { format: Format::Csv, feed: Feed::Other, keep: None },
        };
        let decoder = Decoder::new(schema.clone());
        let decoder = Box::new(if let Some(stock) = stock { decoder.stock(stock) } else { decoder });
        let inputs = Inputs::Stored(files.iter().enumerate().map(feed).collect());
        let setup = setup.clone();
        let mut running = clock::install(worker, &context, &settings, inputs, decoder, |scope, context, released| {
            pipeline::build(scope, context, &setup, released)
        });
        while worker.has_dataflows() {
            worker.step_or_park(None);
            running.stepped();
            // Who failed waits for ever.
            assert_eq!(context.failure(), None);
        }
        // The live balance finds a lost record too, and nothing else.
        let lost = u64::from(setup.faults.lose.is_some() && worker.index() == 0);
        assert_eq!(context.counters.missing.get(), lost as i64);
        context.counters.counts()
    })?;
    let counts = guards.join().into_iter().collect::<Result<Vec<_>, _>>()?;
    let c = counts.into_iter().fold(clock::Counts::default(), |a, b| a + b);
    let counts =
        Counts { read: c.read, rejected: c.rejected, too_late: c.too_late, duplicate: c.duplicate, accepted: c.accepted };
    let rows = std::mem::take(&mut *kept.0.lock().map_err(|e| e.to_string())?);
    Ok(Run { rows, counts })
}

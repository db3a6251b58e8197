//! The last value of each feature, for whoever asks: a model that has to score a sale now.
//!
//! Rows of the feature tables come by as at any other sink, on process 0, and go into a [`View`] a table. A request is answered
//! from one watermark: all rows learned up to it and nothing later, however many keys and tables it names. The watermark is what
//! an answer is stamped with; the same vector comes out of `vitrine features --as-of known` for that time, because both read the
//! same [`History`](history::History).
//!
//! | part | |
//! |---|---|
//! | [`row`] | a line taken apart; columns are learned from the lines, so that a table may grow |
//! | [`history`] | what was said of a key lately |
//! | [`mod@view`] | a table by key, read while it is written; which keys are forgotten |
//! | [`log`] | the rows on the disk, for a run that goes on from a checkpoint |
//! | [`feast`] | requests and answers in the form of Feast's feature server |
//!
//! Rejected: asking the stores of the workers. They are on all workers and processes, in the middle of a tick, and hold sums and
//! not what was said.

pub mod row;
pub mod history;
pub mod view;
pub mod log;
pub mod feast;

use crate::engine::Sink;
use crate::metrics::Metrics;
use dataflows::clock::Binding;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use dataflows::plan::{Plan, ceil};
use dataflows::profile::columns;
use log::Log;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError, RwLock};
use view::{SHARDS, Span, View};

/// The tables that are served, and how a request names their keys.
pub const TABLES: [(Table, &[&str]); 4] = [
    (Table::SellerFeatures, &["seller"]),
    (Table::CategoryFeatures, &["category", "nm_category"]),
    (Table::ProductFeatures, &["product", "id_product"]),
    (Table::CustomerFeatures, &["customer", "id_customer"]),
];

/// Shards that are swept at each tick: all of them in 32 ticks.
const SWEPT: usize = 8;

/// What is served, as the settings say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Lists of features with a name: `view:feature` each.
    pub services: BTreeMap<String, Vec<String>>,
    /// A key is forgotten when its last row is older than the horizon of its table and so many milliseconds.
    pub grace: i64,
    /// Values are outside of their age when the watermark is so many milliseconds behind the time of day.
    pub max_age: Option<i64>,
}

/// The longest that any feature looks back, in milliseconds.
const LONGEST: i64 = 90 * 86_400_000;

/// Whether all columns of a table are made, and not only those that need no profile of the key.
fn whole(plan: &Plan, table: Table) -> bool {
    match table {
        Table::SellerFeatures => plan.profiles.sellers,
        Table::CategoryFeatures => plan.profiles.categories,
        _ => true,
    }
}

/// How far back a table reaches.
pub fn span(plan: &Plan, table: Table, grace: i64) -> Span {
    let f = &plan.features;
    let longest = match table {
        table if whole(plan, table) => LONGEST,
        Table::SellerFeatures => i64::from(f.hour) * plan.tick,
        _ => i64::from(f.half_hour) * plan.tick,
    };
    let reach = i64::from(ceil(f.lateness, f.slide.max(1)) + f.slide) * plan.tick;
    Span { keep: longest.saturating_add(reach).saturating_add(grace), reach }
}

/// A view of a table. Where it is known beforehand which columns its rows will have, it has their names.
pub fn view(plan: &Plan, table: Table, grace: i64) -> View {
    let view = View::new(table, span(plan, table, grace));
    if whole(plan, table) {
        let names = columns::columns(table).into_iter().map(|(name, _)| name);
        view.name(["as_of", "revision"].into_iter().chain(names).map(String::from).collect());
    }
    view
}

/// See the [module](self).
pub struct Serving {
    plan: Arc<Plan>,
    offer: Offer,
    views: Vec<View>,
    /// The watermark in milliseconds that answers are made from. Who reads it holds it still.
    published: RwLock<Option<i64>>,
}

impl Serving {
    /// Of these tables, with nothing in it.
    pub fn new(plan: Arc<Plan>, tables: &[Table], offer: Offer) -> Serving {
        let served = TABLES.iter().map(|(table, _)| *table).filter(|table| tables.contains(table));
        let views = served.map(|table| view(&plan, table, offer.grace)).collect();
        Serving { plan, offer, views, published: RwLock::new(None) }
    }

    /// A table by its name.
    pub fn view(&self, name: &str) -> Option<&View> {
        self.views.iter().find(|view| view.table().name() == name)
    }

    /// The watermark that answers are made from now, in milliseconds.
    pub fn watermark(&self) -> Option<i64> {
        *self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// All up to this watermark has been taken.
    fn publish(&self, watermark: i64, metrics: &Metrics) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(watermark);
        for view in &self.views {
            metrics.serving.keys[view.table() as usize].store(view.keys() as u64, Relaxed);
        }
        metrics.serving.watermark.store(watermark, Relaxed);
    }

    /// A sink that takes the rows and then hands them to `sink`. `folder`: where they are kept for a run that goes on.
    pub fn before(self: Arc<Self>, metrics: Arc<Metrics>, folder: Option<PathBuf>, sink: Sink) -> Sink {
        metrics.serving.on.store(true, Relaxed);
        Box::new(Taken { log: folder.map(Log::new), serving: self, metrics, sink })
    }
}

/// See [`Serving::before`].
struct Taken {
    serving: Arc<Serving>,
    log: Option<Log>,
    metrics: Arc<Metrics>,
    sink: Sink,
}

impl RowSink for Taken {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        // Dead letters come by themselves, and make no tick.
        if rows.rows[Table::DeadLetters as usize] == 0 {
            let Serving { plan, views, .. } = &*self.serving;
            let published = self.serving.watermark().unwrap_or(i64::MIN);
            for view in views {
                let lines = &rows.lines[view.table() as usize];
                view.take(plan.millis(rows.learned), published, lines, |key, version| {
                    if let Some(log) = &mut self.log {
                        log.row(view.table(), key, version);
                    }
                })?;
                view.sweep(published, SWEPT);
            }
            if let Some(log) = &mut self.log {
                log.tick(views)?;
            }
        }
        self.sink.tick(rows)
    }

    fn epoch(&mut self, binding: &Binding) -> Result<(), String> {
        let plan = &self.serving.plan;
        let upto = binding.ending().map_or(binding.after, |ending| ending.close(plan));
        if upto > 0 {
            self.serving.publish(plan.millis(upto), &self.metrics);
        }
        self.sink.epoch(binding)
    }

    fn save(&mut self, into: &mut Marks) -> Result<(), String> {
        if let (Some(log), Some(watermark)) = (&mut self.log, self.serving.watermark()) {
            log.save(watermark, into)?;
        }
        self.sink.save(into)
    }

    fn resume(&mut self, from: &Marks) -> Result<(), String> {
        if let Some(log) = &mut self.log
            && let Some(watermark) = log.resume(from, &self.serving.views)?
        {
            self.serving.publish(watermark, &self.metrics);
        }
        self.sink.resume(from)
    }

    fn ended(&mut self, unrevised: &[u64]) {
        self.sink.ended(unrevised);
    }
}

const _: () = assert!(SHARDS.is_multiple_of(SWEPT), "each turn sweeps each shard once");

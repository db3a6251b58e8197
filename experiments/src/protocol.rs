//! One stream of the evaluation protocol, from the generator through the engine to what can be scored, in one process.
//!
//! The sales go through the program's own door (JSON lines, decoded and checked like any others), so that what is judged is the
//! product and not a copy of its parts. Nothing is written to disk but the feed of the stock, which must be a file.

use anyhow::{Context, Error, Result};
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use dataflows::pipeline;
use dataflows::row::event::Origin;
use dataflows::site::Setup;
use std::sync::{Arc, Mutex, PoisonError};
use vitrine::engine::{self, Job, Sink};
use vitrine::generate::{self, Generator};
use vitrine::score::Case;
use vitrine::score::read::{Tables, case};
use vitrine::settings::Settings;
use vitrine::source::{Input, Line};

/// The tables that are scored.
const KEPT: [Table; 3] = [Table::Events, Table::Episodes, Table::Suppressed];

/// What one run said, and what was true.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// The labels, as lines.
    pub labels: String,
    /// Rows of the tables that are scored, as lines, in the order of `events`, `episodes`, `suppressed`.
    pub rows: [String; 3],
    /// Records that were read.
    pub records: u64,
}

impl Judged {
    /// As the score takes it.
    ///
    /// # Errors
    /// When a row of the engine cannot be read, which would be a fault of this program.
    pub fn case(&self) -> Result<Case> {
        let [events, episodes, suppressed] = &self.rows;
        let some = |text: &'_ String| -> Option<String> { (!text.is_empty()).then(|| text.clone()) };
        let (episodes, suppressed) = (some(episodes), some(suppressed));
        let tables = Tables { events, episodes: episodes.as_deref(), suppressed: suppressed.as_deref() };
        case(&self.labels, tables).map_err(|(table, problem)| Error::msg(format!("{table}: {problem}")))
    }
}

/// Keeps the lines of some tables. Clones share what they keep.
#[derive(Clone, Default)]
struct Keep(Arc<Mutex<[Vec<u8>; 3]>>);

impl RowSink for Keep {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (kept, table) in kept.iter_mut().zip(KEPT) {
            kept.extend_from_slice(&rows.lines[table as usize]);
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

/// Runs a shop to the end of its span under settings of the product.
///
/// # Errors
/// When the shop makes no sense, the run fails, or a record is not accounted for.
pub fn run(shop: &generate::Settings, settings: &Settings, workers: usize) -> Result<Judged> {
    let labels = Arc::new(Mutex::new(String::new()));
    let lines = lines(Generator::new(shop.clone())?, shop, labels.clone());
    let mut inputs = vec![Input::generated("scenario", None, lines)];
    if !settings.stock.is_empty() {
        inputs.push(Input::stock(&settings.stock).map_err(Error::msg)?);
    }
    let job = Job::alone(settings, inputs, workers);
    let origin = Origin { source: "scenario".into(), config: String::new(), engine: "experiment".into() };
    let setup = Arc::new(Setup { origin, payments: settings.schema.payments.clone(), ..Setup::default() });
    let keep = Keep::default();
    let sink: Sink = Box::new(keep.clone());
    let report = engine::run(job, Some(sink), move |scope, context, released| pipeline::build(scope, context, &setup, released))
        .map_err(Error::msg)?;
    let total = report.total();
    anyhow::ensure!(total.unaccounted() == 0, "{} records are not accounted for", total.unaccounted());
    let kept = std::mem::take(&mut *keep.0.lock().unwrap_or_else(PoisonError::into_inner));
    let [events, episodes, suppressed] = kept.map(|lines| String::from_utf8(lines).context("rows are UTF-8"));
    let labels = std::mem::take(&mut *labels.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Judged { labels, rows: [events?, episodes?, suppressed?], records: total.read })
}

/// The records of a stream; when it has ended, its labels are in `labels`.
fn lines(
    mut generator: Generator,
    shop: &generate::Settings,
    labels: Arc<Mutex<String>>,
) -> impl Iterator<Item = Line> + Send + 'static {
    let end = shop.span.map_or(i64::MAX, |span| shop.start + span);
    let mut line = String::with_capacity(1 << 10);
    std::iter::from_fn(move || {
        line.clear();
        if let Some(at) = generator.next_into(&mut line) {
            return Some((at, line.as_bytes().to_vec()));
        }
        let seen = generator.event_time().min(end);
        let head = generator.stream_until(seen).to_json();
        let told = generator.labels_until(seen).iter().map(|label| label.to_json() + "\n").collect::<String>();
        *labels.lock().unwrap_or_else(PoisonError::into_inner) = head + "\n" + &told;
        None
    })
}

//! What `replay` and `demo` share: a job, its stop, its summary.

use super::compute::Cluster;
use super::{Failure, World, print};
use crate::console::report::Report;
use crate::engine::{self, Job, Sink};
use crate::error::Error;
use crate::http::Server;
use crate::metrics::watch::Watch;
use crate::serving::{Offer, Serving};
use crate::settings::Settings;
use crate::settings::http::Listen;
use crate::sink::tally::Totals;
use crate::source::Input;
use dataflows::clock::Counts;
use dataflows::dictionary::identity;
use dataflows::edge::Table;
use dataflows::pipeline;
use dataflows::row::event::Origin;
use dataflows::site::Setup;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Makes the job of these settings.
pub fn job(settings: &Settings, cluster: &Cluster, inputs: Vec<Input>, epoch_bytes: u64) -> Job {
    let Cluster { workers, process, addresses, faults, .. } = cluster.clone();
    Job { epoch_bytes, process, addresses, faults, ..Job::alone(settings, inputs, workers) }
}

/// Runs a job. Ctrl-C and SIGTERM stop it; a second one ends the process at once.
///
/// # Errors
/// Whatever stopped it.
pub fn run(job: Job, settings: &Settings, world: &World, sink: Option<Sink>) -> Result<engine::Report, Failure> {
    let (stop, exit) = (job.stop.clone(), world.exit);
    ctrlc::set_handler(move || match stop.requested() {
        true => exit(Failure::Stopped.code().into()),
        false => stop.request(),
    })
    .map_err(|e| Failure::Io(format!("cannot listen for Ctrl-C: {e}")))?;
    let names = job.sources();
    let origin = Origin {
        source: names.join(", "),
        config: format!("{:032x}", identity(settings.effective.values().as_bytes())),
        engine: format!("vitrine {}", env!("CARGO_PKG_VERSION")),
    };
    let metrics = job.metrics.clone();
    metrics.begin(names.clone(), job.live.is_some(), job.state.as_ref().map(|state| state.every));
    let serves = settings.http.serve_features && sink.is_some() && address(&job, settings).is_some();
    let serving = serves.then(|| Arc::new(Serving::new(job.plan.clone(), &tables(settings), offer(&job, settings))));
    let _endpoint = endpoint(&job, settings, serving.clone())?;
    let sink = sink.map(|sink| match serving {
        Some(serving) => serving.before(metrics.clone(), job.state.as_ref().map(|state| state.store.beside("serving")), sink),
        None => sink,
    });
    let sink = sink.map(|sink| Watch::before(metrics, sink));
    let setup = Arc::new(Setup { origin, faults: job.faults, payments: settings.schema.payments.clone() });
    tracing::info!(inputs = names.len(), workers = job.workers, processes = job.addresses.len().max(1), "run begins");
    let report = engine::run(job, sink, move |scope, context, released| pipeline::build(scope, context, &setup, released))?;
    tracing::info!("run ends");
    Ok(report)
}

/// Where this run answers HTTP, if it does.
fn address(job: &Job, settings: &Settings) -> Option<SocketAddr> {
    settings.http.address(job.live.is_some(), job.process)
}

/// What is served by this job: only of live inputs does the time of day say how old a value is.
fn offer(job: &Job, settings: &Settings) -> Offer {
    let offer = settings.http.features.clone();
    Offer { max_age: offer.max_age.filter(|_| job.live.is_some()), ..offer }
}

/// Health, metrics and features over HTTP, where the settings say so.
fn endpoint(job: &Job, settings: &Settings, serving: Option<Arc<Serving>>) -> Result<Option<Server>, Failure> {
    let Some(address) = address(job, settings) else { return Ok(None) };
    match Server::start(address, job.metrics.clone(), settings.http.limits, serving) {
        Ok(server) => Ok(Some(server)),
        // Nobody asked for this address, so it is no reason not to run.
        Err(e) if settings.http.listen == Listen::Auto => {
            tracing::warn!("no health and metrics at {address}: {e}; name another address with [http] listen");
            Ok(None)
        }
        Err(e) => {
            let advice = "name another address with [http] listen, or switch it off with \"off\"";
            Err(Failure::Io(format!("cannot serve health and metrics at {address}: {e}; {advice}")))
        }
    }
}

/// The tables that these settings fill.
pub fn tables(settings: &Settings) -> Vec<Table> {
    let fills = |table: &Table| match table {
        Table::Windows | Table::SellerFeatures | Table::CategoryFeatures | Table::Events | Table::DeadLetters => true,
        Table::Suppressed => settings.plan.events.write_suppressed,
        Table::Episodes => settings.plan.detect.enabled || settings.plan.signals.enabled,
        Table::ProductFeatures => settings.plan.profiles.products,
        Table::CustomerFeatures => settings.plan.profiles.customers,
        Table::Scores => settings.plan.profiles.scores,
    };
    Table::ALL.into_iter().filter(fills).collect()
}

/// `summary.json`: what the run did, and nothing that depends on the time of day, the duration or the number of workers.
#[derive(Serialize)]
pub struct Summary<'a> {
    records: Records,
    records_unaccounted: i64,
    rejected_by_code: &'a BTreeMap<String, u64>,
    rows: serde_json::Map<String, serde_json::Value>,
    certificate: &'a str,
    epoch_bytes: u64,
    windows: Vec<&'a str>,
    /// Closed windows that late records found older than the allowed lateness.
    unrevised: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct Records {
    read: u64,
    accepted: u64,
    duplicate: u64,
    too_late: u64,
    rejected: u64,
}

impl<'a> Summary<'a> {
    /// Of a run that has ended.
    pub fn new(settings: &'a Settings, epoch_bytes: u64, counts: Counts, totals: &'a Totals) -> Summary<'a> {
        let Counts { read, accepted, duplicate, too_late, rejected, .. } = counts;
        let rows = tables(settings).into_iter().map(|t| (t.name().to_owned(), totals.rows[t as usize].into()));
        Summary {
            records: Records { read, accepted, duplicate, too_late, rejected },
            records_unaccounted: counts.unaccounted(),
            rejected_by_code: &totals.rejected,
            rows: rows.collect(),
            certificate: &totals.certificate,
            epoch_bytes,
            windows: settings.plan.windows.iter().map(|w| w.name.as_str()).collect(),
            unrevised: settings.plan.windows.iter().map(|w| w.name.as_str()).zip(totals.unrevised.iter().copied()).collect(),
        }
    }

    /// As the last line of `demo --json`.
    pub fn line(&self) -> String {
        let summary = serde_json::to_string(self).expect("plain values and text keys are JSON");
        format!("{{\"summary\":{summary}}}\n")
    }

    /// As the file holds it.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("plain values and text keys are JSON") + "\n"
    }
}

/// The closing table.
pub fn table(settings: &Settings, run: &engine::Report, totals: &Totals, took: Duration) -> Report {
    let counts = run.total();
    Report {
        records: vec![
            ("accepted", counts.accepted),
            ("duplicate", counts.duplicate),
            ("too late", counts.too_late),
            ("rejected", counts.rejected),
        ],
        read: counts.read,
        unaccounted: counts.unaccounted(),
        rows: tables(settings).into_iter().map(|t| (t, totals.rows[t as usize])).collect(),
        certificate: totals.certificate.clone(),
        workers: run.workers.iter().map(|w| (w.read, w.keys)).collect(),
        took,
        checkpoints: None,
    }
}

/// Says how a run ended that wrote all that it had to.
///
/// # Errors
/// When records got lost on the way: our own mistake.
pub fn conclude(run: &engine::Report, text: &str) -> Result<(), Failure> {
    print(text)?;
    accounted(run)
}

/// Whether every record has a fate.
///
/// # Errors
/// When records got lost on the way: our own mistake.
pub fn accounted(run: &engine::Report) -> Result<(), Failure> {
    match run.total().unaccounted() {
        0 => Ok(()),
        n => Err(Error::Bug(format!("{n} records have no disposition")).into()),
    }
}

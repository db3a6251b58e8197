//! The numbers as JSON, for `/status` and `vitrine health`: a person's first look.

use super::checks::{self, Check, Limits};
use super::histogram::Histogram;
use super::{EVENT_TYPES, FATES, MOST_PARTITIONS, Metrics, now};
use dataflows::clock::live::STOCK;
use dataflows::edge::Table;
use dataflows::row::text;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// All that is known of the run.
pub fn status(m: &Metrics, limits: &Limits) -> Value {
    let uptime = (now() - m.started).max(1) as f64 / 1000.0;
    let read = m.sum(|w| &w.read);
    let watermark = m.watermark();
    let mut all = json!({
        "engine": concat!("vitrine ", env!("CARGO_PKG_VERSION")),
        "sources": m.sources(),
        "stage": m.stage().name(),
        "started": time(m.started),
        "uptime_seconds": uptime,
        "checks": checks::ready(m, limits),
        "watermark": watermark.map(time),
        "watermark_lag_seconds": watermark.map(|w| (now() - w) as f64 / 1000.0),
        "epochs": {"bound": m.progress.epochs.load(Relaxed), "handed": m.handed.load(Relaxed)},
        "records": records(m),
        "records_unaccounted": m.unaccounted(),
        "records_late": m.sum(|w| &w.late),
        "records_per_second": read as f64 / uptime,
        "rows": named(Table::ALL.iter().map(|t| (t.name(), &m.rows[*t as usize]))),
        "windows": m.windows.iter().map(|w| {
            json!({"window": w.name, "revised": w.revised.load(Relaxed), "unrevised": w.unrevised.load(Relaxed)})
        }).collect::<Vec<_>>(),
        "events": named(EVENT_TYPES.iter().copied().zip(m.events.iter().map(|e| &e[0]))),
        "events_retracted": named(EVENT_TYPES.iter().copied().zip(m.events.iter().map(|e| &e[1]))),
        "events_suppressed": m.suppressed.load(Relaxed),
        "keys": m.sum(|w| &w.keys),
        "state_entries": m.sum(|w| &w.state[0]),
        "state_bytes": m.sum(|w| &w.state[1]),
        "latency_seconds": quantiles(&m.latency),
    });
    if m.source.live.load(Relaxed) {
        all["source"] = source(m);
    }
    if m.sink.live.load(Relaxed) {
        let sink = &m.sink;
        all["sink"] = json!({
            "reachable": sink.reachable.load(Relaxed),
            "queued": sink.queued.load(Relaxed),
            "errors": sink.errors.load(Relaxed),
            "transactions": {"committed": sink.committed.load(Relaxed), "aborted": sink.aborted.load(Relaxed)},
            "transaction_seconds": quantiles(&sink.transaction),
        });
    }
    if let Some(posted) = m.posted.get().map(|ask| ask.0()) {
        all["webhook"] = json!({
            "sent": posted.sent,
            "retried": posted.retried,
            "refused": posted.refused,
            "dropped": posted.dropped,
            "waiting": posted.waiting,
        });
    }
    let every = m.checkpoint.every.load(Relaxed);
    if every > 0 {
        let c = &m.checkpoint;
        let last = Some(c.last.load(Relaxed)).filter(|at| *at > 0);
        all["checkpoint"] = json!({
            "every_seconds": every as f64 / 1000.0,
            "last": last.map(time),
            "age_seconds": last.map(|at| (now() - at) as f64 / 1000.0),
            "bytes": c.bytes.load(Relaxed),
            "duration_seconds": quantiles(&c.duration),
            "pause_seconds": quantiles(&c.pause),
        });
    }
    all
}

/// The checks of a probe, and whether all are well.
#[derive(Serialize)]
pub struct Verdict {
    /// Whether all are well.
    pub ok: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

impl Verdict {
    /// Of these checks.
    pub fn of(checks: Vec<Check>) -> Verdict {
        Verdict { ok: checks.iter().all(|c| c.ok), checks }
    }
}

fn source(m: &Metrics) -> Value {
    let partitions = m.source.partitions();
    let first = partitions.iter().take(MOST_PARTITIONS).map(|(number, p)| {
        json!({
            "partition": number % STOCK, "stock": *number >= STOCK, "position": p.position.load(Relaxed), "end": p.end.load(Relaxed),
            "lag": p.lag(), "idle": p.idle.load(Relaxed),
        })
    });
    json!({
        "reachable": m.source.reachable.load(Relaxed),
        "assigned": partitions.len(),
        "lag_records": m.lag(),
        "partitions": first.collect::<Vec<_>>(),
    })
}

fn records(m: &Metrics) -> Map<String, Value> {
    let fates = FATES.iter().enumerate().map(|(i, fate)| ((*fate).to_owned(), m.sum(|w| &w.fates[i]).into()));
    [("read".to_owned(), m.sum(|w| &w.read).into())].into_iter().chain(fates).collect()
}

fn named<'a>(values: impl Iterator<Item = (&'static str, &'a AtomicU64)>) -> Map<String, Value> {
    values.map(|(name, n)| (name.to_owned(), n.load(Relaxed).into())).collect()
}

/// Upper bounds of quantiles; a bound that is not finite says as much as `null`.
fn quantiles(histogram: &Histogram) -> Value {
    let read = histogram.read();
    json!({"count": read.count, "p50": read.quantile(0.5), "p99": read.quantile(0.99), "max": read.quantile(1.0)})
}

fn time(ms: i64) -> String {
    let mut out = vec![];
    text::time(ms, &mut out);
    String::from_utf8_lossy(&out).into()
}

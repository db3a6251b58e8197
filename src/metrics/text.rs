//! The numbers for Prometheus, in the text format of OpenMetrics: base units, sums end in `_total`.
//!
//! Encoded from the atomics whenever somebody asks; no metric is kept twice.

use super::histogram::{Histogram, Read};
use super::{EVENT_TYPES, FATES, MOST_PARTITIONS, Metrics, Stage, label, now};
use crate::serving::TABLES;
use crate::serving::feast::STATUSES;
use dataflows::edge::Table;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use std::fmt::Error;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// As HTTP names the format.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All numbers as text.
///
/// # Errors
/// When the encoder fails, which writing into a string does not.
pub fn text(metrics: &Arc<Metrics>) -> Result<String, Error> {
    let mut registry = Registry::with_prefix("vitrine");
    registry.register_collector(Box::new(Scrape(metrics.clone())));
    let mut out = String::new();
    prometheus_client::encoding::text::encode(&mut out, &registry)?;
    Ok(out)
}

#[derive(Debug)]
struct Scrape(Arc<Metrics>);

/// Writes metrics; the names are without `vitrine_` and `_total`.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn counter(&mut self, name: &str, help: &str, value: u64) -> Result<(), Error> {
        ConstCounter::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> Result<(), Error> {
        ConstGauge::new(value).encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counters<'v>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (&'v str, u64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (value, n) in values {
            ConstCounter::new(n).encode(family.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, i64)>,
    ) -> Result<(), Error> {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (value, n) in values {
            ConstGauge::new(n).encode(family.encode_family(&[(label, value.as_str())])?)?;
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, help: &str, of: &Histogram) -> Result<(), Error> {
        let Read { buckets, sum, count } = of.read();
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), Error> {
        let (m, mut page) = (&*self.0, Page(encoder));
        let seconds = |ms: i64| ms as f64 / 1000.0;
        page.gauge("start_timestamp_seconds", "When the engine started", seconds(m.started))?;
        let stages = Stage::ALL.map(|stage| (stage.name().to_owned(), i64::from(stage == m.stage())));
        page.gauges("stage", "1 for what the engine is about", "stage", stages)?;

        page.counter("records_input", "Records read", m.sum(|w| &w.read))?;
        let fates = FATES.iter().enumerate().map(|(i, fate)| (*fate, m.sum(|w| &w.fates[i])));
        page.counters("records", "Records of closed ticks by what became of them", "disposition", fates)?;
        page.gauge(
            "records_unaccounted",
            "Records of closed ticks that have no disposition; 0, or something is broken",
            m.unaccounted() as f64,
        )?;
        page.counter("records_late", "Accepted records whose pane had closed", m.sum(|w| &w.late))?;
        let windows = || m.windows.iter();
        let revised = windows().map(|w| (w.name.as_str(), w.revised.load(Relaxed)));
        page.counters("windows_revised", "Rows that restated a window", "window", revised)?;
        let unrevised = windows().map(|w| (w.name.as_str(), w.unrevised.load(Relaxed)));
        page.counters("windows_unrevised", "Closed windows too old for a late record", "window", unrevised)?;

        let rows = Table::ALL.map(|table| (table.name(), m.rows[table as usize].load(Relaxed)));
        page.counters("rows", "Rows handed to the sinks", "table", rows)?;
        let events = |i: usize| EVENT_TYPES.iter().zip(&m.events).map(move |(name, n)| (*name, n[i].load(Relaxed)));
        page.counters("events", "Events sent, those taken back included", "type", events(0))?;
        page.counters("events_retracted", "Events that took an earlier one back", "type", events(1))?;
        page.counter("events_suppressed", "Events that the cooldown held back", m.suppressed.load(Relaxed))?;

        page.counter("epochs_bound", "Epochs bound", m.progress.epochs.load(Relaxed))?;
        page.counter("epochs_handed", "Epochs whose rows have all been handed over", m.handed.load(Relaxed))?;
        if let Some(watermark) = m.watermark() {
            page.gauge("watermark_timestamp_seconds", "The watermark", seconds(watermark))?;
            page.gauge("watermark_lag_seconds", "How far it is behind the time of day", seconds(now() - watermark))?;
        }
        page.gauge("keys", "Keys owned", m.sum(|w| &w.keys) as f64)?;
        page.gauge("state_entries", "(key, pane) entries kept", m.sum(|w| &w.state[0]) as f64)?;
        page.gauge("state_bytes", "Bytes reserved for them", m.sum(|w| &w.state[1]) as f64)?;
        page.histogram(
            "event_to_output_latency_seconds",
            "From the broker's time of the newest record of an epoch until its rows had been handed over",
            &m.latency,
        )?;
        source(m, &mut page)?;
        sink(m, &mut page)?;
        webhook(m, &mut page)?;
        checkpoint(m, &mut page)?;
        serving(m, &mut page)
    }
}

fn source(m: &Metrics, page: &mut Page) -> Result<(), Error> {
    if !m.source.live.load(Relaxed) {
        return Ok(());
    }
    let partitions = m.source.partitions();
    let first = || partitions.iter().take(MOST_PARTITIONS);
    page.gauge("source_reachable", "Whether a broker answers", f64::from(u8::from(m.source.reachable.load(Relaxed))))?;
    page.gauge("partitions_assigned", "Partitions read here", partitions.len() as f64)?;
    let lags = first().map(|(n, p)| (label(*n), p.lag()));
    page.gauges("consumer_lag_records", "Records up to the last stable offset that have not been read", "partition", lags)?;
    let positions = first().map(|(n, p)| (label(*n), p.position.load(Relaxed)));
    page.gauges("consumer_position", "The next offset to be read", "partition", positions)?;
    let idle = first().map(|(n, p)| (label(*n), i64::from(p.idle.load(Relaxed))));
    page.gauges("partition_idle", "Whether it has stood at its end for the idle timeout", "partition", idle)
}

fn sink(m: &Metrics, page: &mut Page) -> Result<(), Error> {
    let sink = &m.sink;
    if !sink.live.load(Relaxed) {
        return Ok(());
    }
    page.gauge("sink_reachable", "Whether a broker takes what is sent", f64::from(u8::from(sink.reachable.load(Relaxed))))?;
    page.gauge("sink_queue_messages", "Messages that wait in the producer", sink.queued.load(Relaxed) as f64)?;
    page.counter("sink_errors", "Times that the brokers asked to try again", sink.errors.load(Relaxed))?;
    let ended = [("committed", sink.committed.load(Relaxed)), ("aborted", sink.aborted.load(Relaxed))];
    page.counters("sink_transactions", "Transactions by how they ended", "result", ended)?;
    page.histogram("sink_transaction_duration_seconds", "From the first message to the commit", &sink.transaction)
}

fn serving(m: &Metrics, page: &mut Page) -> Result<(), Error> {
    let serving = &m.serving;
    if !serving.on.load(Relaxed) {
        return Ok(());
    }
    let results = ["answered", "refused"].into_iter().zip(serving.requests.iter().map(|n| n.load(Relaxed)));
    page.counters("feature_requests", "Requests for features", "result", results)?;
    let statuses = STATUSES.into_iter().zip(serving.values.iter().map(|n| n.load(Relaxed)));
    page.counters("feature_values", "Values in answers by their status", "status", statuses)?;
    page.histogram("feature_request_duration_seconds", "From the whole request to the whole answer", &serving.duration)?;
    let keys = TABLES.map(|(table, _)| (table.name().to_owned(), serving.keys[table as usize].load(Relaxed) as i64));
    page.gauges("feature_keys", "Keys that have a row to be served", "table", keys)?;
    // Of live inputs alone does the time of day say anything.
    match serving.watermark.load(Relaxed) {
        watermark if watermark > 0 && m.source.live.load(Relaxed) => {
            let behind = (now() - watermark) as f64 / 1000.0;
            page.gauge("feature_staleness_seconds", "How far the watermark of the answers is behind the time of day", behind)
        }
        _ => Ok(()),
    }
}

fn webhook(m: &Metrics, page: &mut Page) -> Result<(), Error> {
    let Some(posted) = m.posted.get().map(|ask| ask.0()) else { return Ok(()) };
    let by = [("sent", posted.sent), ("refused", posted.refused), ("dropped", posted.dropped)];
    page.counters("webhook_events", "Events by what became of them at the webhook", "result", by)?;
    page.counter("webhook_retries", "Attempts that failed and were repeated", posted.retried)?;
    page.gauge("webhook_queue_events", "Events that wait for the webhook", posted.waiting as f64)
}

fn checkpoint(m: &Metrics, page: &mut Page) -> Result<(), Error> {
    let checkpoint = &m.checkpoint;
    if checkpoint.every.load(Relaxed) == 0 {
        return Ok(());
    }
    let last = checkpoint.last.load(Relaxed) as f64 / 1000.0;
    page.gauge("checkpoint_last_success_timestamp_seconds", "When the last one was complete; 0 before there is one", last)?;
    page.gauge("checkpoint_size_bytes", "Bytes of the last one", checkpoint.bytes.load(Relaxed) as f64)?;
    page.histogram("checkpoint_duration_seconds", "From the cut to the complete checkpoint", &checkpoint.duration)?;
    page.histogram("checkpoint_pause_seconds", "How long a cut kept a worker from its work", &checkpoint.pause)
}

//! Is it well? Checks with a name, a verdict and what it rests on, for probes and for people.
//!
//! *Live* asks whether the process does its work or should be started again; *ready* asks besides whether what it says is up to
//! date. An outage of Kafka makes it unready, not dead: a new process would not do better.

use super::{Metrics, Stage, now};
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;

/// What is still well; milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// An epoch that is bound leaves within this, or the engine stands still.
    pub stall: i64,
    /// The watermark may be so far behind the time of day while records wait to be read.
    pub lag: i64,
}

/// A checkpoint is late when its age is so many times the interval.
const LATE_CHECKPOINTS: i64 = 3;

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Whether it is well.
    pub ok: bool,
    /// What the verdict rests on, in words.
    pub detail: String,
}

fn check(name: &'static str, ok: bool, detail: impl Into<String>) -> Check {
    Check { name, ok, detail: detail.into() }
}

/// Whether the process does its work.
pub fn live(metrics: &Metrics, limits: &Limits) -> Vec<Check> {
    live_at(metrics, limits, now())
}

/// Whether what it says is up to date; the checks of [`live`] come first.
pub fn ready(metrics: &Metrics, limits: &Limits) -> Vec<Check> {
    ready_at(metrics, limits, now())
}

/// A span of milliseconds for a person.
pub fn span(ms: i64) -> String {
    match ms.max(0) {
        ms @ 0..1_000 => format!("{ms} ms"),
        ms @ 1_000..120_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        ms @ 120_000..7_200_000 => format!("{} min", ms / 60_000),
        ms => format!("{} h", ms / 3_600_000),
    }
}

fn live_at(m: &Metrics, limits: &Limits, now: i64) -> Vec<Check> {
    let failed = m.failed.load(Relaxed);
    let workers = if failed { "a worker has failed".to_owned() } else { format!("{} at work", m.workers.len()) };
    let (bound, handed) = (m.progress.epochs.load(Relaxed), m.handed.load(Relaxed));
    let waits = m.waits(now);
    let detail = match bound.saturating_sub(handed) {
        0 => format!("epoch {bound}, nothing on its way"),
        n => format!("epoch {bound}, {n} on their way, the first for {}", span(waits)),
    };
    vec![check("workers", !failed, workers), check("epochs", waits <= limits.stall, detail)]
}

fn ready_at(m: &Metrics, limits: &Limits, now: i64) -> Vec<Check> {
    let mut all = live_at(m, limits, now);
    all.push(check("stage", m.stage() == Stage::Running, m.stage().name()));
    let missing = m.unaccounted();
    all.push(check("records", missing == 0, format!("{missing} unaccounted for")));
    if m.source.live.load(Relaxed) {
        let reachable = m.source.reachable.load(Relaxed);
        all.push(check("source", reachable, if reachable { "a broker answers" } else { "no broker answers" }));
        let assigned = m.source.partitions().len();
        all.push(check("partitions", assigned > 0, format!("{assigned} assigned")));
        let lag = m.lag();
        let behind = m.watermark().map(|w| now - w);
        let in_time = lag == 0 || behind.is_some_and(|behind| behind <= limits.lag);
        let watermark = behind.map_or("no watermark yet".to_owned(), |b| format!("watermark {} behind", span(b)));
        all.push(check("lag", in_time, format!("{lag} records to read, {watermark}")));
    }
    if m.sink.live.load(Relaxed) {
        let reachable = m.sink.reachable.load(Relaxed);
        let queued = m.sink.queued.load(Relaxed);
        let detail = if reachable { "a broker takes what is sent" } else { "no broker takes what is sent" };
        all.push(check("sink", reachable, format!("{detail}, {queued} messages wait")));
    }
    let every = m.checkpoint.every.load(Relaxed);
    if every > 0 {
        let last = m.checkpoint.last.load(Relaxed);
        let (since, age) = (last.max(m.started), now - last);
        // One is cut when the watermark moves: while all is silent none is due.
        let waited = m.moved.load(Relaxed) - since;
        let detail = match last {
            0 => format!("none yet, one every {}", span(every)),
            _ => format!("{} old, one every {}", span(age), span(every)),
        };
        all.push(check("checkpoint", waited <= LATE_CHECKPOINTS * every.max(10_000), detail));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::plan::{Plan, Spec};
    use std::sync::Arc;

    const LIMITS: Limits = Limits { stall: 60_000, lag: 30_000 };

    fn metrics() -> Metrics {
        let m = Metrics { started: 1_000_000, ..Metrics::new(&Plan::new(&Spec::default()).unwrap(), 2, Arc::default()) };
        m.enter(Stage::Running);
        m
    }

    fn failing(m: &Metrics, now: i64) -> Vec<&'static str> {
        ready_at(m, &LIMITS, now).into_iter().filter(|c| !c.ok).map(|c| c.name).collect()
    }

    #[test]
    fn files_are_ready_while_they_are_read() {
        let m = metrics();
        assert_eq!(failing(&m, 1_000_001), Vec::<&str>::new());
        m.enter(Stage::Draining);
        assert_eq!(failing(&m, 1_000_001), ["stage"]);
        m.fail();
        m.workers[1].missing.store(1, Relaxed);
        assert_eq!(failing(&m, 1_000_001), ["workers", "stage", "records"]);
    }

    #[test]
    fn what_was_said_before_must_be_said_again() {
        let m = metrics();
        m.again(Some(7));
        m.resume(Some(4));
        assert_eq!(failing(&m, 1_000_001), ["stage"]);
        m.enter(Stage::Running);
        assert_eq!((m.stage(), failing(&m, 1_000_001)), (Stage::Restoring, vec!["stage"]));
        m.handed.store(8, Relaxed);
        assert_eq!((m.stage(), failing(&m, 1_000_001)), (Stage::Running, vec![]));
        // A second worker that begins later takes nothing back.
        m.resume(Some(4));
        assert_eq!(m.handed.load(Relaxed), 8);
    }

    #[test]
    fn an_epoch_that_does_not_leave_is_a_stall() {
        let m = metrics();
        assert_eq!(failing(&m, 1_000_001), Vec::<&str>::new());
        // bound after a long silence: it waits since now
        m.progress.epochs.store(3, Relaxed);
        m.handed.store(2, Relaxed);
        assert_eq!(failing(&m, 1_500_000), Vec::<&str>::new());
        assert_eq!(failing(&m, 1_560_000), Vec::<&str>::new());
        assert_eq!(failing(&m, 1_560_001), ["epochs"]);
        // it left, and another one waits
        m.handed.store(3, Relaxed);
        m.progress.epochs.store(4, Relaxed);
        assert_eq!(failing(&m, 1_570_000), Vec::<&str>::new());
        m.handed.store(4, Relaxed);
        assert_eq!(failing(&m, 9_000_000), Vec::<&str>::new());
    }

    #[test]
    fn a_live_source_needs_a_broker_partitions_and_to_keep_up() {
        let m = metrics();
        m.source.live.store(true, Relaxed);
        assert_eq!(failing(&m, 1_000_001), ["source", "partitions"]);
        m.source.reachable.store(true, Relaxed);
        let p = m.source.partition(0);
        p.end.store(10, Relaxed);
        p.position.store(4, Relaxed);
        assert_eq!(failing(&m, 1_000_001), ["lag"]);
        m.progress.watermark.store(990_000, Relaxed);
        assert_eq!(failing(&m, 1_000_001), Vec::<&str>::new());
        assert_eq!(failing(&m, 1_020_001), ["lag"]);
        // nothing to read: the shop is silent, and that is no fault of ours
        p.position.store(10, Relaxed);
        assert_eq!(failing(&m, 9_000_000), Vec::<&str>::new());
    }

    #[test]
    fn checkpoints_are_to_come_when_they_are_due() {
        let m = metrics();
        let failing = || failing(&m, 9_000_000);
        m.checkpoint.every.store(20_000, Relaxed);
        assert_eq!(failing(), Vec::<&str>::new(), "all is silent");
        m.moved.store(1_060_000, Relaxed);
        assert_eq!(failing(), Vec::<&str>::new());
        m.moved.store(1_060_001, Relaxed);
        assert_eq!(failing(), ["checkpoint"]);
        m.checkpoint.last.store(1_100_000, Relaxed);
        assert_eq!(failing(), Vec::<&str>::new());
        m.moved.store(1_160_001, Relaxed);
        m.sink.live.store(true, Relaxed);
        assert_eq!(failing(), ["sink", "checkpoint"]);
    }

    #[test]
    fn spans_for_people() {
        assert_eq!(
            [999, 1_999, 119_999, 120_000, 7_200_000, -5].map(span),
            ["999 ms", "1.9 s", "119.9 s", "2 min", "2 h", "0 ms"]
        );
    }
}

//! Counts what is handed to the sinks, on its way there.

use super::{EVENT_TYPES, Metrics, now};
use dataflows::clock::Binding;
use dataflows::edge::{Marks, RowSink, Table, TickRows};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Counts, then hands on.
pub struct Watch {
    metrics: Arc<Metrics>,
    sink: Box<dyn RowSink + Send>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    name: String,
    retracts: Option<String>,
}

impl Watch {
    /// Before this sink.
    pub fn before(metrics: Arc<Metrics>, sink: Box<dyn RowSink + Send>) -> Box<dyn RowSink + Send> {
        Box::new(Watch { metrics, sink })
    }

    fn count(&self, rows: &TickRows) {
        let m = &self.metrics;
        m.rows.iter().zip(rows.rows).for_each(|(sum, n)| {
            sum.fetch_add(n, Relaxed);
        });
        for row in rows.windows.iter().filter(|row| row.revision > 0) {
            if let Some(window) = m.windows.get(usize::from(row.window)) {
                window.revised.fetch_add(1, Relaxed);
            }
        }
        for line in rows.lines[Table::Events as usize].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let Ok(event) = serde_json::from_slice::<Event>(line) else { continue };
            if let Some(i) = EVENT_TYPES.iter().position(|name| *name == event.name) {
                m.events[i][0].fetch_add(1, Relaxed);
                m.events[i][1].fetch_add(event.retracts.is_some().into(), Relaxed);
            }
        }
    }
}

impl RowSink for Watch {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        self.sink.tick(rows)?;
        self.count(rows);
        Ok(())
    }

    fn epoch(&mut self, binding: &Binding) -> Result<(), String> {
        tracing::debug_span!("epoch", epoch = binding.epoch).in_scope(|| self.sink.epoch(binding))?;
        // Kafka has the rows when their transaction is committed.
        if !self.metrics.sink.live.load(Relaxed) {
            self.metrics.left(binding);
        }
        if binding.after > binding.before {
            self.metrics.moved.store(now(), Relaxed);
        }
        self.metrics.handed.store(binding.epoch + 1, Relaxed);
        Ok(())
    }

    fn save(&mut self, into: &mut Marks) -> Result<(), String> {
        self.sink.save(into)
    }

    fn resume(&mut self, from: &Marks) -> Result<(), String> {
        self.sink.resume(from)
    }

    fn ended(&mut self, unrevised: &[u64]) {
        self.sink.ended(unrevised);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::plan::{Plan, Spec};
    use std::sync::atomic::AtomicBool;

    struct Marked(Arc<AtomicBool>);

    impl RowSink for Marked {
        fn tick(&mut self, _rows: &TickRows) -> Result<(), String> {
            Ok(())
        }
        fn save(&mut self, into: &mut Marks) -> Result<(), String> {
            into.insert("here".into(), "7".into());
            Ok(())
        }
        fn resume(&mut self, from: &Marks) -> Result<(), String> {
            self.0.store(from.contains_key("here"), Relaxed);
            Ok(())
        }
    }

    /// Once it kept to itself what it was asked for a checkpoint, and files were gone on with from their beginning.
    #[test]
    fn a_sink_behind_the_watch_is_asked_where_it_stands() {
        let plan = Plan::new(&Spec::default()).unwrap();
        let (resumed, mut marks) = (Arc::new(AtomicBool::new(false)), Marks::new());
        let mut watch = Watch::before(Arc::new(Metrics::new(&plan, 1, Arc::default())), Box::new(Marked(resumed.clone())));
        watch.save(&mut marks).unwrap();
        watch.resume(&marks).unwrap();
        assert_eq!((marks["here"].as_str(), resumed.load(Relaxed)), ("7", true));
    }
}

//! What the brokers answer to each record.

use crate::kafka::client;
use crate::metrics::Metrics;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::statistics::Statistics;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// What the broker answered.
pub(super) struct Reports {
    progress: String,
    failed: Mutex<Option<(String, KafkaError)>>,
    offset: AtomicI64,
    metrics: Arc<OnceLock<Arc<Metrics>>>,
}

impl Reports {
    pub fn new(progress: &str, metrics: Arc<OnceLock<Arc<Metrics>>>) -> Reports {
        Reports { progress: progress.into(), failed: Mutex::new(None), offset: AtomicI64::new(-1), metrics }
    }

    /// The first record that was not delivered: its topic and why.
    pub fn failed(&self) -> Option<(String, KafkaError)> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The offset of the last record of progress.
    pub fn offset(&self) -> i64 {
        self.offset.load(Ordering::Acquire)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        client::trouble(&error, reason);
    }
    fn stats(&self, said: Statistics) {
        let Some(metrics) = self.metrics.get() else { return };
        // A client that has nothing to send lets go of its brokers.
        metrics.sink.reachable.store(client::reachable(&said) || said.msg_cnt == 0, Ordering::Relaxed);
        metrics.sink.queued.store(said.msg_cnt, Ordering::Relaxed);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();
    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        match delivered {
            Ok(message) if message.topic() == self.progress => self.offset.store(message.offset(), Ordering::Release),
            Ok(_) => {}
            Err((error, message)) => {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert((message.topic().into(), error.clone()));
            }
        }
    }
}

//! Records to a topic: each once, in order of its key, whatever happens to the broker meanwhile.
//!
//! librdkafka keeps what is not acknowledged, sends it again and numbers it, so that the broker drops what it has already
//! (`enable.idempotence`). What is left for us is to wait when its queue is full, and to count what arrived where.

use super::admin::{self, Admin};
use super::client;
use super::topics;
use crate::error::Error;
use crate::settings::kafka::Kafka;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the first contact may take: a wrong address should be told soon.
const FIRST: Duration = Duration::from_secs(10);

/// Time between two looks at what is in flight.
const LOOK: Duration = Duration::from_millis(1);

/// Doubling waits, for a queue that is full.
#[derive(Clone, Copy, Debug)]
struct Backoff(Duration);

impl Backoff {
    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_millis(500);

    fn new() -> Backoff {
        Backoff(Backoff::LEAST)
    }

    /// How long to wait now.
    fn next(&mut self) -> Duration {
        let now = self.0;
        self.0 = (now * 2).min(Backoff::MOST);
        now
    }
}

/// What has become of the records so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// By partition: records that arrived.
    pub partitions: BTreeMap<i32, u64>,
    /// Records that did not.
    pub failed: u64,
    /// Why the first of them did not.
    pub why: Option<String>,
}

impl Delivered {
    /// Records that arrived.
    pub fn records(&self) -> u64 {
        self.partitions.values().sum()
    }
}

/// Hears of deliveries, on the producer's own thread.
#[derive(Default)]
struct Reports {
    delivered: Mutex<Delivered>,
    records: AtomicU64,
    failed: AtomicBool,
    away: AtomicBool,
}

impl Reports {
    fn delivered(&self) -> std::sync::MutexGuard<'_, Delivered> {
        // Counts stay counts even if somebody panicked beside them.
        self.delivered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        let down = error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        if down && !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!("Kafka: no broker answers; trying again");
        }
        client::trouble(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();
    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut delivered = self.delivered();
        match result {
            Ok(message) => {
                *delivered.partitions.entry(message.partition()).or_default() += 1;
                self.records.fetch_add(1, Ordering::Relaxed);
                if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::Relaxed) {
                    tracing::warn!("Kafka: a broker is back");
                }
            }
            Err((error, _)) => {
                delivered.failed += 1;
                self.failed.store(true, Ordering::Relaxed);
                delivered.why.get_or_insert_with(|| reason(error));
            }
        }
    }
}

/// Why a record did not arrive.
fn reason(error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageTimedOut) => "no broker took it in time".into(),
        Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => "given up".into(),
        Some(code) => code.to_string(),
        None => error.to_string(),
    }
}

/// Sends records to one topic.
pub struct Sender {
    producer: ThreadedProducer<Reports>,
    topic: String,
    brokers: String,
    partitions: i32,
    /// Records without a key so far.
    keyless: Cell<u64>,
}

impl Sender {
    /// Connects, and makes the topic when it is missing and may be made.
    ///
    /// # Errors
    /// Settings that do not work, no broker, or no topic.
    pub fn new(kafka: &Kafka) -> Result<Sender, Error> {
        let admin = Admin::new(kafka)?;
        let there = admin.topics(FIRST)?.get(&kafka.topic).copied();
        let partitions = match (there, kafka.create_topics) {
            (Some(partitions), _) => partitions,
            (None, true) => {
                admin.create(&[topics::sales(kafka)])?;
                kafka.partitions
            }
            (None, false) => {
                return Err(Error::Unavailable(format!(
                    "there is no topic {} at {}, and [kafka] create_topics is false",
                    kafka.topic, kafka.brokers
                )));
            }
        };
        Sender::to(kafka, partitions)
    }

    /// Connects to a topic that is there.
    ///
    /// # Errors
    /// Settings that do not work.
    fn to(kafka: &Kafka, partitions: i32) -> Result<Sender, Error> {
        let producer = client::producer(kafka)?.create_with_context(Reports::default()).map_err(|e| client::cannot(&e))?;
        let (topic, brokers) = (kafka.topic.clone(), kafka.brokers.clone());
        Ok(Sender { producer, topic, brokers, partitions, keyless: Cell::new(0) })
    }

    /// Hands a record over, and waits while the queue is full. One without a key goes to the next partition in turn, so that the same
    /// records always lie in the same places. False when `stopped` said so before it was taken.
    ///
    /// # Errors
    /// When the producer cannot go on.
    pub fn send(&self, key: Option<&str>, value: &[u8], stopped: &dyn Fn() -> bool) -> Result<bool, Error> {
        let record = BaseRecord::to(&self.topic).payload(value);
        let mut record = match key {
            Some(key) => record.key(key),
            None => {
                let turn = self.keyless.replace(self.keyless.get() + 1);
                record.partition((turn % u64::from(self.partitions.max(1).unsigned_abs())) as i32)
            }
        };
        let mut backoff = Backoff::new();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(true),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    if stopped() {
                        return Ok(false);
                    }
                    record = back;
                    std::thread::sleep(backoff.next());
                }
                Err((error, _)) => return Err(self.broken(&error)),
            }
        }
    }

    /// Waits until all that was handed over has arrived or failed, or until `patience` says that it has been long enough: then
    /// the rest counts as failed.
    pub fn finish(&self, mut patience: impl FnMut() -> bool) -> Delivered {
        while self.in_flight() > 0 {
            if !patience() {
                self.producer.purge(PurgeConfig::default().queue().inflight());
                // Each purged record is reported, by the producer's own thread.
                let purged = Instant::now();
                while self.in_flight() > 0 && purged.elapsed() < FIRST {
                    std::thread::sleep(LOOK);
                }
                break;
            }
            std::thread::sleep(LOOK);
        }
        self.producer.context().delivered().clone()
    }

    /// Records that arrived so far.
    pub fn records(&self) -> u64 {
        self.producer.context().records.load(Ordering::Relaxed)
    }

    /// Whether a record has failed already.
    pub fn failed(&self) -> bool {
        self.producer.context().failed.load(Ordering::Relaxed)
    }

    /// Records that wait for the broker.
    pub fn in_flight(&self) -> u64 {
        self.producer.in_flight_count().unsigned_abs().into()
    }

    /// Whether no broker answers at the moment.
    pub fn away(&self) -> bool {
        self.producer.context().away.load(Ordering::Relaxed)
    }

    fn broken(&self, error: &KafkaError) -> Error {
        match self.producer.client().fatal_error() {
            Some((code, text)) => Error::Unavailable(format!("Kafka at {}: {text} ({code})", self.brokers)),
            None => admin::away(&self.brokers, error),
        }
    }
}

#[cfg(test)]
mod tests;

//! Sends sales at a steady rate, and notes when each window could close; reads the rows, and notes when each was seen.

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use vitrine::engine::now;
use vitrine::kafka::client;
use vitrine::settings::kafka::Kafka;

/// The slack of the watermark, milliseconds.
const SLACK: i64 = 2_000;

/// A shop.
pub struct Probe {
    producer: BaseProducer,
    topic: String,
    partitions: i32,
}

/// Window ends, in milliseconds since the Unix epoch, each with a moment.
pub type Seen = BTreeMap<i64, Instant>;

/// What was sent.
pub struct Sent {
    /// When each window could close.
    pub closing: Seen,
    /// Sales a second, which is less than was asked for where the sender cannot keep up.
    pub rate: f64,
}

impl Probe {
    /// Sends to the topic of these settings; `linger` is how long the client waits for company.
    ///
    /// # Errors
    /// When there is no such topic.
    pub fn new(kafka: &Kafka, linger: u64) -> Result<Probe> {
        let mut config = client::producer(kafka)?;
        config.set("linger.ms", linger.to_string());
        let producer: BaseProducer = config.create()?;
        let metadata = producer.client().fetch_metadata(Some(&kafka.topic), client::PATIENCE)?;
        let partitions = metadata.topics().first().context("no such topic")?.partitions().len() as i32;
        Ok(Probe { producer, topic: kafka.topic.clone(), partitions })
    }

    /// Sends so many sales a second for so long, each dated when it is sent, to all partitions in turn. Says of each multiple of
    /// `slide` milliseconds when the last partition was sent the sale that lets a window close there. The rate does not depend on
    /// how the receiver keeps up: what could not be sent in time is sent at once, and dated then.
    ///
    /// # Errors
    /// When the client refuses a record.
    pub fn send(&self, rate: u64, time: Duration, slide: i64) -> Result<Sent> {
        let (began, mut sent) = (Instant::now(), 0u64);
        let mut newest = vec![0; self.partitions as usize];
        let mut closing = Seen::new();
        while began.elapsed() < time {
            let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
            for i in sent..due {
                let (at, moment, partition) = (now(), Instant::now(), (i % self.partitions as u64) as usize);
                self.sale(i, at, partition as i32)?;
                let before = newest.iter().min().copied().unwrap_or(0);
                newest[partition] = at;
                let after = newest.iter().min().copied().unwrap_or(0);
                let (from, to) = ((before - SLACK).div_euclid(slide), (after - SLACK).div_euclid(slide));
                if from < to && before > 0 {
                    closing.insert(slide * to, moment);
                }
            }
            sent = due;
            // The client's own wait counts in whole milliseconds, and below one it would spin on a core that the others need.
            std::thread::sleep(Duration::from_micros(500));
            self.producer.poll(Duration::ZERO);
        }
        let rate = sent as f64 / began.elapsed().as_secs_f64();
        self.producer.flush(client::PATIENCE)?;
        Ok(Sent { closing, rate })
    }

    fn sale(&self, i: u64, at: i64, partition: i32) -> Result<()> {
        let sale = format!(
            r#"{{"op":"sale","id_sale":"L{i}","id_product":"B0{:05}","nm_product":"A product with a name of usual length","nm_category":"Category {}","nm_brand":"A brand","seller":"Seller {}","price":{}.{:02},"quantity":1,"tp_payment":"Credit Card Cash","sale_date":{at}}}"#,
            i * 7_919 % 10_000,
            i * 31 % 248,
            i * 104_729 % 10_000,
            5 + i % 300,
            i % 100
        );
        let mut record = BaseRecord::to(&self.topic).partition(partition).key("k").payload(&sale);
        while let Err((error, back)) = self.producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            // The broker takes no more: the sale keeps its date, so that its wait counts.
            self.producer.poll(Duration::from_millis(1));
            record = back;
        }
        Ok(())
    }
}

/// Reads a table of windows as others do, from its beginning, until `until`; when the first row of each window with this name was seen.
///
/// # Errors
/// When the topic cannot be read.
pub fn read(kafka: &Kafka, topic: &str, window: &str, until: Instant) -> Result<Seen> {
    let consumer: BaseConsumer = client::consumer(kafka)?.create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let mut seen = Seen::new();
    while Instant::now() < until {
        let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let moment = Instant::now();
        let Some(row) = message.payload().and_then(|value| serde_json::from_slice::<Value>(value).ok()) else { continue };
        if row["window"] == window
            && row["revision"] == 0
            && let Some(end) = row["window_end"].as_str().and_then(millis)
        {
            seen.entry(end).or_insert(moment);
        }
    }
    Ok(seen)
}

/// `2026-01-31T10:00:00.000Z` in milliseconds since the Unix epoch.
fn millis(text: &str) -> Option<i64> {
    let value = Value::String(text.to_owned());
    let at: vitrine::settings::value::Instant = serde_json::from_value(value).ok()?;
    Some(at.0)
}

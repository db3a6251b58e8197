//! Reading topics to their end.

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;
use vitrine::kafka::client;
use vitrine::settings::kafka::Kafka;

/// A record as it lies in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Option<i64>,
    pub key: Option<String>,
    /// None is a tombstone.
    pub value: Option<String>,
    pub headers: Vec<(String, String)>,
}

/// What a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// What was committed.
    Committed,
    /// Everything, aborted transactions too.
    All,
}

/// All records of a topic, by partition, each in the order of its offsets.
pub fn read(kafka: &Kafka, topic: &str, sees: Sees) -> Vec<Read> {
    let mut config = client::consumer(kafka).unwrap();
    if sees == Sees::All {
        config.set("isolation.level", "read_uncommitted");
    }
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30)).unwrap();
    let partitions = metadata.topics()[0].partitions().len();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..partitions {
        assignment.add_partition_offset(topic, partition as i32, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let (mut found, mut ends) = (vec![], 0);
    while ends < partitions {
        match consumer.poll(Duration::from_secs(30)).expect("the topic can be read to its end") {
            Ok(message) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers = message.headers().map(|headers| {
                    headers.iter().map(|header| (header.key.to_owned(), text(header.value.unwrap_or_default()))).collect()
                });
                found.push(Read {
                    partition: message.partition(),
                    offset: message.offset(),
                    timestamp: message.timestamp().to_millis(),
                    key: message.key().map(text),
                    value: message.payload().map(text),
                    headers: headers.unwrap_or_default(),
                });
            }
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(e) => panic!("{topic}: {e}"),
        }
    }
    found.sort_by_key(|read| (read.partition, read.offset));
    found
}

//! Sending through trouble, on librdkafka's own mock of a cluster: errors of the broker, a broker that goes and comes back, a
//! queue that is full. What a real broker promises is tested on one (`tests/kafka.rs`).

use super::*;
use crate::settings::{Given, Settings};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use std::cell::Cell;

const PARTITIONS: i32 = 3;

/// A cluster of one broker with the topic, and settings that lead there.
fn cluster(properties: &[(&str, &str)]) -> (MockCluster<'static, DefaultProducerContext>, Kafka) {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic("sales", PARTITIONS, 1).unwrap();
    let kafka = Settings::load(&Given::default()).unwrap().kafka;
    let mut kafka = Kafka { brokers: cluster.bootstrap_servers(), ..kafka };
    // A broker that comes back is found again soon.
    kafka.properties.insert("reconnect.backoff.max.ms".into(), "100".into());
    kafka.properties.extend(properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    (cluster, kafka)
}

fn key(i: usize) -> String {
    format!("seller {}", i % 7)
}

fn send(sender: &Sender, range: std::ops::Range<usize>) {
    for i in range {
        assert!(sender.send(Some(&key(i)), i.to_string().as_bytes(), &|| false).unwrap());
    }
}

/// All records of the topic: (partition, key, number), by partition and offset.
fn all(kafka: &Kafka, count: usize) -> Vec<(i32, String, usize)> {
    let consumer: BaseConsumer = client::consumer(kafka).unwrap().create().unwrap();
    let mut assignment = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        assignment.add_partition_offset("sales", partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&assignment).unwrap();
    let (mut found, mut ends) = (vec![], 0);
    while ends < PARTITIONS {
        match consumer.poll(Duration::from_secs(30)).expect("the topic can be read to its end") {
            Ok(message) => {
                let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
                found.push((message.partition(), text(message.key()), text(message.payload()).parse().unwrap()));
            }
            Err(KafkaError::PartitionEOF(_)) => ends += 1,
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(found.len(), count);
    found.sort_by_key(|(partition, _, i)| (*partition, *i));
    found
}

/// Each number once, each key in one partition.
fn whole(found: &[(i32, String, usize)]) {
    let mut numbers: Vec<usize> = found.iter().map(|(_, _, i)| *i).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..found.len()), "{numbers:?}");
    let mut places: BTreeMap<&str, i32> = BTreeMap::new();
    for (partition, own, i) in found {
        assert_eq!(*own, key(*i));
        assert_eq!(places.entry(own).or_insert(*partition), partition, "{own} is in two partitions");
    }
}

#[test]
fn records_arrive_once_and_by_key() {
    let (_cluster, kafka) = cluster(&[]);
    let sender = Sender::to(&kafka, PARTITIONS).unwrap();
    send(&sender, 0..500);
    let delivered = sender.finish(|| true);
    assert_eq!((delivered.records(), delivered.failed, sender.records()), (500, 0, 500));
    let found = all(&kafka, 500);
    whole(&found);
    for (partition, n) in &delivered.partitions {
        assert_eq!(found.iter().filter(|(own, _, _)| own == partition).count() as u64, *n);
    }
}

#[test]
fn errors_of_the_broker_are_dealt_with() {
    let (cluster, kafka) = cluster(&[("retry.backoff.ms", "10")]);
    let sender = Sender::to(&kafka, PARTITIONS).unwrap();
    let errors = [
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
    ];
    cluster.request_errors(RDKafkaApiKey::Produce, &errors);
    send(&sender, 0..300);
    assert_eq!(sender.finish(|| true).records(), 300);
    whole(&all(&kafka, 300));
}

#[test]
fn a_broker_may_go_and_come_back() {
    let (cluster, kafka) = cluster(&[]);
    let sender = Sender::to(&kafka, PARTITIONS).unwrap();
    send(&sender, 0..100);
    while sender.in_flight() > 0 {
        std::thread::yield_now();
    }
    cluster.broker_down(1).unwrap();
    send(&sender, 100..200);
    while !sender.away() {
        std::thread::yield_now();
    }
    assert_eq!(sender.records(), 100);
    cluster.broker_up(1).unwrap();
    let delivered = sender.finish(|| true);
    assert_eq!((delivered.records(), delivered.failed), (200, 0));
    assert!(!sender.away());
    whole(&all(&kafka, 200));
}

#[test]
fn what_no_broker_takes_in_time_has_failed() {
    let (cluster, kafka) = cluster(&[("message.timeout.ms", "300")]);
    let sender = Sender::to(&kafka, PARTITIONS).unwrap();
    cluster.broker_down(1).unwrap();
    send(&sender, 0..10);
    let delivered = sender.finish(|| true);
    assert_eq!((delivered.records(), delivered.failed), (0, 10));
    assert!(sender.failed());
    assert_eq!(delivered.why.as_deref(), Some("no broker took it in time"));
}

#[test]
fn what_is_given_up_has_failed() {
    let (cluster, kafka) = cluster(&[]);
    let sender = Sender::to(&kafka, PARTITIONS).unwrap();
    cluster.broker_down(1).unwrap();
    send(&sender, 0..10);
    let delivered = sender.finish(|| false);
    assert_eq!((delivered.records(), delivered.failed), (0, 10));
    assert_eq!(delivered.why.as_deref(), Some("given up"));
}

#[test]
fn a_full_queue_is_waited_for_until_told_to_stop() {
    let (cluster, kafka) = cluster(&[("queue.buffering.max.messages", "5")]);
    let sender = Sender::to(&kafka, PARTITIONS).unwrap();
    cluster.broker_down(1).unwrap();
    send(&sender, 0..5);
    let asked = Cell::new(0);
    let stopped = || {
        asked.set(asked.get() + 1);
        asked.get() > 3
    };
    assert!(!sender.send(None, b"one more", &stopped).unwrap());
    assert_eq!(asked.get(), 4);
    cluster.broker_up(1).unwrap();
    send(&sender, 5..50);
    assert_eq!(sender.finish(|| true).records(), 50);
    whole(&all(&kafka, 50));
}

#[test]
fn waits_double_up_to_a_limit() {
    let mut backoff = Backoff::new();
    let waits: Vec<u128> = (0..12).map(|_| backoff.next().as_millis()).collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 500, 500, 500]);
}

/// A batch that is as large as librdkafka makes them fits into what brokers take by default.
#[test]
fn the_options_of_a_producer_are_those_of_the_design() {
    let kafka = Settings::load(&Given::default()).unwrap().kafka;
    let config = client::producer(&kafka).unwrap();
    for (name, value) in [("enable.idempotence", "true"), ("acks", "all"), ("compression.type", "lz4"), ("batch.size", "1000000")]
    {
        assert_eq!(config.get(name), Some(value), "{name}");
    }
    let own = Kafka { properties: [("compression.codec".to_owned(), "zstd".to_owned())].into(), ..kafka };
    let config = client::producer(&own).unwrap();
    assert_eq!((config.get("compression.type"), config.get("compression.codec")), (None, Some("zstd")));
}

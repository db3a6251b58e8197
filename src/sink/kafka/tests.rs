//! Writing through trouble, on librdkafka's own mock of a cluster, whose transactions are an empty form: what is tested is that
//! we ask again, give up and say why. What transactions promise is tested on a real broker (`tests/kafka/sink.rs`).

use super::*;
use crate::engine::Stop;
use crate::fault::Kill;
use crate::kafka::{client, topics};
use crate::settings::kafka::{Delivery, Kafka};
use crate::settings::{Given, Settings};
use crate::source::bindings;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

struct Scene {
    cluster: MockCluster<'static, DefaultProducerContext>,
    kafka: Kafka,
    stop: Stop,
    sink: KafkaSink,
}

/// A cluster of one broker with the topics, and a sink that writes there.
fn scene(delivery: Delivery) -> Scene {
    let cluster = MockCluster::new(1).unwrap();
    let kafka = Settings::load(&Given::default()).unwrap().kafka;
    // The mock answers no questions of an administrator.
    let mut kafka = Kafka { brokers: cluster.bootstrap_servers(), create_topics: false, delivery, ..kafka };
    kafka.properties.insert("reconnect.backoff.max.ms".into(), "100".into());
    for topic in topics::outputs(&kafka) {
        cluster.create_topic(&topic.name, topic.partitions, 1).unwrap();
    }
    cluster.create_topic(&kafka.topic, 1, 1).unwrap();
    let stop = Stop::default();
    let wanted = Wanted {
        kafka: &kafka,
        tables: Table::ALL.to_vec(),
        fingerprint: "f".into(),
        from: None,
        group: true,
        stop: stop.clone(),
        kill: Kill::default(),
    };
    let (sink, recovered) = open(wanted).unwrap();
    assert_eq!(recovered, Recovered::default());
    Scene { cluster, kafka, stop, sink }
}

impl Scene {
    /// Hands over these epochs, each with one row of `windows`.
    fn hand(&mut self, epochs: std::ops::Range<u64>) -> Result<(), String> {
        for epoch in epochs {
            let mut rows = TickRows::default();
            let row = format!("{{\"window\":\"60s/30s\",\"window_end\":\"{epoch}\",\"revision\":0,\"total_sales\":1}}\n");
            rows.lines[Table::Windows as usize] = row.into_bytes();
            self.sink.tick(&rows)?;
            let line = format!(r#"{{"epoch":{epoch},"before":4,"after":5,"blocks":[[0,{epoch},{}]]}}"#, epoch + 1);
            self.sink.epoch(&bindings::read(&line).unwrap())?;
        }
        Ok(())
    }

    /// Until it has failed.
    fn failed(&self) -> Error {
        loop {
            match self.sink.failure() {
                Some(error) => return error,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// How many records of `windows` there are.
    fn windows(&self) -> usize {
        let consumer: BaseConsumer = client::consumer(&self.kafka).unwrap().create().unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(&topics::table_name(&self.kafka, Table::Windows), 0, Offset::Beginning).unwrap();
        consumer.assign(&place).unwrap();
        let mut found = 0;
        loop {
            match consumer.poll(Duration::from_secs(30)).expect("the topic can be read to its end") {
                Ok(message) => {
                    let key = message.key().map(|key| String::from_utf8_lossy(key).into_owned());
                    assert_eq!(key, Some(format!(r#"{{"window":"60s/30s","window_end":"{found}"}}"#)));
                    found += 1;
                }
                Err(KafkaError::PartitionEOF(_)) => return found,
                Err(e) => panic!("{e}"),
            }
        }
    }
}

#[test]
fn what_a_broker_refuses_for_a_moment_is_written_once_all_the_same() {
    use RDKafkaRespErr::{
        RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS as LOADING, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS as FEW,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION as MOVED,
    };
    for delivery in [Delivery::ExactlyOnce, Delivery::AtLeastOnce] {
        let mut scene = scene(delivery);
        scene.cluster.request_errors(RDKafkaApiKey::Produce, &[MOVED, FEW, FEW]);
        scene.cluster.request_errors(RDKafkaApiKey::AddPartitionsToTxn, &[LOADING, LOADING]);
        scene.cluster.request_errors(RDKafkaApiKey::TxnOffsetCommit, &[LOADING]);
        scene.cluster.request_errors(RDKafkaApiKey::EndTxn, &[LOADING, LOADING, LOADING]);
        scene.hand(0..20).unwrap();
        scene.sink.finish().unwrap();
        assert_eq!((scene.sink.stats().rows, scene.sink.stats().epoch), (20, Some(19)));
        assert_eq!(scene.windows(), 20);
    }
}

#[test]
fn a_broker_that_is_away_makes_it_wait() {
    let mut scene = scene(Delivery::ExactlyOnce);
    scene.hand(0..2).unwrap();
    scene.cluster.broker_down(1).unwrap();
    scene.hand(2..9).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(scene.sink.failure().is_none() && !scene.stop.requested());
    scene.cluster.broker_up(1).unwrap();
    scene.sink.finish().unwrap();
    assert_eq!(scene.windows(), 9);
}

#[test]
fn a_record_that_will_never_be_taken_ends_the_run() {
    let mut scene = scene(Delivery::ExactlyOnce);
    let refused = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 3];
    scene.cluster.request_errors(RDKafkaApiKey::Produce, &refused);
    scene.hand(0..1).unwrap();
    let error = scene.failed();
    assert!(
        matches!(&error, Error::Unavailable(text) if text.contains("a record could not be delivered to vitrine.")),
        "{error}"
    );
    assert!(scene.stop.requested(), "a run to which nothing is handed over hears of it, too");
    assert_eq!(scene.hand(1..2), Err(error.to_string()));
    assert_eq!(scene.sink.finish(), Err(error));
}

#[test]
fn being_fenced_is_said_in_words() {
    let mut scene = scene(Delivery::ExactlyOnce);
    let fenced = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_PRODUCER_FENCED; 3];
    scene.cluster.request_errors(RDKafkaApiKey::EndTxn, &fenced);
    scene.hand(0..1).unwrap();
    let error = scene.failed();
    let expected = "another run of the job \"vitrine\" has taken over, so this one ends; ";
    assert!(matches!(&error, Error::Output(text) if text.starts_with(expected)), "{error}");
}

//! Taking over a job: fence who wrote for it before, then read what was committed.

use super::group::Group;
use super::progress::{Progress, Recovered};
use super::queue::Queue;
use super::reports::Reports;
use super::writer::{Writer, why};
use super::{KafkaSink, Shared, Stats};
use crate::engine::Stop;
use crate::error::Error;
use crate::fault::Kill;
use crate::kafka::admin::{Admin, Topic, away};
use crate::kafka::client::{self, Logged, PATIENCE};
use crate::kafka::topics;
use crate::settings::kafka::{Delivery, Kafka};
use dataflows::edge::Table;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the sink is wanted for.
pub struct Wanted<'a> {
    /// Brokers, job, prefix, delivery.
    pub kafka: &'a Kafka,
    /// The tables that the settings fill.
    pub tables: Vec<Table>,
    /// A hash of all on which the rows depend; a job goes on only under the same.
    pub fingerprint: String,
    /// Where on the progress topic to begin to read: [`KafkaSink::offset_of`] the oldest state from which the run may resume;
    /// `None` for all of it.
    pub from: Option<i64>,
    /// Whether the inputs are partitions of the topic `[kafka] topic`, whose offsets lag tools want to see.
    pub group: bool,
    /// Asked to stop the run when the sink fails.
    pub stop: Stop,
    /// Where to die, for tests.
    pub kill: Kill,
}

/// Takes over the job, and starts the thread that writes.
///
/// # Errors
/// When the brokers are away or refuse, topics are missing, or the job ran with other settings or has lost its history.
pub fn open(wanted: Wanted<'_>) -> Result<(KafkaSink, Recovered), Error> {
    let kafka = wanted.kafka;
    make_topics(kafka, &wanted.tables)?;
    let exact = kafka.delivery == Delivery::ExactlyOnce;
    let mut config = if exact { client::transactional(kafka, &kafka.job)? } else { client::producer(kafka)? };
    if !["linger.ms", "queue.buffering.max.ms"].iter().any(|name| kafka.properties.contains_key(*name)) {
        // Rows leave in bursts, tick by tick: a transaction sends what lingers when it commits, and without one nobody waits.
        config.set("linger.ms", if exact { "2" } else { "0" });
    }
    let progress_topic = topics::progress_name(kafka);
    client::watched(&mut config);
    let metrics = Arc::default();
    let reports = Reports::new(&progress_topic, Arc::clone(&metrics));
    let producer: ThreadedProducer<Reports> = config.create_with_context(reports).map_err(|e| client::cannot(&e))?;
    if exact {
        begin(&producer, kafka)?;
    }
    let me = Progress {
        job: kafka.job.clone(),
        incarnation: incarnation(),
        fingerprint: wanted.fingerprint,
        epochs: None,
        bindings: vec![],
        certificate: String::new(),
    };
    let shared =
        Arc::new(Shared { queue: Queue::default(), stats: Mutex::new(Stats::default()), records: Mutex::default(), metrics });
    let mut writer = Writer {
        producer,
        shared: shared.clone(),
        stop: wanted.stop,
        kill: wanted.kill,
        exact,
        topics: Table::ALL.map(|table| topics::table_name(kafka, table)),
        progress_topic,
        me,
        group: if wanted.group { Some(Group::new(kafka, exact)?) } else { None },
    };
    writer.announce()?;
    let recovered = read(kafka, &writer.me, wanted.from)?;
    tracing::info!(epoch = recovered.last_epoch, incarnation = writer.me.incarnation, "job {:?} taken over", kafka.job);
    if let Ok(mut records) = shared.records.lock() {
        records.extend(&recovered.offsets);
    }
    if let Ok(mut stats) = shared.stats.lock() {
        stats.epoch = recovered.last_epoch;
    }
    let thread = std::thread::Builder::new()
        .name("kafka-sink".into())
        .spawn(move || writer.run())
        .map_err(|e| Error::Unavailable(format!("cannot start a thread: {e}")))?;
    let sink = KafkaSink {
        shared,
        thread: Arc::new(Mutex::new(Some(thread))),
        tables: wanted.tables.into(),
        epoch: 0,
        said: recovered.last_epoch,
        certificate: String::new(),
        expected: recovered.certificate.clone(),
    };
    Ok((sink, recovered))
}

/// A name that no other run has.
fn incarnation() -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

fn make_topics(kafka: &Kafka, tables: &[Table]) -> Result<(), Error> {
    let wanted: Vec<Topic> = tables.iter().map(|table| topics::table(kafka, *table)).chain([topics::progress(kafka)]).collect();
    let admin = Admin::new(kafka)?;
    if kafka.create_topics {
        let made = admin.create(&wanted)?;
        if !made.is_empty() {
            tracing::info!("made the topics {}", made.join(", "));
        }
    }
    let there = admin.topics(PATIENCE)?;
    for topic in &wanted {
        // A topic that was just made may not be in the metadata yet.
        match there.get(&topic.name) {
            None if !kafka.create_topics => {
                let name = &topic.name;
                return Err(Error::Unavailable(format!(
                    "the topic {name} does not exist at {}: make it, or set create_topics = true under [kafka]",
                    kafka.brokers
                )));
            }
            Some(partitions) if topic.name == topics::progress_name(kafka) && *partitions != 1 => {
                return Err(Error::Settings(format!(
                    "the topic {} has {partitions} partitions; it must have one, since its order counts",
                    topic.name
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Fences whoever has the transactional id, and ends what he left open.
fn begin(producer: &ThreadedProducer<Reports>, kafka: &Kafka) -> Result<(), Error> {
    let until = Instant::now() + 2 * PATIENCE;
    loop {
        match producer.init_transactions(PATIENCE) {
            Ok(()) => return Ok(()),
            Err(KafkaError::Transaction(e)) if e.is_retriable() && Instant::now() < until => {
                tracing::info!("Kafka: {e}; trying again");
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(e) => {
                let timed_out = matches!(&e, KafkaError::Transaction(e) if e.is_retriable());
                return Err(if timed_out {
                    away(&kafka.brokers, &KafkaError::Global(code(&e)))
                } else {
                    why(&e, &kafka.job, false)
                });
            }
        }
    }
}

fn code(error: &KafkaError) -> RDKafkaErrorCode {
    match error {
        KafkaError::Transaction(e) => e.code(),
        other => other.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown),
    }
}

/// Reads the progress topic up to our own record.
fn read(kafka: &Kafka, me: &Progress, from: Option<i64>) -> Result<Recovered, Error> {
    let topic = topics::progress_name(kafka);
    let consumer: BaseConsumer<Logged> =
        client::consumer(kafka)?.create_with_context(Logged::default()).map_err(|e| client::cannot(&e))?;
    let mut place = TopicPartitionList::new();
    let start = from.map_or(Offset::Beginning, Offset::Offset);
    place.add_partition_offset(&topic, 0, start).and_then(|()| consumer.assign(&place)).map_err(|e| away(&kafka.brokers, &e))?;
    let mut recovered = Recovered::default();
    let mut until = Instant::now() + PATIENCE;
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                until = Instant::now() + PATIENCE;
                if message.key() != Some(kafka.job.as_bytes()) {
                    continue;
                }
                let offset = message.offset();
                let record: Progress = serde_json::from_slice(message.payload().unwrap_or_default()).map_err(|e| {
                    Error::Unavailable(format!(
                        "offset {offset} of {topic} is no record of progress ({e}); start with a new [kafka] job"
                    ))
                })?;
                if record.epochs.is_none() && record.incarnation == me.incarnation {
                    return Ok(recovered);
                }
                recovered.take(record, offset, &me.fingerprint)?;
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(e)) => match e.rdkafka_error_code() {
                Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset) => {
                    return Err(Error::Unavailable(format!(
                        "offset {} of {topic} is gone: it has forgotten what is older than [kafka] keep_bindings; start from a \
                         newer checkpoint, or with a new [kafka] job",
                        from.unwrap_or(0)
                    )));
                }
                _ => tracing::info!("Kafka: {e}; trying again"),
            },
        }
        if Instant::now() >= until {
            return Err(Error::Unavailable(format!("Kafka at {}: {topic} cannot be read to its end", kafka.brokers)));
        }
    }
}

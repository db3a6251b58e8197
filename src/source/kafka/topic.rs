//! The topic as a whole: where reading begins, and a reader for each worker.

use super::reader::Reader;
use super::watch::Watching;
use crate::error::Error;
use crate::kafka::admin::{away, settled};
use crate::kafka::client::{self, Logged, PATIENCE};
use crate::kafka::names::Names;
use crate::metrics::Metrics;
use crate::settings::kafka::Kafka;
use crate::source::live::Source;
use dataflows::clock::binding::Found;
use dataflows::clock::live::Partitions;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::sync::Arc;
use std::time::Duration;

/// How often to look for new partitions, unless `[kafka.properties]` says so.
const DISCOVER: (&str, Duration) = ("topic.metadata.refresh.interval.ms", Duration::from_secs(60));

const BACKOFF: &str = "fetch.queue.backoff.ms";

/// A partition that does not move for so long although there is more is started again.
const STUCK: Duration = Duration::from_secs(15);

/// Where a run begins that has nothing to go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At the first sale that the brokers have.
    Earliest,
    /// With the first sale that comes from now on.
    Latest,
    /// With the first sale that the brokers took at this time or later; milliseconds since the Unix epoch.
    Time(i64),
}

/// A topic of sales, and beside it the one that says what is in stock.
pub struct Topic {
    config: ClientConfig,
    names: Names,
    /// What the first worker of the first process looks out for.
    watching: Watching,
    /// Who hears how reading goes.
    metrics: Option<Arc<Metrics>>,
}

impl Topic {
    /// The topic of these settings. `idle`: how long a partition stands at its end before it counts as idle.
    ///
    /// # Errors
    /// Settings that no client can be made of.
    pub fn new(kafka: &Kafka, idle: Duration) -> Result<Topic, Error> {
        let mut config = client::consumer(kafka)?;
        // Without a group: partitions are not given to us, we take them.
        config.remove("group.id");
        // A partition whose queue is full is looked at again this soon: after a whole second, the default, it would be empty.
        if !kafka.properties.contains_key(BACKOFF) {
            config.set(BACKOFF, "20");
        }
        let watching = Watching { idle, stuck: STUCK, discover: None, known: vec![] };
        Ok(Topic { config, names: Names::new(kafka), watching, metrics: None })
    }

    /// These numbers say how reading goes.
    pub fn watched(mut self, metrics: Arc<Metrics>) -> Topic {
        client::watched(&mut self.config);
        metrics.source.stocked(self.names.stock.as_deref());
        self.metrics = Some(metrics);
        self
    }

    /// Looks where the partitions begin and end now, so that reading begins there and new partitions are noticed; on the
    /// process whose first worker decides.
    ///
    /// # Errors
    /// When no broker answers, or the topic does not exist.
    pub fn look(&mut self, from: From) -> Result<(), Error> {
        let client = self.client()?;
        let found = self.names.all().map(|(name, first)| self.find(&client, name, first, from));
        self.watching.known = found.collect::<Result<Vec<_>, _>>()?.concat();
        let every = self.config.get(DISCOVER.0).and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
        self.watching.discover = Some(every.unwrap_or(DISCOVER.1));
        Ok(())
    }

    /// The partitions of one topic, which are numbered from `first` on.
    fn find(&self, client: &BaseConsumer<Logged>, name: &str, first: u32, from: From) -> Result<Vec<Found>, Error> {
        let count = partitions(client, name, PATIENCE).map_err(|e| self.away(&e))?;
        if count == 0 {
            let setting = if first == 0 { "--topic" } else { "[stock] topic" };
            return Err(Error::Unavailable(format!(
                "there is no topic {name} at {}; make it, or name another with {setting}",
                self.brokers()
            )));
        }
        let numbers = 0..i32::try_from(count).unwrap_or(i32::MAX);
        let ends = numbers.clone().map(|p| settled(|| client.fetch_watermarks(name, p, PATIENCE)));
        let ends: Vec<(i64, i64)> = ends.collect::<Result<_, _>>().map_err(|e| self.away(&e))?;
        let starts: Vec<i64> = match from {
            From::Earliest => ends.iter().map(|(first, _)| *first).collect(),
            From::Latest => ends.iter().map(|(_, end)| *end).collect(),
            From::Time(at) => {
                let mut times = TopicPartitionList::new();
                for p in numbers {
                    times.add_partition_offset(name, p, Offset::Offset(at)).map_err(|e| self.away(&e))?;
                }
                let found = settled(|| client.offsets_for_times(times.clone(), PATIENCE)).map_err(|e| self.away(&e))?;
                let elements = found.elements();
                let start = |(p, (_, end)): (usize, &(i64, i64))| {
                    let element = elements.iter().find(|element| element.partition() == p as i32);
                    match element.map(|element| element.offset()) {
                        Some(Offset::Offset(offset)) => offset,
                        _ => *end, // nothing came since
                    }
                };
                ends.iter().enumerate().map(start).collect()
            }
        };
        let offset = |offset: i64| u64::try_from(offset).unwrap_or(0);
        let known = starts.iter().zip(&ends).zip(first..);
        let known = known.map(|((start, (_, end)), input)| Found { input, start: offset(*start), until: Some(offset(*end)) });
        Ok(known.collect())
    }

    fn client(&self) -> Result<BaseConsumer<Logged>, Error> {
        self.config.create_with_context(Logged::telling(self.metrics.clone())).map_err(|e| client::cannot(&e))
    }

    fn brokers(&self) -> &str {
        self.config.get("bootstrap.servers").unwrap_or_default()
    }

    fn away(&self, error: &KafkaError) -> Error {
        away(self.brokers(), error)
    }
}

impl Source for Topic {
    fn name(&self) -> &str {
        &self.names.sales
    }

    fn stock(&self) -> Option<&str> {
        self.names.stock.as_deref()
    }

    fn reader(&self, worker: usize) -> Result<Box<dyn Partitions>, Error> {
        let first = worker == 0;
        let mut watching = self.watching.clone();
        if !first {
            (watching.discover, watching.known) = (None, vec![]);
        }
        let reader = Reader::new(self.client()?, &self.names, watching, self.metrics.clone());
        let refused = |name| Error::Settings(format!("Kafka takes no topic called {name}"));
        Ok(Box::new(reader.map_err(refused)?))
    }
}

/// How many partitions a topic has; 0 when it does not exist.
pub(super) fn partitions(client: &BaseConsumer<Logged>, topic: &str, patience: Duration) -> Result<usize, KafkaError> {
    use rdkafka::error::RDKafkaErrorCode as Code;
    let metadata = client.fetch_metadata(Some(topic), patience)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else { return Ok(0) };
    match found.error().map(Code::from) {
        None => Ok(found.partitions().len()),
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => Ok(0),
        Some(code) => Err(KafkaError::MetadataFetch(code)),
    }
}

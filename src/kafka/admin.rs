//! Topics: which are there, and making those that are missing.

use super::client::{self, Logged, PATIENCE};
use crate::error::Error;
use crate::settings::kafka::{Kafka, Proof};
use rdkafka::ClientContext;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::Client;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// A topic to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its partitions.
    pub partitions: i32,
    /// Its replicas; `None` as the brokers say.
    pub replication: Option<i32>,
    /// Its settings, as Kafka calls them.
    pub config: Vec<(&'static str, String)>,
}

/// What a topic holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its name.
    pub topic: String,
    /// Its partitions.
    pub partitions: i32,
    /// Offsets between the first and the last, over all partitions: records, and the marks of transactions.
    pub offsets: i64,
}

/// Asks about topics, and makes them.
///
/// Questions go through a producer that sends nothing: its thread takes in what librdkafka has to say, why a broker does not let us
/// in above all, and fetches tokens. The library's admin client does neither, so it is used for making topics only.
pub struct Admin {
    client: AdminClient<Logged>,
    contact: ThreadedProducer<Contact>,
    brokers: String,
    /// Whether the admin client would wait for a token for ever.
    tokens: bool,
}

/// Remembers why a broker does not let us in.
#[derive(Default)]
struct Contact {
    refused: Mutex<Option<String>>,
}

impl Contact {
    fn refused(&self) -> Option<String> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientContext for Contact {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client::log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        if let Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL) = error.rdkafka_error_code() {
            // `sasl_ssl://host:port/bootstrap: SASL authentication error: ... (after 5ms in state ...)`; of a token without a broker.
            let plain = reason.split_once(": ").filter(|(broker, _)| broker.contains("://")).map_or(reason, |(_, plain)| plain);
            let plain = plain.split(" (after ").next().unwrap_or(plain);
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(plain.to_owned());
        }
        client::trouble(&error, reason);
    }
}

impl ProducerContext for Contact {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// The first time that a question may take; each further try takes twice as long.
const TRY: Duration = Duration::from_secs(1);

impl Admin {
    /// A client for these settings. Nothing is asked yet.
    ///
    /// # Errors
    /// Settings that no client can be made of.
    pub fn new(kafka: &Kafka) -> Result<Admin, Error> {
        let config = client::admin(kafka)?;
        let client = config.create_with_context(Logged::default()).map_err(|e| client::cannot(&e))?;
        let contact = config.create_with_context(Contact::default()).map_err(|e| client::cannot(&e))?;
        let tokens = matches!(kafka.security.proof, Some(Proof::Oidc { .. }));
        Ok(Admin { client, contact, brokers: kafka.brokers.clone(), tokens })
    }

    /// The topics that are there, with their partitions.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn topics(&self, patience: Duration) -> Result<BTreeMap<String, i32>, Error> {
        let (began, mut step) = (Instant::now(), TRY);
        loop {
            let left = patience.saturating_sub(began.elapsed());
            match topics(self.contact.client(), step.min(left)) {
                Ok(topics) => return Ok(topics),
                Err(e) => match self.contact.context().refused() {
                    Some(why) => return Err(Error::Unavailable(format!("Kafka at {}: {why}", self.brokers))),
                    None if left <= step => return Err(away(&self.brokers, &e)),
                    None => step *= 2,
                },
            }
        }
    }

    /// What all topics hold, but for those of Kafka itself; in the order of their names.
    ///
    /// # Errors
    /// When no broker answers in time.
    pub fn held(&self) -> Result<Vec<Held>, Error> {
        let client = self.contact.client();
        let there = self.topics(PATIENCE)?.into_iter().filter(|(name, _)| !name.starts_with("__"));
        let held = there.map(|(topic, partitions)| {
            let watermarks = (0..partitions).map(|partition| settled(|| client.fetch_watermarks(&topic, partition, PATIENCE)));
            let offsets = watermarks.map(|found| found.map(|(low, high)| high - low)).sum::<Result<i64, _>>();
            offsets.map(|offsets| Held { topic, partitions, offsets }).map_err(|e| away(&self.brokers, &e))
        });
        held.collect()
    }

    /// Makes those of `wanted` that are not there, and says which it made. A topic that is there stays as it is.
    ///
    /// # Errors
    /// When no broker answers in time, or one of them refuses.
    pub fn create(&self, wanted: &[Topic]) -> Result<Vec<String>, Error> {
        let there = self.topics(PATIENCE)?;
        let missing: Vec<&Topic> = wanted.iter().filter(|topic| !there.contains_key(&topic.name)).collect();
        if missing.is_empty() {
            return Ok(vec![]);
        }
        if self.tokens {
            let names: Vec<&str> = missing.iter().map(|topic| topic.name.as_str()).collect();
            return Err(Error::Unavailable(format!(
                "there is no topic {} at {}, and with OAUTHBEARER they cannot be made from here: make them first",
                names.join(", "),
                self.brokers
            )));
        }
        let topics: Vec<NewTopic<'_>> = missing.iter().map(|topic| new(topic)).collect();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
        let answers = wait(self.client.create_topics(&topics, &options)).map_err(|e| away(&self.brokers, &e))?;
        let mut made = vec![];
        for answer in answers {
            match answer {
                Ok(name) => made.push(name),
                // Somebody was faster.
                Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(Error::Unavailable(format!("cannot make the topic {name} at {}: {code}", self.brokers)));
                }
            }
        }
        Ok(made)
    }
}

fn new(topic: &Topic) -> NewTopic<'_> {
    // Kafka takes -1 for what its own settings say.
    let replication = TopicReplication::Fixed(topic.replication.unwrap_or(-1));
    let new = NewTopic::new(&topic.name, topic.partitions, replication);
    topic.config.iter().fold(new, |new, (key, value)| new.set(key, value))
}

/// The topics that a client sees, with their partitions.
///
/// # Errors
/// When no broker answers in time.
pub fn topics<C: rdkafka::ClientContext>(client: &Client<C>, patience: Duration) -> Result<BTreeMap<String, i32>, KafkaError> {
    let metadata = client.fetch_metadata(None, patience)?;
    let topic = |topic: &rdkafka::metadata::MetadataTopic| (topic.name().to_owned(), topic.partitions().len() as i32);
    Ok(metadata.topics().iter().filter(|topic| topic.error().is_none()).map(topic).collect())
}

/// No broker answered, or not in a way that helps.
pub fn away(brokers: &str, error: &KafkaError) -> Error {
    let why = match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::RequestTimedOut,
        ) => "no broker answers".to_owned(),
        Some(code) => code.to_string(),
        None => error.to_string(),
    };
    Error::Unavailable(format!("Kafka at {brokers}: {why}"))
}

/// Asks again while the brokers are still finding out who leads a partition, as after a topic was made or a broker came back.
///
/// # Errors
/// What the last answer was, after [`PATIENCE`].
pub fn settled<T>(mut ask: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    use RDKafkaErrorCode::{LeaderNotAvailable, NotLeaderForPartition, PreferredLeaderNotAvailable, ReplicaNotAvailable};
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        let code = answer.as_ref().err().and_then(KafkaError::rdkafka_error_code);
        let unsettled =
            matches!(code, Some(NotLeaderForPartition | LeaderNotAvailable | PreferredLeaderNotAvailable | ReplicaNotAvailable));
        if !unsettled || Instant::now() >= until {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits for an answer of the admin client, which speaks in futures; its own threads do the work.
fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Parked(Thread);
    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Parked(thread::current())));
    let (mut context, mut future) = (Context::from_waker(&waker), pin!(future));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

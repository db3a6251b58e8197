//! From `[kafka]` to configurations of librdkafka's clients.
//!
//! 1. What our promises depend on is set here and can be set nowhere else; each option says why.
//! 2. What the person passes on in `[kafka.properties]` is laid under ours.
//! 3. A secret goes from its file or variable straight into the client. `ClientConfig` leaves it out of its own `Debug`.

use crate::error::Error;
use crate::metrics::Metrics;
use crate::settings::kafka::{Kafka, Proof, Protocol, Security};
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::statistics::Statistics;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long a question to the cluster may take before we say that it is away.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What all clients have in common: addresses, security, the person's own options.
///
/// # Errors
/// When a secret cannot be read, when this build lacks what the settings need, or when librdkafka knows no such option.
pub fn common(kafka: &Kafka) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::new();
    for (name, value) in &kafka.properties {
        config.set(name, value);
    }
    config.create_native_config().map_err(|e| Error::Settings(format!("[kafka.properties] {}", refused(&e))))?;
    config.set("bootstrap.servers", &kafka.brokers).set("client.id", format!("vitrine-{}", kafka.job));
    // What a person need not see is dropped where it is logged, so that `-vv` shows it.
    config.set_log_level(RDKafkaLogLevel::Info);
    secure(&mut config, &kafka.security)?;
    config.create_native_config().map_err(|e| Error::Settings(format!("[kafka] {}", refused(&e))))?;
    Ok(config)
}

/// A client that asks for metadata and makes topics.
///
/// # Errors
/// As [`common`].
pub fn admin(kafka: &Kafka) -> Result<ClientConfig, Error> {
    common(kafka)
}

/// A client that reads. Partitions are assigned by us, so the group is only a name under which offsets are shown.
///
/// # Errors
/// As [`common`].
pub fn consumer(kafka: &Kafka) -> Result<ClientConfig, Error> {
    let mut config = common(kafka)?;
    config
        .set("group.id", &kafka.group)
        // Positions are ours; the group's offsets are written for lag tools and never read back.
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // Offsets that are gone are lost data: the person must hear of it, instead of a silent jump.
        .set("auto.offset.reset", "error")
        // What an aborted transaction of whoever feeds us wrote was never said.
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    preferred(&mut config, kafka, "queued.max.messages.kbytes", "16384");
    Ok(config)
}

/// A client that writes each record once and in order, whatever the network does.
///
/// # Errors
/// As [`common`].
pub fn producer(kafka: &Kafka) -> Result<ClientConfig, Error> {
    let mut config = common(kafka)?;
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        // The hash that Java clients use: a key is in the same partition whoever wrote it.
        .set("partitioner", "murmur2_random");
    preferred(&mut config, kafka, "linger.ms", "10");
    preferred(&mut config, kafka, "batch.num.messages", "100000");
    preferred(&mut config, kafka, "batch.size", "1000000");
    preferred(&mut config, kafka, "compression.type", "lz4");
    Ok(config)
}

/// A [`producer`] whose records become visible by transactions, under this transactional id.
///
/// # Errors
/// As [`common`].
pub fn transactional(kafka: &Kafka, id: &str) -> Result<ClientConfig, Error> {
    let mut config = producer(kafka)?;
    config.set("transactional.id", id);
    preferred(&mut config, kafka, "transaction.timeout.ms", "60000");
    Ok(config)
}

/// Sets an option unless the person did. Names have synonyms in librdkafka, of which the later one set wins.
fn preferred(config: &mut ClientConfig, kafka: &Kafka, name: &str, value: &str) {
    let synonyms: &[&str] = match name {
        "linger.ms" => &["queue.buffering.max.ms"],
        "compression.type" => &["compression.codec"],
        _ => &[],
    };
    if !kafka.properties.contains_key(name) && !synonyms.iter().any(|synonym| kafka.properties.contains_key(*synonym)) {
        config.set(name, value);
    }
}

fn secure(config: &mut ClientConfig, security: &Security) -> Result<(), Error> {
    if security.protocol == Protocol::Plaintext {
        return Ok(());
    }
    supported(security)?;
    config.set("security.protocol", security.protocol.name());
    let read = |hidden: &crate::settings::secret::Hidden| hidden.read().map_err(Error::Settings);
    match &security.proof {
        None => {}
        Some(Proof::Password { mechanism, username, password }) => {
            config.set("sasl.mechanisms", *mechanism).set("sasl.username", username);
            if let Some(password) = read(password)? {
                config.set("sasl.password", password.reveal());
            }
        }
        Some(Proof::Oidc { token_url, client_id, client_secret, scope }) => {
            config
                .set("sasl.mechanisms", "OAUTHBEARER")
                .set("sasl.oauthbearer.method", "oidc")
                .set("sasl.oauthbearer.token.endpoint.url", token_url)
                .set("sasl.oauthbearer.client.id", client_id);
            if let Some(secret) = read(client_secret)? {
                config.set("sasl.oauthbearer.client.secret", secret.reveal());
            }
            if !scope.is_empty() {
                config.set("sasl.oauthbearer.scope", scope);
            }
        }
        Some(Proof::Kerberos) => {
            config.set("sasl.mechanisms", "GSSAPI");
        }
    }
    if let Some(ca) = &security.ca {
        config.set("ssl.ca.location", ca.to_string_lossy());
    }
    if let Some((cert, key)) = &security.own {
        config.set("ssl.certificate.location", cert.to_string_lossy()).set("ssl.key.location", key.to_string_lossy());
        if let Some(password) = read(&security.key_password)? {
            config.set("ssl.key.password", password.reveal());
        }
    }
    Ok(())
}

/// Says in words what this build cannot do, which librdkafka would say in its own.
fn supported(security: &Security) -> Result<(), Error> {
    let lacks = |what: &str, feature: &str| {
        Err(Error::Settings(format!(
            "[kafka] {what}, which this program was built without; build it with `cargo build --release --features {feature}`"
        )))
    };
    let protocol = security.protocol.name();
    if security.protocol.tls() && !cfg!(feature = "tls") {
        return lacks(&format!("security = \"{protocol}\" needs TLS"), "tls");
    }
    match &security.proof {
        Some(Proof::Password { mechanism, .. }) if *mechanism != "PLAIN" && !cfg!(feature = "tls") => {
            lacks(&format!("mechanism = \"{mechanism}\" needs TLS"), "tls")
        }
        Some(Proof::Oidc { .. }) if !cfg!(feature = "oidc") => lacks("mechanism = \"OAUTHBEARER\" needs HTTPS", "oidc"),
        Some(Proof::Kerberos) if !cfg!(feature = "kerberos") => lacks("mechanism = \"GSSAPI\" needs Kerberos", "kerberos"),
        _ => Ok(()),
    }
}

/// What librdkafka says of an option, without its value: that could be a secret.
fn refused(error: &KafkaError) -> String {
    match error {
        KafkaError::ClientConfig(_, description, name, _) => {
            let description = description.trim_end_matches('.');
            if description.contains(name.as_str()) { description.to_owned() } else { format!("{name}: {description}") }
        }
        other => other.to_string(),
    }
}

/// A client could not be made.
pub fn cannot(error: &KafkaError) -> Error {
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => Error::Settings(format!("[kafka] {}", refused(error))),
        other => Error::Unavailable(format!("Kafka: {other}")),
    }
}

/// The context of a client that has nothing to say but to the log, and, when it is watched, to the metrics.
#[derive(Clone, Debug, Default)]
pub struct Logged(Option<Arc<Metrics>>);

/// How often a client that is watched says how it is doing.
const SAYS: (&str, &str) = ("statistics.interval.ms", "1000");

/// A client that says now and then how it is doing, unless the settings say how often.
pub fn watched(config: &mut ClientConfig) {
    if config.get(SAYS.0).is_none() {
        config.set(SAYS.0, SAYS.1);
    }
}

/// Whether a broker answers this client.
pub fn reachable(said: &Statistics) -> bool {
    said.brokers.values().any(|broker| matches!(broker.state.as_str(), "UP" | "UPDATE"))
}

impl Logged {
    /// For a consumer that reads sales: it tells the metrics where partitions end.
    pub fn telling(metrics: Option<Arc<Metrics>>) -> Logged {
        Logged(metrics)
    }
}

impl ClientContext for Logged {
    fn stats(&self, said: Statistics) {
        let Some(metrics) = &self.0 else { return };
        metrics.source.reachable.store(reachable(&said), Relaxed);
        let mine = metrics.source.partitions();
        for (first, topic) in said.topics.values().map(|topic| (metrics.source.first(&topic.topic), topic)) {
            for partition in topic.partitions.values() {
                let input = u32::try_from(partition.partition).ok().map(|number| first + number);
                // Before the first answer there is no end.
                if let Some(known) = input.and_then(|input| mine.get(&input)).filter(|_| partition.ls_offset >= 0) {
                    known.end.store(partition.ls_offset, Relaxed);
                }
            }
        }
    }
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        trouble(&error, reason);
    }
}

impl ConsumerContext for Logged {}

impl ProducerContext for Logged {
    type DeliveryOpaque = ();
    fn delivery(&self, delivered: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = delivered {
            tracing::warn!("Kafka: a record was not delivered ({error})");
        }
    }
}

/// A line of librdkafka's own log, for contexts that have more to do.
///
/// What it calls an error is mostly a broker that does not answer for a moment, which it deals with itself.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!("Kafka: {message} ({facility})")
        }
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::info!("Kafka: {message} ({facility})"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::debug!("Kafka: {message} ({facility})"),
        RDKafkaLogLevel::Debug => tracing::trace!("Kafka: {message} ({facility})"),
    }
}

/// An error that librdkafka raises outside of any call, for contexts that have more to do.
///
/// An address that does not answer is no news: `localhost` has two, a cluster has several, and while all are away it is said again
/// and again. Who depends on the answer says so once.
pub fn trouble(error: &KafkaError, reason: &str) {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::AllBrokersDown,
        ) => tracing::info!("Kafka: {reason}"),
        _ => tracing::warn!("Kafka: {reason} ({error})"),
    }
}

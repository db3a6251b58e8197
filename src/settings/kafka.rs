//! The section `[kafka]`: where the brokers are, what the topics are called, and how we prove who we are.
//!
//! Passwords and keys are in [`super::secret`].

use super::Error;
use super::layer::Effective;
use super::raw;
use super::secret::{self, Hidden};
use super::value::Count;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a commit promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Transactions of whole epochs: a reader with `read_committed` sees each row once.
    ExactlyOnce,
    /// No transactions: less delay; after a crash rows may come again.
    AtLeastOnce,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// A name and a proof, not encrypted.
    SaslPlaintext,
    /// A name and a proof, over TLS.
    SaslSsl,
}

impl Protocol {
    /// As librdkafka calls it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Plaintext => "plaintext",
            Protocol::Ssl => "ssl",
            Protocol::SaslPlaintext => "sasl_plaintext",
            Protocol::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether it needs TLS.
    pub fn tls(self) -> bool {
        matches!(self, Protocol::Ssl | Protocol::SaslSsl)
    }

    /// Whether it needs a mechanism.
    pub fn sasl(self) -> bool {
        matches!(self, Protocol::SaslPlaintext | Protocol::SaslSsl)
    }
}

/// How we prove who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Name and password, `PLAIN` or one of `SCRAM-SHA-256` and `SCRAM-SHA-512`.
    Password {
        /// The mechanism as Kafka calls it.
        mechanism: &'static str,
        /// The name.
        username: String,
        /// Its password.
        password: Hidden,
    },
    /// `OAUTHBEARER`: tokens from an OpenID Connect provider, by client credentials.
    Oidc {
        /// Where tokens are asked for.
        token_url: String,
        /// Who asks.
        client_id: String,
        /// And with what.
        client_secret: Hidden,
        /// What for; empty when the provider needs none.
        scope: String,
    },
    /// `GSSAPI`: Kerberos, with what `[kafka.properties]` says of it.
    Kerberos,
}

/// Protection of the connection, and proof of who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// How the connection is protected.
    pub protocol: Protocol,
    /// For the SASL protocols.
    pub proof: Option<Proof>,
    /// Who vouches for the brokers, instead of those whom the system trusts.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its key, for brokers that ask for one.
    pub own: Option<(PathBuf, PathBuf)>,
    /// What the key is encrypted with.
    pub key_password: Hidden,
}

/// The section, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// `HOST:PORT`, with commas between several.
    pub brokers: String,
    /// The topic of the sales.
    pub topic: String,
    /// The topic that says what is in stock.
    pub stock: Option<String>,
    /// The consumer group under which offsets are shown to lag tools.
    pub group: String,
    /// The job: its transactional id. Two runs of one job at a time fence each other.
    pub job: String,
    /// What the names of the output topics begin with.
    pub prefix: String,
    /// Partitions of a topic of sales that we make.
    pub partitions: i32,
    /// Replicas of a topic that we make; `None` as the brokers say.
    pub replication: Option<i32>,
    /// Whether missing topics are made.
    pub create_topics: bool,
    /// How long recorded bindings are kept, in milliseconds.
    pub keep_bindings: i64,
    /// What a commit promises.
    pub delivery: Delivery,
    /// Protection and proof.
    pub security: Security,
    /// Further options of librdkafka; none of those that are ours.
    pub properties: BTreeMap<String, String>,
}

impl Kafka {
    /// The same topics on a broker of one's own machine: what protects the real ones, and how often they keep things, is left out.
    pub fn on_loopback(&self, brokers: String) -> Kafka {
        let security = Security { protocol: Protocol::Plaintext, proof: None, ca: None, own: None, key_password: Hidden::None };
        Kafka { brokers, security, replication: None, properties: BTreeMap::new(), ..self.clone() }
    }
}

/// Options of librdkafka that are ours to set, and where the person sets them instead; the others would break a promise.
const OURS: [(&str, &str); 33] = [
    ("bootstrap.servers", "[kafka] brokers"),
    ("metadata.broker.list", "[kafka] brokers"),
    ("client.id", "[kafka] job"),
    ("group.id", "[kafka] group"),
    ("group.instance.id", ""),
    ("transactional.id", "[kafka] job"),
    ("enable.idempotence", ""),
    ("acks", ""),
    ("request.required.acks", ""),
    ("enable.auto.commit", ""),
    ("enable.auto.offset.store", ""),
    ("auto.offset.reset", ""),
    ("isolation.level", ""),
    ("enable.partition.eof", ""),
    ("message.send.max.retries", ""),
    ("retries", ""),
    ("partitioner", ""),
    ("security.protocol", "[kafka] security"),
    ("sasl.mechanism", "[kafka] mechanism"),
    ("sasl.mechanisms", "[kafka] mechanism"),
    ("sasl.username", "[kafka] username"),
    ("sasl.password", "[kafka] password_file"),
    ("sasl.oauthbearer.method", "[kafka] mechanism"),
    ("sasl.oauthbearer.client.id", "[kafka] oauth_client_id"),
    ("sasl.oauthbearer.client.secret", "[kafka] oauth_client_secret_file"),
    ("sasl.oauthbearer.scope", "[kafka] oauth_scope"),
    ("sasl.oauthbearer.token.endpoint.url", "[kafka] oauth_token_url"),
    ("ssl.ca.location", "[kafka] ca_file"),
    ("ssl.certificate.location", "[kafka] cert_file"),
    ("ssl.key.location", "[kafka] key_file"),
    ("ssl.key.password", "[kafka] key_password_file"),
    ("ssl.key.pem", "[kafka] key_file"),
    ("ssl.keystore.password", "[kafka] key_file and cert_file"),
];

/// Names of the mechanisms, as Kafka has them.
const MECHANISMS: [&str; 5] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI"];

pub(super) fn resolve(raw: &raw::Kafka, stock: &raw::Stock, effective: &Effective) -> Result<Kafka, Error> {
    let wrong = |key: &str, message: String| effective.problem(&format!("kafka.{key}"), message);
    if raw.brokers.0.is_empty() {
        return Err(wrong("brokers", "at least one HOST:PORT".into()));
    }
    for broker in &raw.brokers.0 {
        let port = broker.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none_or(|port| port == 0) {
            return Err(wrong("brokers", format!("{broker:?} is no address; write HOST:PORT, for example \"localhost:9092\"")));
        }
    }
    let stock = Some(stock.topic.trim().to_string()).filter(|name| !name.is_empty());
    let names = [("kafka.topic", &raw.topic), ("kafka.prefix", &raw.prefix)];
    for (path, name) in names.into_iter().chain(stock.iter().map(|name| ("stock.topic", name))) {
        let good = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > 200 || !name.chars().all(good) || [".", ".."].contains(&name.as_str()) {
            let message = format!("{name:?}: a name in Kafka has letters, digits, `.`, `_` and `-`");
            return Err(effective.problem(path, message));
        }
    }
    if stock.as_ref() == Some(&raw.topic) {
        return Err(effective.problem("stock.topic", "is the topic of the sales: records of the stock need one of their own"));
    }
    for (key, name) in [("group", &raw.group), ("job", &raw.job)] {
        if name.trim().is_empty() {
            return Err(wrong(key, "must not be empty".into()));
        }
    }
    let count = |key: &str, Count(n): Count, least: i64, most: i64| match i32::try_from(n) {
        Ok(small) if (least..=most).contains(&n) => Ok(small),
        _ => Err(wrong(key, format!("must be between {least} and {most}"))),
    };
    let delivery = match raw.delivery.trim() {
        "exactly-once" => Delivery::ExactlyOnce,
        "at-least-once" => Delivery::AtLeastOnce,
        other => return Err(wrong("delivery", format!("{other:?} is none of \"exactly-once\" and \"at-least-once\""))),
    };
    Ok(Kafka {
        brokers: raw.brokers.0.join(","),
        topic: raw.topic.clone(),
        stock,
        group: raw.group.clone(),
        job: raw.job.clone(),
        prefix: raw.prefix.clone(),
        partitions: count("partitions", raw.partitions, 1, 10_000)?,
        replication: Some(count("replication", raw.replication, 0, 1_000)?).filter(|n| *n > 0),
        create_topics: raw.create_topics,
        keep_bindings: raw.keep_bindings.0,
        delivery,
        security: security(raw, effective)?,
        properties: properties(raw, effective)?,
    })
}

fn security(raw: &raw::Kafka, effective: &Effective) -> Result<Security, Error> {
    let wrong = |key: &str, message: &str| effective.problem(&format!("kafka.{key}"), message);
    let protocol = match raw.security.trim().to_ascii_lowercase().as_str() {
        "plaintext" => Protocol::Plaintext,
        "ssl" | "tls" => Protocol::Ssl,
        "sasl_plaintext" => Protocol::SaslPlaintext,
        "sasl_ssl" => Protocol::SaslSsl,
        other => {
            let message = format!("{other:?} is none of \"plaintext\", \"ssl\", \"sasl_plaintext\" and \"sasl_ssl\"");
            return Err(wrong("security", &message));
        }
    };
    let hidden = |key: &str, file: &str| secret::hidden(effective, &format!("kafka.{key}"), file);
    let path = |text: &str| Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty());
    let own = match (path(&raw.cert_file), path(&raw.key_file)) {
        (None, None) => None,
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, _) => return Err(wrong("cert_file", "a key needs its certificate")),
        (_, None) => return Err(wrong("key_file", "a certificate needs its key")),
    };
    let password = hidden("password", &raw.password_file)?;
    let client_secret = hidden("oauth_client_secret", &raw.oauth_client_secret_file)?;
    let key_password = hidden("key_password", &raw.key_password_file)?;
    let proof = match (protocol.sasl(), raw.mechanism.trim()) {
        (true, mechanism) => Some(proof(raw, mechanism, password, client_secret, &wrong)?),
        (false, "") if raw.username.is_empty() => None,
        (false, _) => {
            let message = "a mechanism and a name are used with \"sasl_ssl\" and \"sasl_plaintext\" only";
            return Err(wrong("security", message));
        }
    };
    let ca = path(&raw.ca_file);
    if !protocol.tls() && (ca.is_some() || own.is_some()) {
        return Err(wrong("security", "certificates are used with \"ssl\" and \"sasl_ssl\" only"));
    }
    Ok(Security { protocol, proof, ca, own, key_password })
}

fn proof(
    raw: &raw::Kafka,
    mechanism: &str,
    password: Hidden,
    client_secret: Hidden,
    wrong: &dyn Fn(&str, &str) -> Error,
) -> Result<Proof, Error> {
    let Some(mechanism) = MECHANISMS.into_iter().find(|known| known.eq_ignore_ascii_case(mechanism)) else {
        return Err(wrong("mechanism", &format!("{mechanism:?} is none of {}", MECHANISMS.join(", "))));
    };
    match mechanism {
        "OAUTHBEARER" => {
            for (key, text) in [("oauth_token_url", &raw.oauth_token_url), ("oauth_client_id", &raw.oauth_client_id)] {
                if text.is_empty() {
                    return Err(wrong(key, "OAUTHBEARER needs it"));
                }
            }
            if client_secret == Hidden::None {
                return Err(wrong("oauth_client_secret_file", "OAUTHBEARER needs it, or VITRINE__KAFKA__OAUTH_CLIENT_SECRET"));
            }
            Ok(Proof::Oidc {
                token_url: raw.oauth_token_url.clone(),
                client_id: raw.oauth_client_id.clone(),
                client_secret,
                scope: raw.oauth_scope.clone(),
            })
        }
        "GSSAPI" => Ok(Proof::Kerberos),
        mechanism => {
            if raw.username.is_empty() {
                return Err(wrong("username", &format!("{mechanism} needs it")));
            }
            if password == Hidden::None {
                return Err(wrong("password_file", &format!("{mechanism} needs it, or VITRINE__KAFKA__PASSWORD")));
            }
            Ok(Proof::Password { mechanism, username: raw.username.clone(), password })
        }
    }
}

fn properties(raw: &raw::Kafka, effective: &Effective) -> Result<BTreeMap<String, String>, Error> {
    let mut properties = BTreeMap::new();
    for (name, value) in &raw.properties {
        let wrong = |message: String| effective.problem(&format!("kafka.properties.{name}"), message);
        if let Some((_, instead)) = OURS.iter().find(|(ours, _)| ours == name) {
            return Err(wrong(match *instead {
                "" => "is set by Vitrine itself: its promises depend on it".into(),
                instead => format!("is set by Vitrine itself; use {instead}"),
            }));
        }
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => value.to_string(),
            _ => return Err(wrong("a text, a number, true or false is expected here".into())),
        };
        properties.insert(name.clone(), text);
    }
    Ok(properties)
}

//! What is logged and printed where a secret is in use.

use super::broker::vitrine;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use std::sync::mpsc::{Sender, channel};
use vitrine::kafka::client;
use vitrine::settings::{Given, Settings};

const SECRET: &str = "geheim-5f1c";

const SASL: [(&str, &str); 4] = [
    ("VITRINE__KAFKA__SECURITY", "sasl_plaintext"),
    ("VITRINE__KAFKA__MECHANISM", "PLAIN"),
    ("VITRINE__KAFKA__USERNAME", "me"),
    ("VITRINE__KAFKA__PASSWORD", SECRET),
];

#[test]
fn no_command_shows_a_secret() {
    let send = ["-vvv", "produce", "--brokers", "127.0.0.1:1", "--sales", "1", "--set", "kafka.properties.debug=all"];
    for args in [&send[..], &["config", "show"], &["config", "show", "--json"], &["config", "check"]] {
        let output = vitrine(args).envs(SASL).env("RUST_LOG", "trace").output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.is_empty() && !said.contains(SECRET), "{args:?}: {said}");
    }
}

/// Keeps what librdkafka says.
struct Heard(Sender<String>);

impl ClientContext for Heard {
    fn log(&self, _: RDKafkaLogLevel, _: &str, line: &str) {
        let _ = self.0.send(line.to_owned());
    }
}

impl ProducerContext for Heard {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// librdkafka lists its configuration when it is asked to say everything; the secret is not in the list.
#[test]
fn no_log_of_the_client_shows_a_secret() {
    let env = SASL.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut kafka = Settings::load(&Given { env, ..Given::default() }).unwrap().kafka;
    kafka.brokers = "127.0.0.1:1".into();
    kafka.properties.insert("debug".into(), "all".into());
    let (heard, lines) = channel();
    let mut config = client::producer(&kafka).unwrap();
    config.set_log_level(RDKafkaLogLevel::Debug);
    let producer: ThreadedProducer<Heard> = config.create_with_context(Heard(heard)).unwrap();
    let (mut listed, mut tried) = (false, false);
    while !(listed && tried) {
        let line = lines.recv().unwrap();
        assert!(!line.contains(SECRET), "{line}");
        listed |= line.contains("sasl.password");
        tried |= line.contains("Connect to ipv4#127.0.0.1:1 failed");
    }
    drop(producer);
    assert!(lines.iter().all(|line| !line.contains(SECRET)));
}

//! Proving who we are with a secret, and what is logged and printed meanwhile.

use super::broker::{NAME, PASSWORD as SECRET, shared, vitrine};
use super::read::{Sees, read};
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use std::sync::mpsc::{Sender, channel};
use vitrine::kafka::client;
use vitrine::settings::{Given, Settings};

const SASL: [(&str, &str); 4] = [
    ("VITRINE__KAFKA__SECURITY", "sasl_plaintext"),
    ("VITRINE__KAFKA__MECHANISM", "PLAIN"),
    ("VITRINE__KAFKA__USERNAME", NAME),
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

/// A broker that asks for a password lets us in with the right one, from a file; everything that can be made to talk talks.
#[test]
fn a_password_opens_the_door_and_is_not_heard() {
    let Some(broker) = shared() else { return };
    let kafka = broker.settings("password");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("password");
    let send = |password: &str| {
        std::fs::write(&file, format!("{password}\n")).unwrap();
        let mut command = vitrine(&["-vvv", "produce", "--brokers", &broker.guarded, "--topic", &kafka.topic, "--sales", "100"]);
        command.args(["--set", "kafka.properties.debug=all"]).envs(SASL).env_remove("VITRINE__KAFKA__PASSWORD");
        command.env("VITRINE__KAFKA__PASSWORD_FILE", &file).env("RUST_LOG", "trace");
        let output = command.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains(password), "{said}");
        (output.status.code(), said)
    };
    let (code, said) = send(SECRET);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("SASL"), "librdkafka speaks of what it does: {said}");
    assert!(read(&kafka, &kafka.topic, Sees::Committed).len() >= 100);
    let (code, said) = send("wrong-5f1c");
    assert_eq!(code, Some(69));
    let why = format!(
        "error: Kafka at {}: SASL authentication error: Authentication failed: Invalid username or password\n",
        broker.guarded
    );
    assert!(said.ends_with(&why), "{said}");
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

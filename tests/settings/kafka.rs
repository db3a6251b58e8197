//! `[kafka]`: what may stand where, what becomes of it in a client, and that a secret is seen nowhere.

use super::{complaint, given, load, message};
use vitrine::settings::Settings;
use vitrine::settings::kafka::{Delivery, Proof, Protocol};
use vitrine::settings::secret::Hidden;

/// Long enough not to stand anywhere by chance.
const SECRET: &str = "geheim-5f1c";

const SASL: [(&str, &str); 3] =
    [("VITRINE__KAFKA__SECURITY", "sasl_plaintext"), ("VITRINE__KAFKA__MECHANISM", "plain"), ("VITRINE__KAFKA__USERNAME", "me")];

fn from_env(more: &[(&str, &str)]) -> Settings {
    given("", &[&SASL, more].concat(), &[]).0.unwrap()
}

#[test]
fn the_defaults_lead_to_a_broker_on_this_machine() {
    let kafka = load("").kafka;
    assert_eq!((kafka.brokers.as_str(), kafka.topic.as_str(), kafka.prefix.as_str()), ("localhost:9092", "sales", "vitrine."));
    assert_eq!((kafka.group.as_str(), kafka.job.as_str()), ("vitrine", "vitrine"));
    assert_eq!((kafka.partitions, kafka.replication, kafka.create_topics), (6, None, true));
    assert_eq!((kafka.delivery, kafka.keep_bindings), (Delivery::ExactlyOnce, 30 * 86_400_000));
    assert_eq!((kafka.security.protocol, kafka.security.proof, kafka.properties.len()), (Protocol::Plaintext, None, 0));
}

#[test]
fn a_secret_is_shown_nowhere() {
    let settings = from_env(&[
        ("VITRINE__KAFKA__PASSWORD", SECRET),
        ("VITRINE__KAFKA__KEY_PASSWORD", SECRET),
        ("VITRINE__KAFKA__OAUTH_CLIENT_SECRET", SECRET),
        ("VITRINE__SINKS__WEBHOOK__AUTHORIZATION", SECRET),
        ("VITRINE__SINKS__WEBHOOK__URL", "http://localhost:9/"),
    ]);
    let authorization = settings.sinks.webhook.as_ref().unwrap().authorization.read().unwrap().unwrap();
    assert_eq!(authorization.reveal(), SECRET);
    let shown = [
        format!("{settings:?} {:?} {:#?}", settings.effective, settings.kafka),
        settings.effective.text(),
        settings.effective.values(),
    ];
    for text in &shown {
        assert!(!text.contains(SECRET), "{text}");
    }
    let Some(Proof::Password { mechanism: "PLAIN", username, password }) = settings.kafka.security.proof else {
        panic!("{:?}", settings.kafka.security)
    };
    assert_eq!((username.as_str(), password.read().unwrap().unwrap().reveal()), ("me", SECRET));
}

#[test]
fn a_secret_stands_neither_in_the_settings_nor_in_a_flag() {
    let expected = "a secret does not belong here: put it into a file and name that in [kafka] password_file, or use VITRINE__KAFKA__PASSWORD";
    let said = complaint(&format!("[kafka]\npassword = \"{SECRET}\""));
    assert_eq!(said, format!("vitrine.toml:2: {expected}"));
    let said = message(given("", &[], &[("--set", "kafka.password", SECRET)]));
    assert_eq!(said, format!("--set: {expected}"));
    // Passed on to librdkafka it would be shown like any other setting.
    let said = message(given("", &[], &[("--set", "kafka.properties.sasl.password", SECRET)]));
    assert_eq!(said, "--set: [kafka.properties] sasl.password: is set by Vitrine itself; use [kafka] password_file");
    let said = message(given("", &[("VITRINE__KAFKA__PASWORD", SECRET)], &[]));
    assert!(said.starts_with("VITRINE__KAFKA__PASWORD: unknown setting; did you mean VITRINE__KAFKA__PASSWORD"), "{said}");
    assert!(!said.contains(SECRET));
}

#[test]
fn a_secret_is_read_from_its_file_when_it_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    let path = file.display().to_string();
    let settings = from_env(&[("VITRINE__KAFKA__PASSWORD_FILE", &path)]);
    let Some(Proof::Password { password, .. }) = settings.kafka.security.proof else { panic!("a password was given") };
    assert_eq!(password, Hidden::File(file.clone()));
    assert!(password.read().unwrap_err().starts_with(&format!("cannot read the secret in {path}: ")));
    std::fs::write(&file, "\n").unwrap();
    assert_eq!(password.read().unwrap_err(), format!("there is no secret in {path}: the file is empty"));
    std::fs::write(&file, format!(" {SECRET} \r\n")).unwrap();
    assert_eq!(password.read().unwrap().unwrap().reveal(), format!(" {SECRET} "));
    let both = [&SASL[..], &[("VITRINE__KAFKA__PASSWORD_FILE", &path), ("VITRINE__KAFKA__PASSWORD", SECRET)]].concat();
    let said = message(given("", &both, &[]));
    assert_eq!(said, "VITRINE__KAFKA__PASSWORD_FILE: [kafka] password_file: password is given as well; one will do");
}

/// Brokers, topics and proofs change no row, nor does what would be generated: they are no part of what names the settings of a run.
#[test]
fn where_the_brokers_are_changes_no_row() {
    let other = [("VITRINE__KAFKA__PASSWORD", SECRET), ("VITRINE__KAFKA__BROKERS", "a:1,b:2"), ("VITRINE__GENERATE__SEED", "9")];
    let other = from_env(&other);
    assert_eq!(other.kafka.brokers, "a:1,b:2");
    assert_eq!(other.effective.values(), load("").effective.values());
}

#[test]
fn options_of_librdkafka_may_be_written_as_tables_quoted_or_in_the_environment() {
    let file = "[kafka.properties]\n\"socket.keepalive.enable\" = true\nfetch.wait.max.ms = 50\nfetch.max.bytes = 5\n";
    let env = [("VITRINE__KAFKA__PROPERTIES__CLIENT__RACK", "b")];
    let (settings, _dir) = given(file, &env, &[("--set", "kafka.properties.fetch.wait.max.ms", "60")]);
    let settings = settings.unwrap();
    let expected =
        [("client.rack", "b"), ("fetch.max.bytes", "5"), ("fetch.wait.max.ms", "60"), ("socket.keepalive.enable", "true")];
    let properties: Vec<_> = settings.kafka.properties.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(properties, expected);
    assert_eq!(load(&settings.effective.text()).kafka, settings.kafka);
}

#[test]
fn mistakes_say_what_would_be_right() {
    let cases = [
        ("brokers = [\"nohost\"]", "brokers: \"nohost\" is no address; write HOST:PORT, for example \"localhost:9092\""),
        ("brokers = []", "brokers: at least one HOST:PORT"),
        ("topic = \"my sales\"", "topic: \"my sales\": a name in Kafka has letters, digits, `.`, `_` and `-`"),
        ("delivery = \"once\"", "delivery: \"once\" is none of \"exactly-once\" and \"at-least-once\""),
        ("partitions = 0", "partitions: must be between 1 and 10000"),
        ("job = \" \"", "job: must not be empty"),
        ("security = \"sasl\"", "security: \"sasl\" is none of \"plaintext\", \"ssl\", \"sasl_plaintext\" and \"sasl_ssl\""),
        (
            "security = \"sasl_ssl\"\nmechanism = \"SCRAM\"",
            "mechanism: \"SCRAM\" is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI",
        ),
        ("username = \"me\"", "security: a mechanism and a name are used with \"sasl_ssl\" and \"sasl_plaintext\" only"),
        ("ca_file = \"ca.pem\"", "security: certificates are used with \"ssl\" and \"sasl_ssl\" only"),
        ("security = \"ssl\"\ncert_file = \"me.pem\"", "key_file: a certificate needs its key"),
        ("security = \"sasl_ssl\"\nmechanism = \"PLAIN\"", "username: PLAIN needs it"),
        (
            "security = \"sasl_ssl\"\nmechanism = \"PLAIN\"\nusername = \"me\"",
            "password_file: PLAIN needs it, or VITRINE__KAFKA__PASSWORD",
        ),
        ("security = \"sasl_ssl\"\nmechanism = \"oauthbearer\"", "oauth_token_url: OAUTHBEARER needs it"),
    ];
    for (text, expected) in cases {
        let said = complaint(&format!("[kafka]\n{text}"));
        assert!(said.ends_with(&format!(": [kafka] {expected}")), "{text}\n  said     {said}\n  expected {expected}");
    }
    let said = complaint("[kafka.properties]\nacks = 1");
    assert_eq!(said, "vitrine.toml:2: [kafka.properties] acks: is set by Vitrine itself: its promises depend on it");
    for (name, instead) in [("client.id", "job"), ("sasl.oauthbearer.scope", "oauth_scope")] {
        let said = complaint(&format!("[kafka.properties]\n{name} = \"x\""));
        let expected = format!("[kafka.properties] {name}: is set by Vitrine itself; use [kafka] {instead}");
        assert_eq!(said, format!("vitrine.toml:2: {expected}"));
    }
    let said = complaint("[kafka]\ntopics = \"x\"");
    assert_eq!(said, "vitrine.toml:2: unknown key [kafka] topics; did you mean [kafka] topic?");
}

#[cfg(feature = "kafka")]
mod clients {
    use super::*;
    use vitrine::kafka::client;

    #[test]
    fn a_secret_reaches_the_client_and_no_other_place() {
        let settings = from_env(&[("VITRINE__KAFKA__PASSWORD", SECRET)]);
        let config = client::common(&settings.kafka).unwrap();
        assert_eq!((config.get("sasl.mechanisms"), config.get("sasl.password")), (Some("PLAIN"), Some(SECRET)));
        assert!(!format!("{config:?} {config:#?}").contains(SECRET));
    }

    #[test]
    fn an_option_that_librdkafka_does_not_have_is_told() {
        let problem = |name: &str, value: &str| {
            let (settings, _dir) = given("", &[], &[("--set", &format!("kafka.properties.{name}"), value)]);
            let error = client::common(&settings.unwrap().kafka).unwrap_err();
            (error.exit_code(), error.to_string())
        };
        assert_eq!(
            problem("feth.wait.ms", "1"),
            (78, "[kafka.properties] No such configuration property: \"feth.wait.ms\"".into())
        );
        let (code, text) = problem("fetch.wait.max.ms", "soon");
        assert_eq!(code, 78);
        assert!(text.contains("fetch.wait.max.ms"), "{text}");
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn what_this_build_lacks_is_told() {
        let problem = |protocol: &str, mechanism: &str| {
            let env = [
                ("VITRINE__KAFKA__SECURITY", protocol),
                ("VITRINE__KAFKA__MECHANISM", mechanism),
                ("VITRINE__KAFKA__USERNAME", "me"),
                ("VITRINE__KAFKA__PASSWORD", SECRET),
            ];
            client::common(&given("", &env, &[]).0.unwrap().kafka).unwrap_err().to_string()
        };
        let without = "which this program was built without; build it with `cargo build --release --features tls`";
        assert_eq!(problem("sasl_ssl", "PLAIN"), format!("[kafka] security = \"sasl_ssl\" needs TLS, {without}"));
        let said = problem("sasl_plaintext", "SCRAM-SHA-512");
        assert_eq!(said, format!("[kafka] mechanism = \"SCRAM-SHA-512\" needs TLS, {without}"));
    }
}

//! Encrypted connections, certificates on both sides, and SCRAM, on a broker that asks for them. Needs `--features tls` and the
//! command `openssl`, with which the test makes its own authority: `just tls`.

use super::broker::{Broker, NAME, PASSWORD, available, vitrine};
use super::read::{Sees, read};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use vitrine::kafka::local::install;

fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").args(args.split_whitespace()).current_dir(dir).output().expect("openssl is there");
    assert!(output.status.success(), "{args}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A key and a certificate that the authority of this folder has signed: `NAME.key`, `NAME.pem`.
fn certified(dir: &Path, name: &str, extra: &str) {
    std::fs::write(dir.join("extensions"), extra).unwrap();
    openssl(dir, &format!("req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"));
    openssl(
        dir,
        &format!("x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out {name}.pem"),
    );
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A broker with one listener that asks for a certificate, and one that asks for a name and a password over TLS.
fn guarded(keys: &Path) -> (Broker, String, String) {
    openssl(keys, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority");
    certified(keys, "broker", "subjectAltName=IP:127.0.0.1");
    certified(keys, "shop", "extendedKeyUsage=clientAuth");
    openssl(keys, "pkcs8 -topk8 -nocrypt -in broker.key -out broker.p8");
    let pem = |name: &str| std::fs::read_to_string(keys.join(name)).unwrap();
    std::fs::write(keys.join("keystore.pem"), pem("broker.p8") + &pem("broker.pem")).unwrap();
    let (ssl, sasl) = (format!("127.0.0.1:{}", port()), format!("127.0.0.1:{}", port()));
    let properties = format!(
        "listeners=SSL://{ssl},SASL_SSL://{sasl}\n\
         ssl.keystore.type=PEM\nssl.keystore.location={keys}/keystore.pem\n\
         ssl.truststore.type=PEM\nssl.truststore.location={keys}/ca.pem\n\
         listener.name.ssl.ssl.client.auth=required\n\
         sasl.enabled.mechanisms=SCRAM-SHA-512\n\
         listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n",
        keys = keys.display()
    );
    let broker = Broker::prepared(properties, |dir| {
        // Formatted here, because this is when the first passwords can be told.
        std::fs::write(
            dir.join("first.properties"),
            format!(
                "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n\
                 controller.listener.names=CONTROLLER\nlisteners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\nlog.dirs={}\n",
                dir.join("data").display()
            ),
        )
        .unwrap();
        let install = install::find(&|name| std::env::var(name).ok(), &mut |_| ()).unwrap();
        let scram = format!("SCRAM-SHA-512=[name={NAME},password={PASSWORD}]");
        let mut tool = Command::new(&install.java);
        tool.arg("-cp").arg(install.classpath()).args(["kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAA"]);
        tool.args(["--add-scram", &scram, "-c"]).arg(dir.join("first.properties"));
        let output = tool.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    });
    (broker, ssl, sasl)
}

#[test]
fn certificates_and_scram_open_doors_that_stay_shut_without() {
    if !available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path();
    let (broker, ssl, sasl) = guarded(keys);
    let kafka = broker.settings("tls");
    let file = |name: &str| keys.join(name).display().to_string();
    let produce = |address: &str, settings: &[(&str, &str)]| {
        let mut command = vitrine(&["produce", "--brokers", address, "--topic", &kafka.topic, "--sales", "50", "-q"]);
        let named = settings.iter().map(|(name, value)| (format!("VITRINE__KAFKA__{name}"), (*value).to_owned()));
        let output = command.envs(named).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (ca, cert, key) = (file("ca.pem"), file("shop.pem"), file("shop.key"));
    let trusted = [("SECURITY", "ssl"), ("CA_FILE", ca.as_str())];
    let own = [("CERT_FILE", cert.as_str()), ("KEY_FILE", key.as_str())];
    assert_eq!(produce(&ssl, &[&trusted[..], &own].concat()), (Some(0), String::new()));
    let without = produce(&ssl, &trusted);
    assert_eq!(without.0, Some(69), "{without:?}");
    let stranger = produce(&ssl, &[&[("SECURITY", "ssl")][..], &own].concat());
    assert!(stranger.0 == Some(69) && stranger.1.contains("certificate verify failed"), "{stranger:?}");

    let scram = [("SECURITY", "sasl_ssl"), ("CA_FILE", ca.as_str()), ("MECHANISM", "SCRAM-SHA-512"), ("USERNAME", NAME)];
    assert_eq!(produce(&sasl, &[&scram[..], &[("PASSWORD", PASSWORD)]].concat()), (Some(0), String::new()));
    let wrong = produce(&sasl, &[&scram[..], &[("PASSWORD", "guess")]].concat());
    assert!(wrong.0 == Some(69) && wrong.1.contains("SASL authentication error"), "{wrong:?}");
    assert!(read(&kafka, &kafka.topic, Sees::Committed).len() >= 100);
}

/// A receiver behind TLS that takes everything, and gives each request that it was sent.
struct Receiver {
    server: Child,
    stdin: ChildStdin,
    stdout: ChildStdout,
    heard: String,
}

impl Receiver {
    fn start(keys: &Path, port: u16) -> Receiver {
        let mut command = Command::new("openssl");
        command.args([
            "s_server",
            "-quiet",
            "-cert",
            "broker.pem",
            "-key",
            "broker.key",
            "-accept",
            &format!("127.0.0.1:{port}"),
        ]);
        let (stdin, stdout) = (Stdio::piped(), Stdio::piped());
        let mut server = command.current_dir(keys).stdin(stdin).stdout(stdout).stderr(Stdio::null()).spawn().unwrap();
        let (stdin, stdout) = (server.stdin.take().unwrap(), server.stdout.take().unwrap());
        Receiver { server, stdin, stdout, heard: String::new() }
    }

    /// The next request: its head and its body.
    fn request(&mut self) -> (String, String) {
        loop {
            if let Some((head, body)) = self.heard.split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                let length: usize = length.parse().unwrap();
                if body.len() >= length {
                    let (body, rest) = body.split_at(length);
                    let request = (head, body.to_owned());
                    self.heard = rest.to_owned();
                    self.stdin.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                    return request;
                }
            }
            let mut more = [0; 4096];
            let n = self.stdout.read(&mut more).unwrap();
            assert!(n > 0, "the receiver ended");
            self.heard += std::str::from_utf8(&more[..n]).unwrap();
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn events_are_posted_over_https_to_whom_we_trust_and_to_nobody_else() {
    let Some(broker) = super::broker::shared() else { return };
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path();
    openssl(keys, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority");
    certified(keys, "broker", "subjectAltName=IP:127.0.0.1");
    let kafka = broker.settings("https");
    let place = ["--brokers", &kafka.brokers, "--topic", &kafka.topic];
    let sent = vitrine(&[&["produce", "--sales", "3000", "-q"], &place[..]].concat()).output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let port = port();
    let mut receiver = Receiver::start(keys, port);
    let run = |state: &str, ca: Option<&Path>| {
        let url = format!("sinks.webhook.url=https://127.0.0.1:{port}/hook");
        let sets =
            [&*url, "events.activity_spike_pct=1", "sinks.kafka=false", "time.idle_timeout=1s", "time.advance_when_idle=false"];
        let mut run = vitrine(&[&["run", "--until-caught-up"], &place[..]].concat());
        run.args(sets.iter().flat_map(|set| ["--set", *set])).arg("--state").arg(keys.join(state));
        run.env("SSL_CERT_DIR", keys.join("none")).stdout(Stdio::null()).stderr(Stdio::piped());
        if let Some(ca) = ca {
            run.env("SSL_CERT_FILE", ca);
        }
        run.spawn().unwrap()
    };
    let trusting = run("trusting", Some(&keys.join("ca.pem")));
    let (head, body) = receiver.request();
    assert!(head.starts_with("post /hook http/1.1") && head.contains("idempotency-key: "), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["version"], "4");
    drop(receiver);
    assert!(trusting.wait_with_output().unwrap().status.success());

    let _receiver = Receiver::start(keys, port);
    let strange = run("strange", None).wait_with_output().unwrap();
    assert!(strange.status.success());
    let said = String::from_utf8_lossy(&strange.stderr).into_owned();
    assert!(said.contains("certificate verify failed"), "{said}");
}

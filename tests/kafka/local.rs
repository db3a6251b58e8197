//! `kafka up`, `status` and `down` as a person meets them.

use super::broker::{Broker, available, said, vitrine};
use std::net::TcpListener;
use std::process::Command;

/// Exit code, stdout, stderr.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn what_is_missing_is_said_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_string_lossy().into_owned();
    let bare = || {
        let mut command = vitrine(&["kafka", "up", "--dir", &path]);
        command.env("PATH", dir.path()).env("XDG_CACHE_HOME", dir.path()).env_remove("JAVA_HOME").env_remove("KAFKA_HOME");
        command
    };
    let (code, out, err) = run(&mut bare());
    assert_eq!((code, out.as_str()), (69, ""));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 2, "{err}");
    assert!(lines[0].starts_with("error: there is no Java: Kafka needs Java 17 or newer"), "{err}");
    assert!(lines[1].starts_with("error: Apache Kafka is not there: set KAFKA_HOME"), "{err}");
    let (code, _, err) = run(bare().env("KAFKA_HOME", dir.path()));
    assert_eq!(code, 69);
    assert!(err.contains("there is no Kafka in its folder libs"), "{err}");
}

#[test]
fn where_nothing_runs_there_is_nothing_to_stop() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("none").to_string_lossy().into_owned();
    assert_eq!(run(&mut vitrine(&["kafka", "down", "--dir", &path])), (0, format!("no Kafka runs in {path}\n"), String::new()));
    let (code, out, err) = run(&mut vitrine(&["kafka", "status", "--dir", &path]));
    assert_eq!((code, err.as_str()), (1, ""));
    assert_eq!(out, format!("no Kafka runs in {path}; start one with `vitrine kafka up`\n"));
    assert!(!dir.path().join("none").exists(), "asking leaves nothing behind");
}

#[test]
fn a_taken_port_is_named() {
    if !available() {
        return;
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let dir = tempfile::tempdir().unwrap();
    let (code, _, err) = run(&mut vitrine(&["kafka", "up", "--port", &port, "--dir", &dir.path().to_string_lossy()]));
    assert_eq!(code, 69);
    assert!(err.starts_with(&format!("error: port {port} is taken by another program")), "{err}");
}

#[test]
fn up_status_down_and_up_again() {
    if !available() {
        return;
    }
    let mut broker = Broker::start();
    let (dir, address) = (broker.dir().to_string_lossy().into_owned(), broker.address.clone());

    // It is there once, however often it is asked for.
    let again = said(&["kafka", "up", "--dir", &dir, "--json"]);
    assert_eq!((&again["already"], &again["pid"]), (&true.into(), &broker.pid.into()));
    assert_eq!(again["made"], serde_json::json!([]));
    let (code, _, err) = run(&mut vitrine(&["kafka", "up", "--dir", &dir, "--port", "1"]));
    assert_eq!(code, 78);
    assert!(err.contains("runs already, on port"), "{err}");

    let (code, out, _) = run(&mut vitrine(&["kafka", "status", "--dir", &dir]));
    assert_eq!(code, 0);
    assert!(out.starts_with(&format!("Apache Kafka 4.1.1 runs at {address} (process {})", broker.pid)), "{out}");
    for topic in
        ["sales                                6                0", "vitrine.progress                     1                0"]
    {
        assert!(out.lines().any(|line| line == topic), "{out}");
    }

    // What is in it survives a stop, and goes when asked to.
    said(&["produce", "--brokers", &address, "--sales", "100", "--json"]);
    let held = |status: &serde_json::Value| {
        let topics = status["topics"].as_array().unwrap();
        topics.iter().find(|topic| topic["topic"] == "sales").unwrap()["offsets"].as_u64().unwrap()
    };
    let before = held(&said(&["kafka", "status", "--dir", &dir, "--json"]));
    assert!(before >= 100);
    let (code, out, _) = run(&mut vitrine(&["kafka", "down", "--dir", &dir]));
    assert_eq!((code, out), (0, format!("stopped the Kafka at {address} (process {})\n", broker.pid)));
    assert_eq!(run(&mut vitrine(&["kafka", "status", "--dir", &dir])).0, 1);
    broker.up();
    assert_eq!(broker.address, address);
    assert_eq!(held(&said(&["kafka", "status", "--dir", &dir, "--json"])), before);
    assert_eq!(said(&["kafka", "down", "--dir", &dir, "--delete", "--json"])["deleted"], true);
    assert!(!broker.dir().join("data").exists());
}

//! A live run that serves features is killed, and serves the same ones when it goes on.

use super::broker::{shared, signal, vitrine};
use crate::serving::Asking;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;
use vitrine::http::ask;
use vitrine::kafka::topics;
use vitrine::settings::kafka::Kafka;

/// A run with its HTTP address.
fn start(args: &[&str]) -> (Child, String) {
    let args = [&["-v", "run", "--set", "http.listen=127.0.0.1:0"], args].concat();
    let mut child = vitrine(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    let address = log.find_map(|line| Some(line.split_once("over HTTP address=")?.1.trim().to_owned()));
    std::thread::spawn(move || log.for_each(drop));
    (child, address.unwrap())
}

/// Asks until the status says so.
fn until(address: &str, said: impl Fn(&Value) -> bool) {
    let status = || serde_json::from_str(&ask::get(address, "/status", Duration::from_secs(60)).unwrap().text).unwrap();
    while !said(&status()) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_was_served_is_served_again_after_a_kill() {
    let Some(broker) = shared() else { return };
    // One partition, so that the last sale says what the last watermark is.
    let own = Kafka {
        topic: "served-once-sales".into(),
        prefix: "served-once.".into(),
        job: "served-once".into(),
        partitions: 1,
        ..broker.settings("served")
    };
    broker.create(&topics::all(&own), &own);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sales.ndjson").to_string_lossy().into_owned();
    let make = ["generate", "--sales", "8000", "--seed", "5", "-o", &file, "-q", "--set", "generate.broken=0"];
    assert!(vitrine(&make).status().unwrap().success());
    let sales: Vec<Value> = std::fs::read_to_string(&file).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let sellers: std::collections::BTreeSet<&str> = sales.iter().map(|sale| sale["seller"].as_str().unwrap()).collect();
    let newest = sales.iter().map(|sale| sale["sale_date"].as_str().unwrap()).max().unwrap();
    let newest = chrono::DateTime::parse_from_rfc3339(newest).unwrap() - chrono::Duration::seconds(2);
    let last = newest.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let (job, prefix) = (format!("kafka.job={}", own.job), format!("kafka.prefix={}", own.prefix));
    let place = ["--brokers", &own.brokers, "--topic", &own.topic, "--set", &job, "--set", &prefix];
    let state = folder.path().join("state").to_string_lossy().into_owned();
    let quiet = ["--set", "time.advance_when_idle=false", "--set", "checkpoint.every=200ms", "--state", &state];
    // In two parts: a checkpoint is cut where the watermark moves, some time after the first sales.
    let parts = sales.split_at(sales.len() / 2);
    let parts = [parts.0, parts.1].map(|part| part.iter().map(|sale| format!("{sale}\n")).collect::<String>());
    let produce = |part: &str| {
        std::fs::write(&file, part).unwrap();
        assert!(vitrine(&[&["produce", &file, "-q"], &place[..4]].concat()).status().unwrap().success());
    };
    produce(&parts[0]);
    let request = json!({"feature_service": "seller_features", "entities": {"seller": sellers}});

    let mut said: Vec<Value> = vec![];
    for workers in ["1", "3"] {
        let (mut run, address) = start(&[&place[..], &quiet, &["-w", workers]].concat());
        if workers == "1" {
            until(&address, |status| status["epochs"]["handed"].as_u64() > Some(0));
            std::thread::sleep(Duration::from_millis(300));
            produce(&parts[1]);
        }
        let mut asking = Asking::to(&address);
        loop {
            let (code, stamp, answer) = asking.ask(&request);
            if code == 200 && stamp.as_deref() == Some(&last) {
                said.push(answer);
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        until(&address, |status| status["checkpoint"]["duration_seconds"]["count"].as_u64() > Some(0) || workers == "3");
        signal("KILL", run.id());
        run.wait().unwrap();
    }
    assert_eq!(said[0], said[1]);
    let found = said[0]["results"][1]["statuses"].as_array().unwrap().iter().filter(|status| *status == "PRESENT").count();
    assert_eq!(found, sellers.len());
    assert!(found > 10);
}

//! A live run, asked over HTTP, through an outage of Kafka.

use super::broker::{Broker, available, signal, vitrine};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;
use vitrine::http::ask;

/// Asks until the answer will do.
fn until(address: &str, path: &str, enough: impl Fn(u16, &str) -> bool) -> String {
    loop {
        let answer = ask::get(address, path, Duration::from_secs(60)).unwrap();
        if enough(answer.code, &answer.text) {
            return answer.text;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_outage_of_kafka_is_seen_and_is_no_reason_to_die() {
    if !available() {
        return;
    }
    let mut broker = Broker::start();
    let kafka = broker.settings("health");
    let (job, prefix) = (format!("kafka.job={}", kafka.job), format!("kafka.prefix={}", kafka.prefix));
    let place = ["--brokers", &kafka.brokers, "--topic", &kafka.topic, "--set", &job, "--set", &prefix];
    let sent = vitrine(&[&["produce", "--sales", "3000", "-q"], &place[..4]].concat()).output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));

    let state = tempfile::tempdir().unwrap();
    let path = state.path().to_string_lossy().into_owned();
    let more = ["--set", "http.listen=127.0.0.1:0", "--set", "checkpoint.every=300ms", "--set", "time.idle_timeout=1s"];
    // Nobody listens there: what the metrics say of it is that it is asked.
    let more = [&more[..], &["--set", "sinks.webhook.url=http://127.0.0.1:1/"]].concat();
    let args = [&["-v", "--log-format", "json", "run", "-w", "2", "--state", &path], &place[..], &more].concat();
    let mut child = vitrine(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(|line| line.unwrap());
    // Every line of the log is a JSON object.
    let address = log.by_ref().find_map(|line| {
        let line: Value = serde_json::from_str(&line).unwrap();
        line["fields"]["address"].as_str().map(String::from)
    });
    let address = address.unwrap();
    let rest = std::thread::spawn(move || log.map(|line| serde_json::from_str::<Value>(&line).unwrap()).collect::<Vec<_>>());

    let well = until(&address, "/status", |_, text| {
        let s: Value = serde_json::from_str(text).unwrap();
        let count = |part: &str, what: &str| s[part][what]["count"].as_u64().unwrap_or(0);
        s["source"]["lag_records"] == 0
            && s["records"]["read"].as_u64() >= Some(3_000)
            && s["latency_seconds"]["count"].as_u64() > Some(0)
            && s["sink"]["transactions"]["committed"].as_u64() > Some(0)
            && count("checkpoint", "duration_seconds") > 0
            && count("checkpoint", "pause_seconds") > 0
    });
    let well: Value = serde_json::from_str(&well).unwrap();
    let checks: Vec<&str> = well["checks"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(checks, ["workers", "epochs", "stage", "records", "source", "partitions", "lag", "sink", "checkpoint"]);
    assert!(well["checks"].as_array().unwrap().iter().all(|c| c["ok"] == true), "{well}");
    assert_eq!((&well["source"]["assigned"], &well["records_unaccounted"]), (&6.into(), &0.into()));
    let text = until(&address, "/metrics", |code, _| code == 200);
    assert!(text.contains("\nvitrine_webhook_events_total{result=\"sent\"} 0\n"), "{text}");
    for partition in 0..6 {
        assert!(text.contains(&format!("\nvitrine_consumer_lag_records{{partition=\"{partition}\"}} 0\n")), "{text}");
    }

    broker.kill();
    let failing = until(&address, "/readyz", |code, text| code == 503 && text.contains("source: "));
    assert!(failing.contains("source: no broker answers\n"), "{failing}");
    until(&address, "/livez", |code, _| code == 200);
    broker.up();
    until(&address, "/readyz", |code, _| code == 200);

    signal("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = rest.join().unwrap();
    let spans = log.iter().filter_map(|line| line["span"]["name"].as_str()).collect::<Vec<_>>();
    assert!(spans.contains(&"checkpoint"), "{spans:?}");
}

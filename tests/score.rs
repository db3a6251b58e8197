//! `generate --labels`, `replay` and `score` hand on to each other what they write.

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;

fn run(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("vitrine").unwrap();
    command.current_dir(dir).args(args).env_remove("RUST_LOG").env_remove("VITRINE_CONFIG").env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The demonstration has three incidents over the whole shop in its first eight minutes, each too large to be missed by growth.
#[test]
fn growth_finds_the_incidents_of_the_demonstration() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| run(dir.path(), args);
    let shop = ["--set", "generate.incidents=demo", "--labels", "labels.ndjson", "--stock", "stock.ndjson"];
    let args = [&["generate", "--duration", "9m", "--rate", "900", "-o", "sales.ndjson"][..], &shop].concat();
    assert_eq!(run(&args).0, 0);
    assert_eq!(std::fs::read_to_string(dir.path().join("stock.ndjson")).unwrap(), "");
    assert_eq!(run(&["replay", "sales.ndjson", "--out", "results", "--window", "60s/30s"]).0, 0);
    let (code, json, err) = run(&["score", "results", "labels.ndjson", "--json"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&report["seeds"][0], &report["series"]), (&1.into(), &(1 + 248 + 16).into()));
    assert_eq!((&report["after"]["recall"]["part"], &report["after"]["recall"]["all"]), (&3.into(), &3.into()));
    let one = run(&["score", "results/events.ndjson", "labels.ndjson"]).1;
    let twice = run(&["score", "results", "labels.ndjson", "results", "labels.ndjson", "--magnitudes"]).1;
    assert!(
        one.contains("streams       1 (seeds 1; generator 3)") && twice.contains("streams       2 (seeds 1, 1;"),
        "{one}{twice}"
    );
    assert!(twice.contains("recall, activity_spike global 4"), "{twice}");
}

#[test]
fn what_cannot_be_scored_is_said_in_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| run(dir.path(), args);
    std::fs::write(dir.path().join("labels.ndjson"), "{\"event_id\":\"a\"}\n").unwrap();
    std::fs::write(dir.path().join("events.ndjson"), "").unwrap();
    let (code, out, err) = run(&["score", "events.ndjson", "labels.ndjson"]);
    assert_eq!((code, out.as_str()), (74, ""));
    assert!(err.starts_with("error: cannot read labels.ndjson: line 1: missing field `type`"), "{err}");
    let (code, _, err) = run(&["score", "events.ndjson", "none.ndjson"]);
    assert!(code == 74 && err.starts_with("error: cannot read none.ndjson: "), "{code} {err}");
    let (code, _, err) = run(&["score", "events.ndjson", "labels.ndjson", "events.ndjson"]);
    assert!(code == 2 && err.contains("events.ndjson has no labels"), "{code} {err}");
    assert_eq!(run(&["score", "events.ndjson"]).0, 2);
    assert_eq!(run(&["score", "events.ndjson", "labels.ndjson", "--budget", "0"]).0, 2);
    let (code, _, err) = run(&["generate", "--sales", "1", "-o", "-", "--set", "generate.scenario=strss"]);
    assert!(code == 78 && err.contains("\"strss\" is none of shop, protocol, stress"), "{code} {err}");
}

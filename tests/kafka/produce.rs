//! `produce` against a broker: everything arrives once, in the partition of its key, in the order of the file.

use super::broker::{Broker, available, said, shared, signal, vitrine};
use super::read::{Read, Sees, read};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use vitrine::kafka::admin::Admin;
use vitrine::settings::kafka::Kafka;

/// The arguments that lead to these settings.
fn to<'a>(kafka: &'a Kafka, rest: &[&'a str]) -> Vec<&'a str> {
    [&["produce", "--brokers", &kafka.brokers, "--topic", &kafka.topic, "--json"], rest].concat()
}

/// A file of generated sales, and its lines.
fn sales(dir: &Path, name: &str, count: u32) -> (String, Vec<String>) {
    let (path, plain) = (dir.join(name).display().to_string(), dir.join("plain.ndjson").display().to_string());
    for file in [&path, &plain] {
        assert!(
            vitrine(&["generate", "-q", "--seed", "5", "--sales", &count.to_string(), "-o", file]).status().unwrap().success()
        );
    }
    let text = std::fs::read_to_string(&plain).unwrap();
    (path, text.lines().map(String::from).collect())
}

fn seller(line: &str) -> Option<String> {
    let sale: serde_json::Value = serde_json::from_str(line).ok()?;
    sale["seller"].as_str().map(String::from)
}

/// The hash by which Kafka's own clients choose partitions, here in its plainest form (32-bit MurmurHash2, seed 0x9747b28c).
fn murmur2(key: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let (words, tail) = key.as_chunks::<4>();
    let mut h = 0x9747_b28c ^ key.len() as u32;
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        let rest = tail.iter().enumerate().fold(0, |rest, (i, byte)| rest | u32::from(*byte) << (8 * i));
        h = (h ^ rest).wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}

/// Every line once, its seller as key, in the partition of which Java would say so, in the order of the file.
fn as_sent(found: &[Read], lines: &[String]) {
    assert_eq!(found.len(), lines.len());
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, line) in lines.iter().enumerate() {
        places.entry(line).or_default().push(i);
    }
    places.values_mut().for_each(|places| places.reverse());
    let mut last: BTreeMap<(i32, &str), usize> = BTreeMap::new();
    for record in found {
        let value = record.value.as_deref().expect("a sale is no tombstone");
        let place = places.get_mut(value).and_then(Vec::pop).expect("nothing is there that was not sent, or twice");
        assert_eq!(record.key, seller(value), "{value}");
        if let Some(key) = &record.key {
            assert_eq!(record.partition, (murmur2(key.as_bytes()) & 0x7fff_ffff) as i32 % 6, "{key}");
            let before = last.insert((record.partition, key), place);
            assert!(before.is_none_or(|before| before < place), "{key} is out of order");
        }
    }
}

#[test]
fn the_hash_is_that_of_the_java_client() {
    // From the tests of Kafka's own `Utils.murmur2`.
    for (key, hash) in [("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)] {
        assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
    }
}

#[test]
fn a_file_arrives_whole_and_by_seller() {
    let Some(broker) = shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let kafka = broker.settings("file");
    let (file, lines) = sales(dir.path(), "sales.ndjson.zst", 5_000);
    let report = said(&to(&kafka, &[&file]));
    assert_eq!((&report["records"], &report["failed"], &report["ended"]), (&lines.len().into(), &0.into(), &true.into()));
    let found = read(&kafka, &kafka.topic, Sees::Committed);
    as_sent(&found, &lines);
    let mut by_partition: BTreeMap<String, u64> = BTreeMap::new();
    for record in &found {
        *by_partition.entry(record.partition.to_string()).or_default() += 1;
    }
    assert_eq!(report["partitions"], serde_json::json!(by_partition));

    // Sent a second time, each seller goes where it went before.
    said(&to(&kafka, &[&file]));
    as_sent(&read(&kafka, &kafka.topic, Sees::Committed), &[lines.clone(), lines].concat());
}

#[test]
fn generated_sales_are_those_of_generate() {
    let Some(broker) = shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let kafka = broker.settings("generated");
    let (_, lines) = sales(dir.path(), "sales.ndjson", 2_000);
    said(&to(&kafka, &["--sales", "2000", "--seed", "5", "--rate", "20000"]));
    as_sent(&read(&kafka, &kafka.topic, Sees::Committed), &lines);
}

#[test]
fn csv_is_sent_as_json() {
    let Some(broker) = shared() else { return };
    let dir = tempfile::tempdir().unwrap();
    let kafka = broker.settings("csv");
    let file = dir.path().join("sales.csv");
    std::fs::write(&file, "id_sale,shop,price,quantity\na1,\"Casa, Sul\",9.90,2\nb2,,1,\n").unwrap();
    said(&to(&kafka, &["--set", "schema.fields.seller=shop", &file.to_string_lossy()]));
    let mut found: Vec<_> =
        read(&kafka, &kafka.topic, Sees::Committed).into_iter().map(|record| (record.value.unwrap(), record.key)).collect();
    found.sort();
    let expected = [
        (r#"{"id_sale":"a1","shop":"Casa, Sul","price":9.90,"quantity":2}"#, Some("Casa, Sul")),
        (r#"{"id_sale":"b2","price":1}"#, None),
    ];
    assert_eq!(found, expected.map(|(value, key)| (value.to_owned(), key.map(String::from))));
}

/// Sales without an end are ended by Ctrl-C, and all that was sent by then is there.
#[test]
fn ctrl_c_loses_nothing() {
    let Some(broker) = shared() else { return };
    let kafka = broker.settings("endless");
    let child = vitrine(&to(&kafka, &["--live", "--rate", "2000"])).stdout(Stdio::piped()).spawn().unwrap();
    let admin = Admin::new(&kafka).unwrap();
    while !admin.held().unwrap().iter().any(|held| held.topic == kafka.topic && held.offsets > 100) {
        std::thread::yield_now();
    }
    signal("INT", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["ended"], &report["failed"]), (&false.into(), &0.into()));
    assert_eq!(report["records"], read(&kafka, &kafka.topic, Sees::Committed).len());
}

/// The broker dies in the middle and comes back: each record is there once, in order.
#[test]
fn a_broker_that_dies_costs_nothing() {
    if !available() {
        return;
    }
    let mut broker = Broker::start();
    let dir = tempfile::tempdir().unwrap();
    let kafka = broker.settings("dies");
    let (file, lines) = sales(dir.path(), "sales.ndjson.gz", 20_000);
    let child = vitrine(&to(&kafka, &["--rate", "10000", &file])).stdout(Stdio::piped()).spawn().unwrap();
    let admin = Admin::new(&kafka).unwrap();
    while !admin.held().unwrap().iter().any(|held| held.topic == kafka.topic && held.offsets > 1_000) {
        std::thread::yield_now();
    }
    broker.kill();
    broker.up();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    as_sent(&read(&kafka, &kafka.topic, Sees::Committed), &lines);
}

#[test]
fn a_broker_that_is_away_is_69() {
    let output = vitrine(&["produce", "--brokers", "127.0.0.1:1", "--sales", "1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "error: Kafka at 127.0.0.1:1: no broker answers\n");
}

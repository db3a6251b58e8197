//! Holds an engine against the oracle: line by line, table by table, on several numbers of workers.

use super::Tables;
use super::json;
use super::params::Params;
use super::scenario::Scenario;
use serde_json::Value;
use std::collections::BTreeMap;

/// An engine: parameters, inputs as (source, bytes), number of workers; all its output or why there is none.
pub type Engine<'a> = &'a dyn Fn(&Params, &[(String, Vec<u8>)], usize) -> Result<Tables, String>;

/// The numbers of workers that every scenario runs on.
pub const WORKERS: [usize; 4] = [1, 2, 4, 8];

/// Leaves of a line what the oracle can know: of the lineage of an event the watermark and the rule; of the errors of a
/// dead letter the codes, and of those only `known` ones, as the contract does not name them all.
pub fn reduce(table: &str, line: &str, known: &[String]) -> Result<String, String> {
    let wrong = |what: &str| format!("{table}: {what} in {line}");
    match table {
        "events" => {
            let (head, _) = line.split_once(",\"lineage\":").ok_or_else(|| wrong("no lineage"))?;
            let event: Value = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
            let of = |key: &str| event["lineage"][key].to_string();
            let lineage = json::object(&[("watermark", of("watermark")), ("rule", of("rule"))]);
            Ok(format!("{head},\"lineage\":{lineage}}}"))
        }
        "dead_letters" => {
            let letter: Value = serde_json::from_str(line).map_err(|e| wrong(&e.to_string()))?;
            let errors = letter["errors"].as_array().ok_or_else(|| wrong("no errors"))?;
            let codes = errors.iter().filter_map(|e| e["code"].as_str().map(String::from));
            let codes: Vec<String> = codes.filter(|code| known.contains(code)).collect();
            let payload = if letter.get("payload").is_some() { "payload" } else { "payload_base64" };
            let of = |key: &str| letter[key].to_string();
            Ok(json::object(&[
                ("source", of("source")),
                ("partition", of("partition")),
                ("offset", of("offset")),
                ("timestamp", of("timestamp")),
                ("disposition", of("disposition")),
                ("codes", json::list(&codes)),
                (payload, of(payload)),
            ]))
        }
        _ => Ok(line.into()),
    }
}

/// The first difference between what must be said and what was said.
pub fn compare(expected: &Tables, got: &Tables) -> Result<(), String> {
    for ((table, expected), (_, got)) in expected.named().into_iter().zip(got.named()) {
        for i in 0..expected.len().max(got.len()) {
            let codes = expected.get(i).and_then(|line| serde_json::from_str::<Value>(line).ok());
            let codes = codes.and_then(|line| serde_json::from_value::<Vec<String>>(line["codes"].clone()).ok());
            let codes = codes.unwrap_or_default();
            let got = got.get(i).map(|line| reduce(table, line, &codes)).transpose()?;
            if expected.get(i) != got.as_ref() {
                let text = |line: Option<&String>| line.map_or("(nothing)".into(), String::clone);
                let (expected, got) = (text(expected.get(i)), text(got.as_ref()));
                return Err(format!("{table}, row {i}:\n  expected {expected}\n  got      {got}"));
            }
        }
    }
    if expected.counts == got.counts {
        return Ok(());
    }
    Err(format!("counts: expected {:?}, got {:?}", expected.counts, got.counts))
}

/// Runs the engine on a scenario with every number of workers.
pub fn check(engine: Engine, scenario: &Scenario) -> Result<(), String> {
    let expected = super::tables(&scenario.params, &scenario.inputs);
    let inputs: Vec<(String, Vec<u8>)> = scenario.inputs.iter().map(|i| (i.source.clone(), i.lay().0)).collect();
    for workers in WORKERS {
        let got = engine(&scenario.params, &inputs, workers)?;
        compare(&expected, &got).map_err(|difference| format!("{workers} workers: {difference}"))?;
    }
    Ok(())
}

/// The last thing said of each key of a table, without the revision; what was taken back is left out.
pub fn last_words(lines: &[String], key: &[&str]) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for line in lines {
        let mut row: Value = serde_json::from_str(line).expect("rows are JSON");
        let key = key.iter().map(|k| row[*k].to_string()).collect::<Vec<_>>().join(" ");
        let fields = row.as_object_mut().expect("rows are objects");
        fields.remove("revision");
        if fields.contains_key("deleted") {
            last.remove(&key)
        } else {
            last.insert(key, row.to_string())
        };
    }
    last
}

/// What stands in the end does not depend on the order of arrival: the last words of the window and feature tables.
pub fn all_last_words(tables: &Tables) -> [BTreeMap<String, String>; 3] {
    [
        last_words(&tables.windows, &["window", "window_end"]),
        last_words(&tables.seller_features, &["key", "as_of"]),
        last_words(&tables.category_features, &["key", "as_of"]),
    ]
}

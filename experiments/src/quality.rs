//! The README's table of detection quality, from the recorded runs of `detection`.
//!
//! One column a run, in the order of [`RUNS`]; what is asked for stands in the last. A number here is a field of a record, rounded.

use serde_json::Value;
use vitrine::console::text::grouped;

/// Records that have a column: their name, and the words over it.
pub const RUNS: [(&str, &str); 4] = [
    ("detection-development", "development"),
    ("detection-held-out", "held out"),
    ("detection-noise-2", "noise x 2"),
    ("detection-stress", "stress"),
];

/// The table of the records that are there, by name; empty without any.
pub fn table<'a>(record: impl Fn(&str) -> Option<&'a Value>) -> String {
    let found: Vec<(&str, &Value)> = RUNS.into_iter().filter_map(|(name, words)| Some((words, record(name)?))).collect();
    if found.is_empty() {
        return String::new();
    }
    let mut out = String::from("| |");
    for (words, record) in &found {
        out += &format!(" {words}, {} |", seeds(&record["result"]["seeds"]));
    }
    out += " asked for |\n|---|";
    out += &"---|".repeat(found.len() + 1);
    out.push('\n');
    for (what, of, asked) in ROWS {
        out += &format!("| {what} |");
        for (_, record) in &found {
            out += &format!(" {} |", of(&record["result"]["results"][0]["report"]));
        }
        out += &format!(" {asked} |\n");
    }
    out
}

/// A line of the table: what it tells, of a report, and what is asked for.
type Line = (&'static str, fn(&Value) -> String, &'static str);

const ROWS: [Line; 12] = [
    ("events with D from h + 2 of all, days", size, ""),
    ("alerts that are right or wrong", |r| whole(&r["before"]["precision"]["all"]), ""),
    ("precision", |r| share(&r["before"]["precision"]), "0.97, at least 0.95; noise x 2 0.90"),
    ("with explained alerts and rebounds as false (`strict`)", |r| share(&r["before"]["precision_strict"]), ""),
    ("recall, events with D from h + 2", |r| share(&strong(r)["share"]), "0.95"),
    ("recall, all events", |r| share(&r["before"]["recall"]), ""),
    ("false alarms a day", |r| decimals(&r["before"]["wrong_per_day"]), "0.65"),
    ("explained alerts for each event found", |r| decimals(&r["before"]["explained_per_event"]), "0.2"),
    ("alerts for each event found, after the cooldown", |r| decimals(&r["after"]["alerts_per_event"]), "1.2"),
    ("delay, D60 from h + 4", |r| delay(r, false), "30 s"),
    ("delay, steps of them", |r| delay(r, true), ""),
    ("hard negatives that misled", hard, "0"),
];

fn seeds(seeds: &Value) -> String {
    let all: Vec<u64> = seeds.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    match (all.first(), all.last()) {
        (Some(first), Some(last)) if last - first + 1 == all.len() as u64 && all.len() > 1 => format!("seeds {first}-{last}"),
        _ => format!("seeds {}", all.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn size(report: &Value) -> String {
    let (strong, all) = (&strong(report)["share"]["all"], &report["before"]["recall"]["all"]);
    format!("{} of {}, {:.0}", whole(strong), whole(all), report["days"].as_f64().unwrap_or(f64::NAN))
}

/// The events with D from h + 2, as `{"share": …}`.
fn strong(report: &Value) -> Value {
    let rows = report["before"]["recall_by_decades"].as_array().into_iter().flatten();
    let mut all = rows.filter(|row| row["events"].as_str().is_some_and(|events| events.starts_with("all with D")));
    serde_json::json!({"share": all.next()})
}

fn share(share: &Value) -> String {
    match (share["value"].as_f64(), share["interval"][0].as_f64(), share["interval"][1].as_f64()) {
        (Some(value), Some(low), Some(high)) => format!("{value:.3} [{low:.3}, {high:.3}]"),
        _ => "-".into(),
    }
}

fn decimals(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".into(), |value| format!("{value:.2}"))
}

fn delay(report: &Value, steps: bool) -> String {
    let rows = report["before"]["delays"].as_array().into_iter().flatten();
    let of: Vec<&Value> =
        rows.filter(|row| row["events"].as_str().is_some_and(|events| events.starts_with("steps") == steps)).collect();
    // the last of them has the greatest D60
    match of.last().map(|row| (row["median_s"].as_f64(), row["p90_s"].as_f64())) {
        Some((Some(median), Some(p90))) => format!("{median:.0} s, p90 {p90:.0} s"),
        _ => "-".into(),
    }
}

fn hard(report: &Value) -> String {
    let of = |field: &str| -> u64 {
        let kinds = report["before"]["hard_negatives"].as_array().into_iter().flatten();
        kinds.filter_map(|kind| kind[field].as_u64()).sum()
    };
    format!("{} of {}", of("misled"), of("events"))
}

fn whole(value: &Value) -> String {
    grouped(value.as_i64().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_column_a_run() {
        let share =
            |part: u64, all: u64| json!({"part": part, "all": all, "value": part as f64 / all as f64, "interval": [0.5, 0.75]});
        let mut strong = share(3, 4);
        strong["events"] = json!("all with D from 8.48");
        let before = json!({
            "precision": share(1_600, 2_000), "precision_strict": share(1, 2), "recall": share(2, 3), "recall_by_decades": [strong],
            "wrong_per_day": 0.555, "explained_per_event": 0.051, "hard_negatives": [{"misled": 1, "events": 5}, {"misled": 0, "events": 2}],
            "delays": [{"events": "all", "median_s": 70.0, "p90_s": 700.0}, {"events": "D60 from 10.48", "median_s": 37.6, "p90_s": 80.2},
                {"events": "steps, D60 from 10.48", "median_s": 31.0, "p90_s": 60.0}],
        });
        let report = json!({"days": 14.0, "before": before, "after": {"alerts_per_event": 1.234}});
        let record = json!({"result": {"seeds": [7, 8], "results": [{"report": report}]}});
        let table = table(|name| (name == "detection-stress").then_some(&record));
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(
            rows[..3],
            ["| | stress, seeds 7-8 | asked for |", "|---|---|---|", "| events with D from h + 2 of all, days | 4 of 3, 14 |  |"]
        );
        assert_eq!(rows[3], "| alerts that are right or wrong | 2,000 |  |");
        assert_eq!(rows[6], "| recall, events with D from h + 2 | 0.750 [0.500, 0.750] | 0.95 |");
        assert_eq!(
            rows[11..],
            [
                "| delay, D60 from h + 4 | 38 s, p90 80 s | 30 s |",
                "| delay, steps of them | 31 s, p90 60 s |  |",
                "| hard negatives that misled | 1 of 7 | 0 |"
            ]
        );
        assert_eq!(super::table(|_| None), "");
    }
}

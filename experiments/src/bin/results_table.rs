//! Writes the README's tables of the main results and of detection quality from `experiments/results/`; it measures nothing itself.
//!
//! A number that is typed into a document stays there when the program has changed. So each table stands between two marker
//! comments, and what stands there is a function of the recorded results: of each name the newest, of the peers the newest for
//! each job. A test compares.
//!
//! ```text
//! cargo run --release -p experiments --bin results_table
//! ```

#![expect(clippy::print_stdout, reason = "says what it has done")]

use anyhow::{Context, Result};
use experiments::quality;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use vitrine::console::text::grouped;

/// What stands before a table, and behind it.
type Markers = [&'static str; 2];

const RESULTS: Markers =
    ["<!-- results: written by `cargo run --release -p experiments --bin results_table` -->", "<!-- end of results -->"];
const QUALITY: Markers =
    ["<!-- detection: written by `cargo run --release -p experiments --bin results_table` -->", "<!-- end of detection -->"];

/// A recorded measurement.
struct Record {
    /// The file without its date and ending.
    name: String,
    value: Value,
}

/// A line of the table.
struct Row {
    what: String,
    result: String,
    /// Commit and date.
    from: String,
    machine: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn main() -> Result<()> {
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).context("reading README.md")?;
    let written = fill(&readme, &records(&root().join("experiments/results"))?)?;
    if written == readme {
        println!("README.md has the tables of the results there are");
        return Ok(());
    }
    std::fs::write(&path, written).context("writing README.md")?;
    println!("wrote the tables into README.md");
    Ok(())
}

/// The text with both tables.
fn fill(readme: &str, records: &[Record]) -> Result<String> {
    let newest = |name: &str| records.iter().rfind(|record| record.name == name).map(|record| &record.value);
    let with_results = put(readme, RESULTS, &table(records)).context("no marker comments for the table of results")?;
    put(&with_results, QUALITY, &quality::table(newest)).context("no marker comments for the table of detection quality")
}

/// The text with the table between the markers.
fn put(readme: &str, [begin, end]: Markers, table: &str) -> Option<String> {
    let (before, rest) = readme.split_once(begin)?;
    let (_, behind) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{table}{end}{behind}"))
}

/// All results, in the order of their dates.
fn records(folder: &Path) -> Result<Vec<Record>> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let name = stem.splitn(4, '-').nth(3).unwrap_or(&stem).to_owned();
        let text = std::fs::read_to_string(&path)?;
        let value = serde_json::from_str(&text).with_context(|| format!("{} is no result", path.display()))?;
        found.push(Record { name, value });
    }
    found.sort_by(|a, b| (text(&a.value, "/date"), &a.name).cmp(&(text(&b.value, "/date"), &b.name)));
    Ok(found)
}

/// The table; of rows for the same thing the last one stays. The keys put what belongs together side by side.
fn table(records: &[Record]) -> String {
    let mut rows: BTreeMap<(u8, String), Row> = BTreeMap::new();
    for record in records {
        for (key, what, result) in facts(record) {
            rows.insert(key, Row::of(&record.value, what, result));
        }
    }
    let machines: Vec<&str> = rows.values().map(|row| row.machine.as_str()).collect();
    let one = machines.iter().all(|machine| machines.first() == Some(machine));
    let mut out = String::new();
    if let (true, Some(machine)) = (one, machines.first()) {
        out += &format!("Measured on {machine}. CPU seconds, medians.\n\n");
    }
    out += "| what | result | commit, date |\n|---|---|---|\n";
    for row in rows.values() {
        let Row { what, result, from, machine } = row;
        let on = if one { String::new() } else { format!(", on {machine}") };
        out += &format!("| {what} | {result} | {from}{on} |\n");
    }
    out
}

impl Row {
    fn of(record: &Value, what: String, result: String) -> Row {
        let commit: String = text(record, "/commit").chars().take(7).collect();
        let changed = if record["dirty"].as_bool().unwrap_or(true) { " with changes" } else { "" };
        let day = text(record, "/date").split('T').next().unwrap_or_default();
        let gib = number(record, "/machine/memory_bytes") / f64::from(1 << 30);
        let machine = format!(
            "{} cores of {}, {gib:.0} GiB, {}",
            record["machine"]["cores"],
            text(record, "/machine/cpu"),
            text(record, "/machine/system")
        );
        Row { what, result, from: format!("`{commit}`{changed}, {day}"), machine }
    }
}

type Fact = ((u8, String), String, String);

/// What a record has to say: for each line its key, what was measured, and the result. Programs that are not named here have
/// notebooks, or nothing that fits into a line.
fn facts(record: &Record) -> Vec<Fact> {
    let program = text(&record.value, "/command").split(' ').next().unwrap_or_default();
    let (name, r) = (record.name.clone(), &record.value["result"]);
    match program {
        "throughput" => vec![throughput((0, name), r)],
        "shape" => shape(r),
        "experiments/peers/run" => peers(r),
        "backlog" => vec![((2, name), "A backlog in Kafka against the same sales in a file".into(), backlog(r))],
        // Those at other rates are for the notebook.
        "latency" if r["window"] == "15m/1s" => vec![latency((3, name), r)],
        "recovery" => vec![recovery((4, name), r)],
        "soak" => vec![soak((5, name), r)],
        "price_errors" => vec![price_errors((6, name), r)],
        _ => vec![],
    }
}

/// How much event time the sales of a run span that does not say otherwise.
const MINUTES: u64 = 150;

fn throughput(key: (u8, String), r: &Value) -> Fact {
    let (sales, cpu) = (number(r, "/sales"), number(r, "/pipeline_median_cpu_s"));
    let workers = if r["workers"] == 1 { "one worker".into() } else { format!("{} workers", r["workers"]) };
    let late = if r["late_percent"] == 0 { String::new() } else { format!(", {} % late", r["late_percent"]) };
    let from = match text(r, "/from") {
        "ndjson" => "from NDJSON",
        "cache" => "from the replay cache",
        _ => "from decoded records",
    };
    // How dense the sales lie is what decides how much there is of everything that does not come from a sale.
    let minutes =
        r["minutes"].as_u64().filter(|n| *n != MINUTES).map_or(String::new(), |n| format!(", in {n} minutes of event time"));
    let also: Vec<&str> = r["also"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let also = if also.is_empty() { String::new() } else { format!(", and {}", also.join(", ")) };
    let customers = r["customers"].as_u64().filter(|n| *n > 0).map_or(String::new(), |n| format!(", {n} customers"));
    let what = format!("{}{also} {from}, {workers}{late}{customers}{minutes}", text(r, "/job"));
    let beside = r["ratio"].as_f64().map_or(String::new(), |ratio| format!(", {ratio:.2} times a loop written by hand"));
    (key, what, format!("{:.2} M sales per CPU second{beside}", sales / cpu / 1e6))
}

/// Of each axis the farthest, against the first: how many windows, slides or sellers, and for how much.
fn shape(r: &Value) -> Vec<Fact> {
    let rows = r["rows"].as_array().map_or(&[][..], Vec::as_slice);
    let fact = |axis: &str| {
        let (first, last) = (rows.iter().find(|row| row["axis"] == axis)?, rows.iter().rfind(|row| row["axis"] == axis)?);
        let [few, many] = [first, last].map(|row| grouped(row["value"].as_i64().unwrap_or_default()));
        let what = match axis {
            "overlap" => format!("A sale in {many} windows of 15 min against {few}, from NDJSON"),
            "lateness" => format!("An allowed lateness of {many} slides against {few}, 5 % late, from NDJSON"),
            _ => format!("R4 with {many} sellers against {few}, from NDJSON"),
        };
        let times = number(last, "/median_cpu_s") / number(first, "/median_cpu_s");
        Some(((0, format!("shape {axis}")), what, format!("{times:.2} times the CPU seconds")))
    };
    ["overlap", "lateness", "keys"].into_iter().filter_map(fact).collect()
}

fn peers(r: &Value) -> Vec<Fact> {
    let mut facts = vec![];
    for job in r["jobs"].as_array().into_iter().flatten() {
        let name = text(job, "/job");
        for c in job["contenders"].as_array().into_iter().flatten().filter(|c| c["name"] != "vitrine") {
            let (peer, sales) = (text(c, "/name"), number(r, "/sales") / 1e6);
            let version = c["version"].as_str().map_or(String::new(), |version| format!(" {version}"));
            let turns = if r["reps"] == 1 { "one turn".into() } else { format!("{} turns", r["reps"]) };
            let steady = r["steady"].as_f64().filter(|n| *n > 0.0);
            let steady = steady.map_or(String::new(), |n| format!(" but the first {} M", n / 1e6));
            let what = format!("{name} on {}{version}, {sales} M sales{steady}, {turns}", title(peer));
            let result = if let Some(why) = c["missing"].as_str() {
                format!("no number: {}", why.replace('|', "/"))
            } else if let Some(ratio) = c["ratio"].as_f64() {
                format!("{ratio:.2} times the CPU seconds of Vitrine, rows equal")
            } else {
                "other rows than Vitrine's".into()
            };
            facts.push(((1, format!("{name} {peer}{steady}")), what, result));
        }
    }
    facts
}

fn backlog(r: &Value) -> String {
    let (ratio, own) = (number(r, "/ratio"), number(r, "/ratio_without_client"));
    format!("{ratio:.2} times the CPU seconds, {own:.2} without the threads of the client")
}

fn latency(key: (u8, String), r: &Value) -> Fact {
    let delivery = text(r, "/delivery");
    let what =
        format!("Closing sale to committed row, {} sales a second, {delivery}", grouped(number(r, "/rate").round() as i64));
    let [p50, p90, p99] = ["/p50_ms", "/p90_ms", "/p99_ms"].map(|q| number(r, q));
    (key, what, format!("p50 {p50:.0} ms, p90 {p90:.0} ms, p99 {p99:.0} ms over {} windows", r["windows"]))
}

fn recovery(key: (u8, String), r: &Value) -> Fact {
    let what = format!("Checkpoint and restart with {} entries of state", grouped(number(r, "/entries").round() as i64));
    let (pause, again) = (number(r, "/longest_pause_ms"), number(r, "/restart_s"));
    (key, what, format!("a worker pauses {pause:.1} ms at most, a restart takes {again:.2} s"))
}

fn soak(key: (u8, String), r: &Value) -> Fact {
    let looks = r["looks"].as_array().map_or(&[][..], Vec::as_slice);
    let most = looks.iter().filter_map(|look| look["resident_mb"].as_f64()).fold(0.0, f64::max);
    let unaccounted = looks.last().map_or(0.0, |look| number(look, "/unaccounted"));
    let what = format!("{} minutes at {} sales a second, `{}`", r["minutes"], grouped(number(r, "/rate").round() as i64), key.1);
    let records = grouped(number(r, "/records").round() as i64);
    (
        key,
        what,
        format!("{records} records, {unaccounted} unaccounted, {} MB; {}", grouped(most.round() as i64), text(r, "/verdict")),
    )
}

fn price_errors(key: (u8, String), r: &Value) -> Fact {
    let one = 1_000.0 / number(r, "/permille");
    let at = &r["second_half"]["alert_1.2"];
    let (recall, precision) = (100.0 * number(at, "/recall"), 100.0 * number(at, "/precision"));
    let what = format!("Wrong prices among real sales, one in {}", grouped(one.round() as i64));
    (key, what, format!("{recall:.1} % found, {precision:.1} % of the alerts are right"))
}

fn title(peer: &str) -> &str {
    match peer {
        "duckdb" => "DuckDB",
        "polars" => "Polars",
        "flink" => "Flink SQL",
        "bytewax" => "Bytewax",
        "pathway" => "Pathway",
        other => other,
    }
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_readme_has_the_tables_of_the_results_there_are() {
        let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
        let expected = fill(&readme, &records(&root().join("experiments/results")).unwrap()).unwrap();
        assert!(readme == expected, "run `cargo run --release -p experiments --bin results_table`");
    }

    fn peers_on(day: &str, cpu: &str, ratio: &Value) -> Record {
        let contenders = json!([
            {"name": "vitrine", "version": "0.1.0", "ratio": 1.0},
            {"name": "duckdb", "version": "2.0.0", "agrees": !ratio.is_null(), "ratio": ratio},
            {"name": "flink", "version": null, "missing": "no Java | none"},
        ]);
        let value = json!({
            "command": "experiments/peers/run --jobs R1", "commit": "0123456789", "dirty": false, "date": format!("{day}T10:00:00.000Z"),
            "machine": {"cpu": cpu, "cores": 2, "memory_bytes": 1u64 << 34, "system": "linux x86_64"},
            "result": {"sales": 5_000_000, "reps": 3, "jobs": [{"job": "R1", "contenders": contenders}]},
        });
        Record { name: format!("peers-{day}"), value }
    }

    #[test]
    fn the_newest_counts_and_what_is_missing_is_told() {
        let table = table(&[peers_on("2026-01-01", "A", &json!(9.0)), peers_on("2026-01-02", "A", &json!(2.5))]);
        let rows: Vec<&str> = table.lines().collect();
        assert_eq!(rows[0], "Measured on 2 cores of A, 16 GiB, linux x86_64. CPU seconds, medians.");
        let duckdb = "| R1 on DuckDB 2.0.0, 5 M sales, 3 turns | 2.50 times the CPU seconds of Vitrine, rows equal | `0123456`, 2026-01-02 |";
        assert_eq!(rows[4], duckdb);
        assert_eq!(rows[5], "| R1 on Flink SQL, 5 M sales, 3 turns | no number: no Java / none | `0123456`, 2026-01-02 |");
        assert_eq!(rows.len(), 6);
    }

    #[test]
    fn rows_of_two_machines_name_them_and_other_rows_have_no_ratio() {
        let mut other = peers_on("2026-01-02", "B", &Value::Null);
        other.value["result"]["jobs"][0]["job"] = json!("R2");
        let table = table(&[peers_on("2026-01-01", "A", &json!(9.0)), other]);
        assert!(table.starts_with("| what |"));
        assert!(table.contains("2026-01-01, on 2 cores of A, 16 GiB, linux x86_64 |"), "{table}");
        assert!(table.contains("| R2 on DuckDB 2.0.0, 5 M sales, 3 turns | other rows than Vitrine's | `0123456`"), "{table}");
    }

    #[test]
    fn only_what_stands_between_the_markers_changes() {
        let [begin, end] = RESULTS;
        let readme = format!("before\n{begin}\nold\n{end}\nbehind\n");
        let written = put(&readme, RESULTS, "new\n").unwrap();
        assert_eq!(written, format!("before\n{begin}\nnew\n{end}\nbehind\n"));
        assert_eq!(put(&written, RESULTS, "new\n").unwrap(), written);
        assert_eq!(put("no markers", RESULTS, "new\n"), None);
    }
}

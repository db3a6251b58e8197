//! What does a day of a real shop look like through the windows, beside all of its days?
//!
//! Method: `vitrine replay` goes over UCI "Online Retail" with the profile of the project, with windows of an hour every 15 minutes
//! and of a day. Of one day all windows of an hour are kept, with the events; of each day its totals. What is kept are sums of the
//! shop, not its records, which do not belong to the project.
//!
//! ```text
//! cargo build --release && cargo run --release -p experiments --bin real_day -- ../shared/data/uci_online_retail.csv.gz --record real_day
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Result, ensure};
use clap::Parser;
use experiments::data;
use experiments::program::said;
use experiments::record::Options;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "A day of real sales, hour by hour")]
struct Arguments {
    /// uci_online_retail.csv.gz
    file: PathBuf,
    /// The day; by default the one with the most lines
    #[arg(long, default_value = "2011-12-05", value_name = "YYYY-MM-DD")]
    day: String,
    #[command(flatten)]
    keep: Options,
}

/// What is kept of a day.
const DAY: [&str; 4] = ["window_end", "total_sales", "total_revenue", "returned_revenue"];

/// What is kept of an hour.
const HOUR: [&str; 11] = [
    "window_end",
    "total_sales",
    "total_units",
    "total_revenue",
    "returned_units",
    "returned_revenue",
    "avg_ticket",
    "biggest_sale",
    "active_products",
    "top_seller",
    "top_seller_sales",
];

fn main() -> Result<()> {
    let a = Arguments::parse();
    let out = data::folder().join("real_day");
    let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/uci_online_retail.toml");
    let [file, profile, folder] = [&a.file, &profile, &out].map(|path| path.display().to_string());
    let windows = ["--window", "1h/15m", "--window", "1d/1d"];
    let run = ["replay", &file, "-c", &profile, "--out", &folder, "--force", "--quiet", "--json"];
    let summary = said(&[&run[..], &windows[..]].concat())?;

    let rows = last_revisions(lines(&out.join("windows.ndjson"))?);
    let of = |name: &str| rows.iter().filter(|row| row["window"] == name).collect::<Vec<_>>();
    let begins = |row: &Value| row["window_start"].as_str().is_some_and(|start| start.starts_with(&a.day));
    let hours: Vec<Value> = of("1h/15m").into_iter().filter(|row| begins(row)).map(|row| columns(row, &HOUR)).collect();
    let open = of("1d/1d").into_iter().filter(|row| row["total_sales"] != 0);
    let days: Vec<Value> = open.map(|row| columns(row, &DAY)).collect();
    ensure!(!hours.is_empty(), "there are no sales on {}", a.day);
    let events = lines(&out.join("events.ndjson"))?.into_iter().filter(begins);
    let events: Vec<Value> = events.map(|e| json!({"type": e["type"], "window": e["window"], "message": e["message"]})).collect();
    println!("{}: {} windows of an hour, {} events; {} days with sales", a.day, hours.len(), events.len(), days.len());
    let result = json!({"day": a.day, "records": summary["records"], "hours": hours, "days": days, "events": events});
    a.keep.keep(&a.file, result)
}

fn lines(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// A row that was said again counts as it was said last.
fn last_revisions(rows: Vec<Value>) -> Vec<Value> {
    let mut last = std::collections::BTreeMap::new();
    for row in rows {
        last.insert(format!("{} {}", row["window_end"], row["window"]), row);
    }
    last.into_values().filter(|row| row["deleted"] != true).collect()
}

fn columns(row: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), row[*name].clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_as_it_was_said_last() {
        let row = |end: &str, revision: u32, deleted: bool| json!({"window": "1d/1d", "window_end": end, "revision": revision, "deleted": deleted});
        let rows = last_revisions(vec![row("a", 0, false), row("b", 0, false), row("a", 1, false), row("b", 1, true)]);
        assert_eq!(rows, [row("a", 1, false)]);
        assert_eq!(columns(&rows[0], &DAY)["window_end"], "a");
    }
}

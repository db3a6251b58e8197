//! How often does the score of counts exceed a level by chance, when nothing happens?
//!
//! Method: orders by pane of 15 s pass through the engine's own series and dispersion, one shop without episodes; each slide the tail
//! of each scale is asked for as the detector asks for it. A calibrated tail of 1e-3 is reached by one window in a thousand; discrete
//! counts reach it less often. Either generated shops in which nothing is injected, or real orders: of UCI Online Retail the
//! first half is for learning, the second is judged. Real shops have real events, so there the far tail is no false alarm alone.
//!
//! ```text
//! cargo run --release -p experiments --bin calibration -- --seeds 1 3
//! cargo run --release -p experiments --bin calibration -- --uci ../shared/data/uci_online_retail.csv.gz
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Result};
use chrono::NaiveDateTime;
use chrono_tz::Tz;
use clap::Parser;
use dataflows::detect::scan::{Class, SCALES, Scan};
use dataflows::detect::season::{Known, place};
use dataflows::detect::series::{GAP, Series};
use dataflows::detect::table::float;
use dataflows::detect::tail::Tail;
use dataflows::row::event::Level;
use experiments::record::{Options, Source};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use vitrine::generate::{self, Generator};
use vitrine::settings::value;

/// Milliseconds of a pane.
const PANE: i64 = dataflows::plan::SLIDE;
const DAY: i64 = 86_400_000;
/// Levels of the tail, decades.
const LEVELS: [f64; 3] = [2.0, 3.0, 4.0];

#[derive(Parser)]
#[command(about = "How often scores exceed a level when nothing happens")]
struct Arguments {
    /// Orders of a real shop: the file of UCI Online Retail
    #[arg(long, value_name = "FILE")]
    uci: Option<PathBuf>,
    /// Seeds of generated shops, first to last
    #[arg(long, num_args = 2, default_values_t = [1, 3], value_names = ["FIRST", "LAST"])]
    seeds: Vec<u64>,
    /// Generated time for learning
    #[arg(long, default_value = "7d", value_parser = value::span, value_name = "TIME")]
    warm_up: i64,
    /// Generated time that is judged
    #[arg(long, default_value = "7d", value_parser = value::span, value_name = "TIME")]
    test: i64,
    /// Factor on the slow noise of generated shops
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    noise: f64,
    #[command(flatten)]
    keep: Options,
}

/// Windows of one scale: how many were judged, and how many reached each level, above and below.
#[derive(Clone, Copy, Debug, Default)]
struct Reached {
    windows: u64,
    up: [u64; 3],
    down: [u64; 3],
}

/// Lets a series of counts by pane pass, and counts from pane `judged` on.
fn pass(counts: &[i64], start: i64, zone: Tz, judged: usize, reached: &mut [Reached; 5]) {
    let mut series = Series::new(Level::Global, [0, 0]);
    let mut scan = Scan::new(f64::INFINITY);
    let at = |pane: u32| place(zone, start + i64::from(pane) * PANE - PANE / 2);
    let mut day = None;
    // Pane 0 does not exist, and the first ones are empty, so that windows never reach back beyond the beginning.
    for (i, &count) in counts.iter().enumerate() {
        let pane = i as u32 + 1;
        series.open(pane);
        if let Some(old) = pane.checked_sub(GAP).filter(|old| *old > 0) {
            let place = at(old);
            if day.is_some_and(|day| day < place.day) {
                scan.close_day();
            }
            day = Some(place.day);
            series.settle(old, place, false);
        }
        series.count(pane, count);
        series.expect(pane, at(pane));
        series.add_up(pane, pane);
        for (scale, (panes, window)) in SCALES.into_iter().zip(series.windows(pane)).enumerate() {
            let Some(window) = window else { continue };
            if pane <= panes || series.known(pane - panes, pane) != Known::Warm {
                continue;
            }
            let mean = float(window.mean);
            if i >= judged && mean >= 0.5 {
                let tail = Tail::new(mean, scan.fit(Class::Shop, scale).variance(mean));
                let of = &mut reached[scale];
                of.windows += 1;
                for (level, decades) in LEVELS.into_iter().enumerate() {
                    of.up[level] += u64::from(tail.upper(window.count) >= decades);
                    of.down[level] += u64::from(tail.lower(window.count) >= decades);
                }
            }
            scan.sample(Class::Shop, scale, window);
        }
    }
}

/// Orders of the real shop by pane: distinct customers, and invoices where none is named. Cancellations and returns are no
/// orders.
fn uci(path: &Path) -> Result<(Vec<i64>, i64)> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut reader = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(file));
    let mut orders = BTreeSet::new();
    for record in reader.records() {
        let record = record?;
        let [invoice, quantity, date, customer] = [0, 3, 4, 6].map(|i| record.get(i).unwrap_or_default());
        if quantity.parse::<f64>()? > 0.0 && !invoice.starts_with('C') {
            let date = NaiveDateTime::parse_from_str(date, "%Y-%m-%d %H:%M:%S")?.and_utc().timestamp_millis();
            orders.insert((date.div_euclid(PANE), if customer.is_empty() { invoice } else { customer }.to_owned()));
        }
    }
    let first = orders.first().map_or(0, |(pane, _)| pane * PANE / DAY * DAY / PANE);
    let last = orders.last().map_or(0, |(pane, _)| *pane);
    let mut counts = vec![0; (last - first + 1) as usize];
    orders.iter().for_each(|(pane, _)| counts[(pane - first) as usize] += 1);
    Ok((counts, first * PANE))
}

/// Baskets by pane of a generated shop in which nothing happens.
fn generated(arguments: &Arguments, seed: u64) -> Result<(Vec<i64>, i64)> {
    let span = arguments.warm_up + arguments.test;
    let shop =
        generate::Settings { span: Some(span), kinds: vec![], noise: arguments.noise, ..generate::Settings::protocol(seed, 0) };
    let (start, mut generator) = (shop.start, Generator::new(shop)?);
    let mut baskets = BTreeSet::new();
    let mut line = String::new();
    let mut guests = vec![0; (span / PANE) as usize];
    loop {
        line.clear();
        if generator.next_into(&mut line).is_none() {
            break;
        }
        let sale: Value = serde_json::from_str(&line)?;
        let date = sale["sale_date"].as_str().context("a sale has a date")?;
        let pane = (chrono::DateTime::parse_from_rfc3339(date)?.timestamp_millis() - start) / PANE;
        match (sale["op"].as_str(), sale["id_customer"].as_str()) {
            (Some("sale"), Some(customer)) => drop(baskets.insert((pane, customer.to_owned()))),
            (Some("sale"), None) => guests[pane as usize] += 1,
            _ => (),
        }
    }
    let mut counts = guests;
    baskets.iter().for_each(|(pane, _)| counts[*pane as usize] += 1);
    Ok((counts, start))
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut reached = [Reached::default(); 5];
    let data = match &arguments.uci {
        Some(path) => {
            let (counts, start) = uci(path)?;
            pass(&counts, start, Tz::UTC, counts.len() / 2, &mut reached);
            Source::of(path)?
        }
        None => {
            for seed in arguments.seeds[0]..=arguments.seeds[1] {
                let (counts, start) = generated(&arguments, seed)?;
                pass(&counts, start, chrono_tz::America::Sao_Paulo, (arguments.warm_up / PANE) as usize, &mut reached);
            }
            Source::generated(&format!("{:?}", generate::Settings::protocol(arguments.seeds[0], 0)))
        }
    };
    println!("observed over nominal, at 1e-2, 1e-3 and 1e-4");
    println!("{:>7} {:>10}   {:<28} below", "window", "windows", "above");
    let mut rows = vec![];
    for (panes, of) in SCALES.into_iter().zip(reached) {
        let ratio = |n: [u64; 3]| [0, 1, 2].map(|i| n[i] as f64 / of.windows.max(1) as f64 * 10f64.powf(LEVELS[i]));
        let (up, down) = (ratio(of.up), ratio(of.down));
        let shown = |r: [f64; 3]| format!("{:.2}  {:.2}  {:.2}", r[0], r[1], r[2]);
        println!("{:>5} s {:>10}   {:<28} {}", i64::from(panes) * PANE / 1_000, of.windows, shown(up), shown(down));
        rows.push(json!({"window_s": i64::from(panes) * PANE / 1_000, "windows": of.windows, "above": up, "below": down,
            "reached_above": of.up, "reached_below": of.down}));
    }
    arguments.keep.keep_of(
        data,
        json!({"levels_decades": LEVELS, "observed_over_nominal": rows, "seeds": arguments.seeds, "noise": arguments.noise,
            "warm_up_ms": arguments.warm_up, "test_ms": arguments.test}),
    )
}

//! How long is it from the sale that closes a window to the row that a reader of committed records sees?
//!
//! Method: on a broker of this machine, which the program starts, it sends sales at a steady rate, each dated when it is sent, and
//! reads `vitrine.windows` as others do. A window that ends at E closes with the first sale of the slowest partition that is dated
//! E and the slack of 2 s. From when that sale was handed to the client to when the row is polled: the producer's
//! linger, the broker, the epoch, the pipeline, the transaction and the reader are all in it. Windows of the first 40 seconds do
//! not count: in them the broker's machine code is being made. A window that was not seen when the reader ended, 5 s after the last
//! sale, counts with the time until then, and how many there were is told: beyond saturation there are some. Every 30 s the rows of features of 10,000 sellers come along.
//!
//! ```text
//! cargo build --release && cargo run --release -p experiments --bin latency -- --rate 20000 --record latency
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use experiments::kafka::{Probe, Sent, read};
use experiments::program::{Broker, Ended, command};
use experiments::record::{Options, Source};
use serde_json::json;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};
use vitrine::settings::layer::Flag;
use vitrine::settings::{Given, Settings};

#[derive(Parser)]
#[command(about = "From the sale that closes a window to the row that others see")]
struct Arguments {
    /// Sales a second
    #[arg(long, default_value_t = 20_000, value_name = "R")]
    rate: u64,
    /// Seconds, the first ones with them
    #[arg(long, default_value_t = 280, value_name = "N")]
    seconds: u64,
    /// Seconds that do not count
    #[arg(long, default_value_t = 40, value_name = "N")]
    warm_up: u64,
    /// exactly-once or at-least-once
    #[arg(long, default_value = "exactly-once", value_name = "WHAT")]
    delivery: String,
    /// Slide of the windows, milliseconds: windows as by default, or one minute every so many
    #[arg(long, default_value_t = 1_000, value_name = "MS")]
    slide: u32,
    /// How long the producer waits for company, milliseconds
    #[arg(long, default_value_t = 5, value_name = "MS")]
    linger: u64,
    /// Threads
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: usize,
    /// Folder for what is made [default: experiments/latency in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    keep: Options,
}

fn main() -> Result<()> {
    let args = Arguments::parse();
    let folder = args.folder.clone().unwrap_or_else(|| experiments::data::folder().join("latency"));
    let _ = std::fs::remove_dir_all(&folder); // it may not be there
    std::fs::create_dir_all(&folder)?;
    let broker = Broker::start(&folder.join("kafka"))?;
    let brokers = Flag { name: "--brokers".into(), path: "kafka.brokers".into(), text: broker.address.clone() };
    let kafka = Settings::load(&Given { flags: vec![brokers], ..Given::default() })?.kafka;

    let (state, workers) = (folder.join("state").display().to_string(), args.workers.to_string());
    let run = ["run", "--brokers", &broker.address, "--state", &state, "-w", &workers, "--delivery", &args.delivery];
    let mut rows = vec!["-q", "--set", "http.listen=off"];
    let window = if args.slide == 1_000 { "15m/1s".to_owned() } else { format!("60s/{}ms", args.slide) };
    if args.slide != 1_000 {
        // Slides below a second need a tick zero that is not long ago.
        rows.extend(["--window", &window, "--set", "time.origin=2026-01-01T00:00:00Z"]);
    }
    let mut run = Ended(command(&[&run[..], &rows].concat())?.stdout(Stdio::null()).spawn()?);
    let until = Instant::now() + Duration::from_secs(args.seconds + 5);
    let reader = {
        let (kafka, topic, window) = (kafka.clone(), format!("{}windows", kafka.prefix), window.clone());
        std::thread::spawn(move || read(&kafka, &topic, &window, until))
    };
    let probe = Probe::new(&kafka, args.linger)?;
    let Sent { closing, rate } = probe.send(args.rate, Duration::from_secs(args.seconds), args.slide.into())?;
    let seen = reader.join().map_err(|_| anyhow!("the reader died"))??;
    let ended = run.0.try_wait()?;
    ensure!(ended.is_none(), "the run ended by itself with {ended:?}");

    let first = closing.keys().next().context("no window closed")? + 1_000 * args.warm_up as i64;
    let counted = || closing.range(first..);
    let unseen = counted().filter(|(end, _)| !seen.contains_key(end)).count();
    let took = |(end, closed): (&i64, &Instant)| seen.get(end).unwrap_or(&until).saturating_duration_since(*closed);
    let mut millis: Vec<f64> = counted().map(|window| took(window).as_secs_f64() * 1_000.0).collect();
    ensure!(!millis.is_empty(), "no window closed after the {} s that do not count", args.warm_up);
    millis.sort_by(f64::total_cmp);
    let at = |q: f64| millis[((millis.len() - 1) as f64 * q).round() as usize];
    let result = json!({
        "rate": args.rate, "sent_per_s": rate, "delivery": args.delivery, "linger_ms": args.linger, "window": window, "workers": args.workers,
        "warm_up_s": args.warm_up, "windows": millis.len(), "unseen": unseen,
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1.0),
    });
    println!("{result:#}");
    let load = format!("{} sales a second for {} seconds", args.rate, args.seconds);
    args.keep.keep_of(Source::generated(&load), result)
}

//! Does a run stay flat in memory and in lag under a steady load, with late sales, cancellations and returns, and is every record
//! accounted for?
//!
//! Method: the program starts a broker, `vitrine run` with all of its sinks, and `vitrine produce` at a steady rate. Every few
//! seconds it asks `/status` and the system for records, lag, memory and checkpoints. It fails when a record has no
//! disposition, when the lag in the second half is above the bound, or when memory grows for no reason: from the second quarter to
//! the last by more than a tenth, 64 MB and 64 bytes for each (key, pane) that came to the last hour.
//!
//! ```text
//! cargo build --release && cargo run --release -p experiments --bin soak -- --minutes 30 --rate 50000 --record soak
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use experiments::program::{Broker, Ended, command, resident};
use experiments::record::{Options, Source};
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(about = "A long run under a steady load")]
struct Arguments {
    /// How long the load lasts
    #[arg(long, default_value_t = 2.0, value_name = "N")]
    minutes: f64,
    /// Records a second
    #[arg(long, default_value_t = 50_000, value_name = "R")]
    rate: u64,
    /// Threads
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: usize,
    /// The lag that is allowed in the second half, in seconds of the load
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS")]
    lag: f64,
    /// Seconds between two looks
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    every: f64,
    /// Folder for what is made [default: experiments/soak in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    keep: Options,
}

/// One look.
#[derive(Clone, Debug, Serialize)]
struct Look {
    second: f64,
    records: u64,
    lag: i64,
    unaccounted: i64,
    late: u64,
    resident_mb: u64,
    entries: u64,
    checkpoint_pause_p99_s: Option<f64>,
    latency_p99_s: Option<f64>,
}

fn main() -> Result<()> {
    let args = Arguments::parse();
    let folder = args.folder.clone().unwrap_or_else(|| experiments::data::folder().join("soak"));
    let _ = std::fs::remove_dir_all(&folder); // it may not be there
    std::fs::create_dir_all(&folder)?;
    let broker = Broker::start(&folder.join("kafka"))?;
    let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();

    let (state, listen, workers) = (folder.join("state"), format!("http.listen={http}"), args.workers.to_string());
    let state = state.display().to_string();
    let run = ["run", "--brokers", &broker.address, "--state", &state, "-w", &workers, "-q", "--set", &listen];
    let mut run = Ended(command(&run)?.stdout(Stdio::null()).spawn()?);
    let (rate, per_minute) = (args.rate.to_string(), format!("generate.rate={}", args.rate * 60));
    let sets = [
        "generate.season=0",
        "generate.noise=0",
        "generate.late=0.01",
        "generate.cancels=0.01",
        "generate.returns=0.01",
        &per_minute,
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]).collect::<Vec<_>>();
    let load = [&["produce", "--rate", &rate, "--live", "-q"], &sets[..]].concat();
    let produce = [&load[..], &["--brokers", &broker.address]].concat();
    let produce = Ended(command(&produce)?.stdout(Stdio::null()).spawn()?);

    let (began, mut looks): (Instant, Vec<Look>) = (Instant::now(), vec![]);
    while began.elapsed().as_secs_f64() < 60.0 * args.minutes {
        std::thread::sleep(Duration::from_secs_f64(args.every));
        if let Some(status) = run.0.try_wait()? {
            bail!("the run ended by itself with {status}");
        }
        let Ok(status) = status(&http) else { continue };
        let look = look(&status, began.elapsed().as_secs_f64(), run.0.id());
        println!("{}", serde_json::to_string(&look)?);
        looks.push(look);
    }
    drop(produce);
    let verdict = judge(&looks, args.lag * args.rate as f64);
    let last = looks.last().context("no look at all")?;
    let result = json!({
        "minutes": args.minutes, "rate": args.rate, "workers": args.workers, "records": last.records,
        "verdict": verdict.as_ref().map_or_else(ToString::to_string, |()| "flat, bounded, accounted for".to_owned()),
        "looks": looks,
    });
    args.keep.keep_of(Source::generated(&load.join(" ")), result)?;
    verdict
}

fn look(status: &Value, second: f64, pid: u32) -> Look {
    let number = |path: &str| status.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    Look {
        second: (second * 10.0).round() / 10.0,
        records: number("/records/read").unsigned_abs(),
        lag: number("/source/lag_records"),
        unaccounted: number("/records_unaccounted"),
        late: number("/records_late").unsigned_abs(),
        resident_mb: resident(pid) / 1_000_000,
        entries: number("/state_entries").unsigned_abs(),
        checkpoint_pause_p99_s: status.pointer("/checkpoint/pause_seconds/p99").and_then(Value::as_f64),
        latency_p99_s: status.pointer("/latency_seconds/p99").and_then(Value::as_f64),
    }
}

fn judge(looks: &[Look], most_lag: f64) -> Result<()> {
    let n = looks.len();
    ensure!(n >= 8, "too few looks to judge: {n}");
    ensure!(looks.iter().all(|look| look.unaccounted == 0), "records without a disposition");
    let lag = looks[n / 2..].iter().map(|look| look.lag).max().unwrap_or(0);
    ensure!(lag as f64 <= most_lag, "the lag went up to {lag} records, and {most_lag} are allowed");
    let most = |looks: &[Look], of: fn(&Look) -> u64| looks.iter().map(of).max().unwrap_or(0);
    let (early, late) = (&looks[n / 4..n / 2], &looks[n - n / 4..]);
    let entries = most(late, |look| look.entries).saturating_sub(most(early, |look| look.entries));
    let (before, after) = (most(early, |look| look.resident_mb), most(late, |look| look.resident_mb));
    let allowed = before + before / 10 + 64 + 64 * entries / 1_000_000;
    ensure!(after <= allowed, "memory went from {before} MB to {after} MB, and {allowed} are allowed for {entries} more entries");
    Ok(())
}

/// `GET /status`.
fn status(address: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /status HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let body = text.split_once("\r\n\r\n").context("no body")?.1;
    let (from, to) = (body.find('{').context("no JSON")?, body.rfind('}').context("no JSON")?);
    Ok(serde_json::from_str(&body[from..=to])?)
}

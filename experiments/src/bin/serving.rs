//! How long does a request for features take while sales come in?
//!
//! Method: the program starts `vitrine replay -` with its HTTP endpoint and writes sales into it at a steady rate, so many each
//! 10 ms, whether they are taken or not. Meanwhile it asks for features at another steady rate over connections that stay open,
//! open loop: request k is due at k / rate after the start, on the connection whose turn it is, and its time runs from when it was
//! due to when its answer has been read, so that an answer that comes late makes those behind it late as well. Each request names
//! some sellers, drawn anew, and all columns of `seller_features`, and every answer is looked at: its code, its length, and that it
//! finds sellers. The first seconds do not count: there is no row yet. Asker, sales and engine share the machine.
//!
//! ```text
//! cargo build --release && cargo run --release -p experiments --bin serving -- --record serving
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use experiments::program::{Ended, command, of};
use experiments::record::{Options, Source};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(about = "Requests for features under a steady load of sales")]
struct Arguments {
    /// Sales a second
    #[arg(long, default_value_t = 50_000, value_name = "R")]
    rate: u64,
    /// Requests a second
    #[arg(long, default_value_t = 2_000, value_name = "R")]
    requests: u64,
    /// Connections that stay open
    #[arg(long, default_value_t = 8, value_name = "N")]
    connections: u64,
    /// Sellers in a request
    #[arg(long, default_value_t = 10, value_name = "N")]
    entities: u64,
    /// Sellers that there are
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    sellers: u64,
    /// Seconds that count
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Seconds before them; a row comes each 30
    #[arg(long, default_value_t = 45, value_name = "N")]
    before: u64,
    /// Threads of the engine
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: usize,
    /// Folder for what is made [default: experiments/serving in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    keep: Options,
}

/// Numbers that look drawn; the same ones each time.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        // The generator of Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

static SENT: AtomicU64 = AtomicU64::new(0);
static OVER: AtomicBool = AtomicBool::new(false);

/// Writes sales until all is over, each dated when it is written.
fn sell(mut to: ChildStdin, rate: u64, sellers: u64) -> Result<()> {
    let (began, mut sent, mut draw, mut lines) = (Instant::now(), 0, Draw(1), String::new());
    while !OVER.load(Relaxed) {
        let due = (began.elapsed().as_secs_f64() * rate as f64) as u64;
        let at = vitrine::engine::now();
        lines.clear();
        for i in sent..due {
            writeln!(
                lines,
                r#"{{"id_sale":"L{i}","id_product":"B0{:05}","nm_category":"Category {}","seller":"Seller {}","price":{}.{:02},"quantity":1,"tp_payment":"PIX","sale_date":{at}}}"#,
                draw.below(10_000),
                draw.below(248),
                draw.below(sellers),
                5 + draw.below(300),
                draw.below(100)
            )?;
        }
        to.write_all(lines.as_bytes())?;
        sent = due;
        SENT.store(sent, Relaxed);
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// What one connection has seen.
#[derive(Default)]
struct Seen {
    millis: Vec<f64>,
    found: u64,
    asked: u64,
    bytes: u64,
}

/// Sends the requests of one connection, each when it is due.
fn ask(address: &str, args: &Arguments, number: u64, from: Instant) -> Result<Seen> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (mut stream, mut draw, mut seen) = (BufReader::new(stream), Draw(1_000 + number), Seen::default());
    let mut body = vec![];
    for k in (number..args.requests * args.seconds).step_by(args.connections as usize) {
        let due = from + Duration::from_secs_f64(k as f64 / args.requests as f64);
        sleep(due.saturating_duration_since(Instant::now()));
        let sellers: Vec<String> = (0..args.entities).map(|_| format!("Seller {}", draw.below(args.sellers))).collect();
        let request = json!({"feature_service": "seller_features", "entities": {"seller": sellers}}).to_string();
        let head = format!("POST /get-online-features HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", request.len());
        stream.get_mut().write_all((head + &request).as_bytes())?;
        let (mut length, mut code) = (0, String::new());
        for line in stream.by_ref().lines() {
            let line = line?;
            match line.split_once(": ") {
                Some(("content-length", n)) => length = n.parse()?,
                None if line.is_empty() => break,
                None => code = line,
                Some(_) => (),
            }
        }
        body.resize(length, 0);
        stream.read_exact(&mut body)?;
        seen.millis.push(due.elapsed().as_secs_f64() * 1_000.0);
        ensure!(code.contains(" 200 "), "{code}: {}", String::from_utf8_lossy(&body));
        // The first result that is not the key itself says which sellers were found.
        let behind = body.windows(12).position(|w| w == b"},{\"values\":").context("an answer without features")?;
        let result = body[behind..].split(|b| *b == b'}').nth(1).unwrap_or_default();
        seen.found += result.windows(9).filter(|w| *w == b"\"PRESENT\"").count() as u64;
        seen.asked += args.entities;
        seen.bytes += length as u64;
    }
    Ok(seen)
}

fn main() -> Result<()> {
    let args = Arguments::parse();
    let folder = args.folder.clone().unwrap_or_else(|| experiments::data::folder().join("serving"));
    let _ = std::fs::remove_dir_all(&folder); // it may not be there
    std::fs::create_dir_all(&folder)?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let (out, listen, workers) = (folder.join("out"), format!("http.listen={address}"), args.workers.to_string());
    let out = out.display().to_string();
    let run = ["replay", "-", "--out", &out, "-q", "-w", &workers, "--set", &listen];
    let mut run = Ended(command(&run)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
    let to = run.0.stdin.take().context("no pipe to the engine")?;
    let (rate, sellers) = (args.rate, args.sellers);
    let selling = spawn(move || sell(to, rate, sellers));
    sleep(Duration::from_secs(args.before));

    let (sent, cpu, from) = (SENT.load(Relaxed), of(run.0.id())?, Instant::now() + Duration::from_millis(100));
    let seen: Result<Vec<Seen>> = std::thread::scope(|scope| {
        let (args, address) = (&args, address.as_str());
        let asking: Vec<_> = (0..args.connections).map(|n| scope.spawn(move || ask(address, args, n, from))).collect();
        asking.into_iter().map(|asking| asking.join().map_err(|_| anyhow!("an asker died"))?).collect()
    });
    let (took, sold) = (from.elapsed().as_secs_f64(), SENT.load(Relaxed) - sent);
    let cpu = of(run.0.id())? - cpu;
    OVER.store(true, Relaxed);
    let seen = seen?;
    ensure!(run.0.try_wait()?.is_none(), "the engine ended by itself");
    selling.join().map_err(|_| anyhow!("the sales died"))??;

    let mut millis: Vec<f64> = seen.iter().flat_map(|seen| seen.millis.iter().copied()).collect();
    millis.sort_by(f64::total_cmp);
    let at = |q: f64| (millis[((millis.len() - 1) as f64 * q).round() as usize] * 1_000.0).round() / 1_000.0;
    let sum = |of: fn(&Seen) -> u64| seen.iter().map(of).sum::<u64>();
    let (found, asked) = (sum(|seen| seen.found), sum(|seen| seen.asked));
    ensure!(found * 10 > asked * 9, "only {found} of {asked} sellers were found");
    let result = json!({
        "sales_per_second": sold as f64 / took, "requests_per_second": millis.len() as f64 / took, "requests": millis.len(),
        "entities": args.entities, "connections": args.connections, "sellers": args.sellers, "workers": args.workers,
        "answer_bytes": sum(|seen| seen.bytes) / millis.len() as u64, "engine_cpu_seconds_per_second": cpu / took,
        "found": found, "asked": asked,
        "p50_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1.0),
    });
    println!("{result:#}");
    let load = format!("{} sales and {} requests a second for {} seconds", args.rate, args.requests, args.seconds);
    args.keep.keep_of(Source::generated(&load), result)
}

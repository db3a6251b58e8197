//! `produce [FILE]`.

mod feed;

use super::live::TopicArgs;
use super::{Failure, Session, SettingsArgs, World, flag, interrupted, print};
use crate::console::text;
use crate::error::Error;
use crate::generate;
use crate::kafka::produce::{Delivered, Sender};
use crate::settings::Settings;
use crate::source::records::Records;
use clap::{Args, ValueEnum};
use dataflows::clock;
use feed::{Feed, Pace};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long what is on its way may still take after Ctrl-C.
const LAST: Duration = Duration::from_secs(10);

/// Time between two looks at the progress.
const LOOK: Duration = Duration::from_millis(100);

/// Send a file of sales, or generated ones, to Kafka
///
/// Each record goes to the partition of its seller, once and in order (idempotent, acknowledged by all replicas). Without FILE
/// sales are generated; without --sales they go on until Ctrl-C. Lines are sent as they are, CSV as JSON.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vitrine produce --sales 100000 --seed 7\n  \
                        vitrine produce sales.ndjson.gz --brokers localhost:9092 --topic sales --rate 5000\n  \
                        vitrine produce --live --rate 200")]
pub struct Produce {
    /// File of sales (.ndjson, .jsonl, .csv, each also .gz or .zst), or - for standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["sales", "seed", "live"])]
    file: Option<String>,
    #[command(flatten)]
    topic: TopicArgs,
    /// Records a second, instead of as fast as they are taken
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Generate so many sales; cancellations, returns, duplicates and broken records come on top
    #[arg(long, value_name = "N")]
    sales: Option<u64>,
    /// Another stream for another seed [default: generate.seed]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Date the generated sales from now on, and send each when it happens
    #[arg(long)]
    live: bool,
    /// How the file is written, when its name does not say it
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Print what was sent as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One JSON object a line
    Ndjson,
    /// CSV with a header
    Csv,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=10_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("write a number from 0.001 to 10000000".into()),
    }
}

impl Produce {
    /// Runs it.
    ///
    /// # Errors
    /// Bad settings, a file that cannot be read, a broker that is away, or records that did not arrive.
    pub fn run(&self, world: &World, session: &Session) -> Result<(), Failure> {
        let seed = self.seed.map(|seed| flag("--seed", "generate.seed", seed));
        let settings = self.settings.load_with(world, self.topic.flags().chain(seed))?;
        let stop = interrupted(world)?;
        let feed = self.feed(&settings)?;
        let bar = session.bar(self.bar());
        bar.enable_steady_tick(LOOK);
        let sent = self.send(&settings, feed, &stop, &bar);
        bar.finish_and_clear();
        let sent = sent?;
        if self.json {
            print(&format!("{}\n", sent.json(&settings)))?;
        } else if !session.quiet {
            print(&sent.text(&settings))?;
        }
        let Delivered { failed, why, .. } = &sent.delivered;
        match (&sent.ended, failed) {
            (Err(e), _) => Err(e.clone().into()),
            (_, 1..) => {
                let why = why.as_deref().unwrap_or("unknown");
                let lost = format!("{} records were not delivered: {why}", text::grouped(*failed as i64));
                Err(Error::Unavailable(lost).into())
            }
            // Sales without an end are ended by Ctrl-C.
            (Ok(false), 0) if self.file.is_some() || self.sales.is_some() => Err(Failure::Stopped),
            _ => Ok(()),
        }
    }

    fn feed(&self, settings: &Settings) -> Result<Feed, Failure> {
        if let Some(name) = &self.file {
            let format = self.format.map(|format| match format {
                Format::Ndjson => clock::Format::Json,
                Format::Csv => clock::Format::Csv,
            });
            return Ok(Feed::file(Records::open(name, format, &settings.schema)?, &settings.schema)?);
        }
        let mut shop = generate::Settings { sales: self.sales, ..settings.generate.clone() };
        if self.live {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
            shop.start = now;
            shop.rate = self.rate.map_or(shop.rate, |rate| rate * 60.0);
        }
        let generator = generate::Generator::new(shop).map_err(|bad| Failure::Usage(bad.to_string()))?;
        Ok(Feed::generated(generator, &settings.schema)?)
    }

    fn bar(&self) -> ProgressBar {
        let template = match self.sales {
            Some(_) => "{bar:30.cyan/dim} {percent:>3} %  {human_pos} delivered  {per_sec}  {msg}",
            None => "{spinner:.cyan} {human_pos} delivered  {per_sec}  {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        self.sales.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style.progress_chars("━╸─"))
    }

    fn send(&self, settings: &Settings, mut feed: Feed, stop: &AtomicBool, bar: &ProgressBar) -> Result<Sent, Failure> {
        let stopped = || stop.load(Ordering::Relaxed);
        bar.set_message("connecting");
        let sender = Sender::new(&settings.kafka)?;
        tracing::info!(brokers = settings.kafka.brokers, topic = settings.kafka.topic, "sending begins");
        let (began, mut shown) = (Instant::now(), Instant::now());
        let mut show = |wait: bool| {
            if shown.elapsed() >= LOOK || wait {
                shown = Instant::now();
                bar.set_position(sender.records());
                let waits = text::grouped(sender.in_flight() as i64);
                bar.set_message(match sender.away() {
                    true => format!("no broker answers, trying again; {waits} wait"),
                    false => format!("{waits} on their way"),
                });
            }
        };
        let mut pace = match (self.live, self.rate) {
            (true, _) => Pace::Own(None),
            (false, Some(rate)) => Pace::Rate { rate, began: Instant::now(), sent: 0 },
            (false, None) => Pace::None,
        };
        let (mut bytes, mut ended) = (0, Ok(true));
        'all: loop {
            let batch = match feed.next(&stopped) {
                Ok(Some(batch)) => batch,
                Ok(None) => break,
                Err(e) => {
                    ended = Err(e);
                    break;
                }
            };
            for (at, key, value) in batch.records() {
                let due = pace.wait(at, || {
                    show(false);
                    stopped() || sender.failed()
                });
                let taken = due && sender.send(key, value, &stopped)?;
                if !taken {
                    break 'all;
                }
                bytes += value.len() as u64;
                show(false);
            }
        }
        if stopped() && ended.is_ok() {
            ended = Ok(false);
        }
        let mut asked = None;
        let delivered = sender.finish(|| {
            show(false);
            // A failure has ended it: what waits behind will not fare better. After Ctrl-C there is a little time left.
            let limit = stopped().then_some(LAST).or_else(|| sender.failed().then_some(Duration::ZERO));
            limit.is_none_or(|limit| asked.get_or_insert_with(Instant::now).elapsed() < limit)
        });
        show(true);
        Ok(Sent { delivered, bytes, took: began.elapsed(), ended })
    }
}

/// What was sent.
struct Sent {
    delivered: Delivered,
    bytes: u64,
    took: Duration,
    /// Whether the end was reached, or what prevented it.
    ended: Result<bool, Error>,
}

impl Sent {
    fn json(&self, settings: &Settings) -> serde_json::Value {
        let partitions: serde_json::Map<String, serde_json::Value> =
            self.delivered.partitions.iter().map(|(partition, n)| (partition.to_string(), (*n).into())).collect();
        json!({
            "topic": settings.kafka.topic,
            "brokers": settings.kafka.brokers,
            "records": self.delivered.records(),
            "failed": self.delivered.failed,
            "bytes": self.bytes,
            "seconds": (self.took.as_secs_f64() * 1e3).round() / 1e3,
            "ended": matches!(self.ended, Ok(true)),
            "partitions": partitions,
        })
    }

    fn text(&self, settings: &Settings) -> String {
        let (head, part) = (anstyle::Style::new().bold(), anstyle::AnsiColor::Cyan.on_default());
        let records = self.delivered.records();
        let rate = records as f64 / self.took.as_secs_f64().max(1e-3);
        let mut out = format!(
            "{} records to {} in {}, {} a second\n",
            text::grouped(records as i64),
            settings.kafka.topic,
            text::span(self.took.as_millis() as i64),
            text::grouped(rate.round() as i64)
        );
        if self.delivered.partitions.is_empty() {
            return out;
        }
        out.push_str(&format!("\n{head}partition         records      share{head:#}\n"));
        let most = self.delivered.partitions.values().copied().max().unwrap_or(0).max(1);
        for (partition, n) in &self.delivered.partitions {
            let bar = "━".repeat((*n as u128 * 30).div_ceil(u128::from(most)) as usize);
            let (records, share) = (text::grouped(*n as i64), text::share(*n, records));
            out.push_str(&format!("{partition:<9}{records:>16}{share:>11}  {part}{bar}{part:#}\n"));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_is_aligned() {
        let settings = Settings::load(&crate::settings::Given::default()).unwrap();
        let partitions = [(0, 1_000_000), (1, 250_000), (11, 1)].into();
        let delivered = Delivered { partitions, failed: 0, why: None };
        let sent = Sent { delivered, bytes: 5, took: Duration::from_secs(2), ended: Ok(true) };
        let text = anstream::adapter::strip_str(&sent.text(&settings)).to_string();
        assert_eq!(
            text,
            "\
1,250,001 records to sales in 2.0 s, 625,001 a second

partition         records      share
0               1,000,000    80.00 %  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
1                 250,000    20.00 %  ━━━━━━━━
11                      1     0.00 %  ━
"
        );
    }
}

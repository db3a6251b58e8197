//! How many of the things that happen does the detection find, how soon, and how often does it call for nothing?
//!
//! Method: for each seed a shop is generated whose truth is known, with events of every kind and size, hard negatives, late sales,
//! cancellations and repeats, and goes through the program's own pipeline in this process; alerts are judged by the labels as
//! `vitrine score` does it. Nothing is learned before: the engine meets the shop in the warm-up, in which nothing is injected.
//! Seeds are pooled; the rules of growth run on the same streams, and the difference is paired by seed. The `stress` scenario has
//! laws that the detectors do not assume; `--incidents off` asks for false alarms alone.
//!
//! ```text
//! cargo run --release -p experiments --bin detection -- --seeds 1-5 --warm-up 14d --test 7d
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Error, Result, bail};
use clap::Parser;
use experiments::data;
use experiments::measure::cost;
use experiments::protocol::{self, Judged};
use experiments::record::{Options, Source};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use vitrine::generate;
use vitrine::score::Case;
use vitrine::score::interval::bootstrap;
use vitrine::score::report::{Report, Scale};
use vitrine::settings::layer::Flag;
use vitrine::settings::{Given, Settings, value};

/// What all runs share: the windows that are judged, no features, and epochs short enough for sales to be late.
const COMMON: [&str; 4] =
    ["windows=60s/30s", "features.enabled=false", "replay.epoch_bytes=64KiB", "events.write_suppressed=true"];
/// The settings of each kind of rules.
const GROWTH: [&str; 1] = ["events.enabled=true"];
const STATISTICAL: [&str; 4] =
    ["events.enabled=false", "detect.enabled=true", "signals.enabled=true", "time.zone=America/Sao_Paulo"];

#[derive(Parser)]
#[command(about = "Precision, recall and delay of the detection on generated shops")]
struct Arguments {
    /// Seeds, as 1-5 or 3,7,9
    #[arg(long, default_value = "1-3", value_parser = seeds, value_name = "SEEDS")]
    seeds: std::vec::Vec<u64>,
    /// Whose laws the shop follows
    #[arg(long, value_enum, default_value = "protocol")]
    scenario: Scenario,
    /// Time without incidents in which the detectors learn
    #[arg(long, default_value = "14d", value_parser = value::span, value_name = "TIME")]
    warm_up: i64,
    /// Time that is judged
    #[arg(long, default_value = "7d", value_parser = value::span, value_name = "TIME")]
    test: i64,
    /// Which rules
    #[arg(long, value_enum, value_delimiter = ',', default_value = "growth,statistical")]
    rules: Vec<Rules>,
    /// A setting of the product for all rules, SECTION.KEY=VALUE; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    /// Inject nothing: all alerts are false
    #[arg(long)]
    quiet: bool,
    /// Categories
    #[arg(long, default_value_t = 15, value_name = "N")]
    categories: usize,
    /// Sellers
    #[arg(long, default_value_t = 300, value_name = "N")]
    sellers: usize,
    /// Lines a minute
    #[arg(long, default_value_t = 600.0, value_name = "N")]
    rate: f64,
    /// Factor on the slow noise; 2 is twice as much
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    noise: f64,
    /// Strength of the season
    #[arg(long, default_value_t = 1.0, value_name = "X")]
    season: f64,
    /// Variance over mean of line counts
    #[arg(long, default_value_t = 1.5, value_name = "X")]
    clumping: f64,
    /// Exponent of the sellers' shares
    #[arg(long, default_value_t = 1.05, value_name = "X")]
    seller_zipf: f64,
    /// Factor on late sales, cancellations and repeats [default: of the scenario]
    #[arg(long, value_name = "X")]
    disorder: Option<f64>,
    /// False alarms a day over all series that the detectors are allowed
    #[arg(long, default_value_t = 0.6, value_name = "N")]
    budget: f64,
    /// Threads of the engine
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: usize,
    /// Keep labels and rows of each seed in this folder
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    keep: Options,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// The detectors' own family of laws
    Protocol,
    /// Another one
    Stress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Rules {
    /// A window against the one before
    Growth,
    /// Counts against what is expected, and the other detectors
    Statistical,
}

fn seeds(text: &str) -> Result<Vec<u64>, String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|e| format!("{text:?}: {e}"));
    let mut all = vec![];
    for part in text.split(',') {
        match part.split_once('-') {
            Some((first, last)) => all.extend(number(first)?..=number(last)?),
            None => all.push(number(part)?),
        }
    }
    Ok(all)
}

impl Arguments {
    /// The shop of a seed.
    fn shop(&self, seed: u64) -> generate::Settings {
        let mut shop = match self.scenario {
            Scenario::Protocol => generate::Settings::protocol(seed, self.warm_up),
            Scenario::Stress => generate::Settings::stress(seed, self.warm_up),
        };
        shop.span = Some(self.warm_up + self.test);
        (shop.categories, shop.sellers, shop.rate) = (self.categories, self.sellers, self.rate);
        (shop.noise, shop.season, shop.clumping) = (self.noise, self.season, self.clumping);
        shop.seller_zipf = self.seller_zipf;
        shop.disorder = self.disorder.unwrap_or(shop.disorder);
        if self.quiet {
            shop.kinds = vec![];
        }
        shop
    }

    /// The settings of the product under some rules.
    fn settings(&self, rules: Rules, shop: &generate::Settings) -> Result<Settings> {
        let own: &[&str] = match rules {
            Rules::Growth => &GROWTH,
            Rules::Statistical => &STATISTICAL,
        };
        let generate::Foreseen { announced, stock } = generate::foresee(shop)?;
        let calendar = announced.iter().map(|sale| format!("{}/{} {}", sale.start_ts, sale.end_ts, sale.entity_id));
        let mut own: Vec<String> = own.iter().map(|text| (*text).to_owned()).collect();
        if rules == Rules::Statistical {
            own.push(format!("detect.calendar={}", calendar.collect::<Vec<_>>().join(",")));
            let path = data::folder().join(format!("stock-{}.ndjson", shop.seed));
            std::fs::create_dir_all(data::folder()).context("making the folder of the data")?;
            let lines: String = stock.iter().map(|said| said.to_json() + "\n").collect();
            std::fs::write(&path, lines).with_context(|| format!("writing {}", path.display()))?;
            own.extend((!stock.is_empty()).then(|| format!("stock.file={}", path.display())));
        }
        let given = COMMON.iter().map(|text| (*text).to_owned()).chain(own).chain(self.set.clone());
        let flags = given.map(|text| {
            let (path, value) = text.split_once('=').context("write SECTION.KEY=VALUE")?;
            Ok(Flag { name: "--set".into(), path: path.trim().into(), text: value.trim().into() })
        });
        let given = Given { file: None, env: vec![], flags: flags.collect::<Result<_>>()? };
        Settings::load(&given).map_err(Error::msg)
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut results = vec![];
    for &rules in &arguments.rules {
        let mut cases: Vec<Case> = vec![];
        for &seed in &arguments.seeds {
            let shop = arguments.shop(seed);
            let settings = arguments.settings(rules, &shop)?;
            let (cost, judged) = cost(|| protocol::run(&shop, &settings, arguments.workers));
            let judged = judged?;
            if let Some(folder) = &arguments.folder {
                write(&judged, &folder.join(format!("{rules:?}-{seed}").to_lowercase()))?;
            }
            println!("{rules:?}, seed {seed}: {} records, {:.1} CPU s, {:.1} s", judged.records, cost.cpu, cost.wall);
            cases.push(judged.case()?);
        }
        let report = report(&cases, &arguments);
        println!("\n{}", report.text(true));
        results.push((rules, cases, report));
    }
    let pairs = match &results[..] {
        [(_, base, _), rest @ ..] => rest.iter().map(|(rules, cases, _)| paired(*rules, base, cases, &arguments)).collect(),
        [] => bail!("no rules"),
    };
    let first = arguments.shop(arguments.seeds.first().copied().unwrap_or(0));
    let parameters = format!("{first:?}");
    let rules: Vec<Value> = results
        .iter()
        .map(|(rules, _, report)| json!({"rules": format!("{rules:?}").to_lowercase(), "report": report}))
        .collect();
    arguments.keep.keep_of(
        Source::generated(&parameters),
        json!({
            "generator": generate::VERSION, "seeds": arguments.seeds, "scenario": format!("{:?}", arguments.scenario).to_lowercase(),
            "warm_up_ms": arguments.warm_up, "test_ms": arguments.test, "first_shop": parameters, "settings": arguments.set,
            "common": COMMON, "results": rules, "paired": Value::Array(pairs),
        }),
    )
}

fn report(cases: &[Case], arguments: &Arguments) -> Report {
    Report::new(cases, Scale { budget_per_day: arguments.budget, series: None, threshold: None })
}

/// How much better than the first rules these are, paired by seed: the mean difference with its bootstrap interval, and the sign
/// test.
fn paired(rules: Rules, base: &[Case], cases: &[Case], arguments: &Arguments) -> Value {
    let f1 = |case: &Case| report(std::slice::from_ref(case), arguments).before.f1.unwrap_or(0.0);
    let differences: Vec<f64> = base.iter().zip(cases).map(|(base, case)| f1(case) - f1(base)).collect();
    let mean = |drawn: &[usize]| Some(drawn.iter().map(|&i| differences[i]).sum::<f64>() / drawn.len().max(1) as f64);
    let all: Vec<usize> = (0..differences.len()).collect();
    let interval = bootstrap(differences.len(), mean);
    let (better, worse) = (differences.iter().filter(|d| **d > 0.0).count(), differences.iter().filter(|d| **d < 0.0).count());
    let p = sign_test(better.max(worse), better + worse);
    println!(
        "{rules:?} against {:?}: F1 by {:.3} {interval:?}, better in {better} seeds, worse in {worse}, p = {p:.3}",
        arguments.rules[0],
        mean(&all).unwrap_or(0.0)
    );
    json!({"rules": format!("{rules:?}").to_lowercase(), "f1_difference": mean(&all), "interval": interval,
        "better": better, "worse": worse, "sign_test_p": p})
}

/// Both-sided probability of at least so many equal signs by chance.
fn sign_test(most: usize, all: usize) -> f64 {
    let mut ways = 1.0;
    let mut tail = 0.0;
    for k in (most..=all).rev() {
        tail += ways;
        ways *= k as f64 / (all - k + 1) as f64;
    }
    (2.0 * tail / 2f64.powi(all as i32)).min(1.0)
}

fn write(judged: &Judged, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let [events, episodes, suppressed] = &judged.rows;
    for (name, text) in [("labels", &judged.labels), ("events", events), ("episodes", episodes), ("suppressed", suppressed)] {
        let path = folder.join(format!("{name}.ndjson"));
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

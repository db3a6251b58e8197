//! Which wrong prices does the price detector find among the real prices of a shop, and what else does it raise?
//!
//! Method: sales of UCI "Online Retail" in their order; a seeded share of them has its price times 0.1 or times 10, and stays in
//! the history of its product, as it would. Each sale is scored with what was sold before its minute: the distance of ln p to the
//! second nearest of the product's own last 60 prices, below five of them how far it lies outside the category's quantiles. Recall
//! and precision at both thresholds, and the average precision over all scores (ties as one step), of the first half of
//! the sales (development) and of the second (judgement), for each seed and together. What the real data holds of odd prices
//! (manual entries, postage, fees) counts as false.
//!
//! ```text
//! cargo run --release -p experiments --bin price_errors -- ../shared/data/uci_online_retail.csv.gz --permille 1 --seeds 1,2,3 --record price_errors
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Result, ensure};
use clap::Parser;
use dataflows::detect::price_anomaly::{CategoryPrices, DAYS, Verdict, judge};
use dataflows::feature::price::{OWN_SPAN, PriceHistory, ln4};
use dataflows::sale::{Op, Sale};
use experiments::record::Options;
use experiments::retail;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_64_with_seed;

#[derive(Parser)]
#[command(about = "Wrong prices among real ones")]
struct Arguments {
    /// uci_online_retail.csv.gz
    file: PathBuf,
    /// Wrong prices in a thousand
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    permille: f64,
    /// Seeds
    #[arg(long, default_values_t = [1, 2, 3, 4, 5], value_delimiter = ',', value_name = "S")]
    seeds: Vec<u64>,
    #[command(flatten)]
    keep: Options,
}

/// A sale as it was judged: score in 1e-4 of a logarithm, and whether its price is wrong.
type Scored = (i32, bool);

const DAY: i64 = 86_400_000;
const PANE: i64 = 30_000;

/// Scores all sales, with wrong prices from `seed`.
fn score(sales: &[Sale], permille: f64, seed: u64) -> Vec<Scored> {
    let mut histories: HashMap<u32, PriceHistory> = HashMap::new();
    let (mut category, mut own, mut scored) = (CategoryPrices::default(), vec![], vec![]);
    let mut n = 0u64;
    for minute in sales.chunk_by(|a, b| a.at == b.at) {
        let at = minute[0].at;
        let (pane, day) = ((at / PANE) as u32 + 1, (at / DAY) as u32);
        category.forget(day.saturating_sub(DAYS), pane);
        let mut paid = vec![];
        for sale in minute {
            n += 1;
            let draw = xxh3_64_with_seed(&n.to_le_bytes(), seed);
            let wrong = (draw >> 32) as f64 / 4_294_967_296.0 < permille / 1000.0;
            let price = match (wrong, draw & 1) {
                (false, _) => sale.price,
                (true, 0) => (sale.price / 10).max(1),
                (true, _) => sale.price.saturating_mul(10).min(5_000_000),
            };
            paid.push((sale.product, ln4(price), wrong));
        }
        for (product, ln, wrong) in &paid {
            let history = histories.entry(*product).or_default();
            // The sale by itself: what else was sold in its minute vouches for nothing.
            history.add(i64::from(pane), *ln, 1);
            let verdict = judge(history, i64::from(pane) - OWN_SPAN / PANE, (pane, pane), &mut own);
            history.add(i64::from(pane), *ln, -1);
            let distance = match verdict {
                Verdict::Quiet => 0,
                Verdict::Own(far) => far.distance,
                Verdict::Unsettled(paid) => {
                    category.usual(pane).and_then(|usual| usual.judge(&paid)).map_or(0, |far| far.distance)
                }
            };
            scored.push((distance, *wrong));
        }
        for (product, ln, _) in paid {
            let history = histories.entry(product).or_default();
            history.add(i64::from(pane), ln, 1);
            history.forget(i64::from(pane) - OWN_SPAN / PANE, i64::from(pane));
            category.add(day, pane, ln, 1);
        }
    }
    scored
}

/// Recall and precision from a score on.
fn at(scored: &[Scored], least: i32) -> Value {
    let wrong = scored.iter().filter(|s| s.1).count();
    let raised = scored.iter().filter(|s| s.0 >= least).count();
    let right = scored.iter().filter(|s| s.1 && s.0 >= least).count();
    json!({ "wrong": wrong, "raised": raised, "recall": right as f64 / wrong as f64, "precision": right as f64 / raised.max(1) as f64 })
}

/// Mean precision over the wrong prices, in the order of falling scores; equal scores are one step.
fn average_precision(scored: &[Scored]) -> f64 {
    let mut scored = scored.to_vec();
    scored.sort_unstable_by_key(|s| std::cmp::Reverse(s.0));
    let (mut seen, mut right, mut sum) = (0, 0, 0.0);
    for step in scored.chunk_by(|a, b| a.0 == b.0) {
        let hits = step.iter().filter(|s| s.1).count();
        seen += step.len();
        right += hits;
        sum += hits as f64 * right as f64 / seen as f64;
    }
    sum / right as f64
}

fn report(scored: &[Scored]) -> Value {
    json!({
        "sales": scored.len(),
        "average_precision": average_precision(scored),
        "warn_0.5": at(scored, 5_000),
        "alert_1.2": at(scored, 12_000),
    })
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut sales = retail::sales(&arguments.file)?;
    sales.retain(|sale| sale.op == Op::Sale);
    sales.sort_by_key(|sale| sale.at);
    ensure!(!sales.is_empty() && !arguments.seeds.is_empty(), "no sales, or no seeds");
    let (mut all, mut by_seed) = ([vec![], vec![]], vec![]);
    for seed in &arguments.seeds {
        let scored = score(&sales, arguments.permille, *seed);
        let (first, second) = scored.split_at(scored.len() / 2);
        by_seed.push(json!({ "seed": seed, "first_half": report(first), "second_half": report(second) }));
        all[0].extend_from_slice(first);
        all[1].extend_from_slice(second);
    }
    let result = json!({
        "permille": arguments.permille, "first_half": report(&all[0]), "second_half": report(&all[1]), "seeds": by_seed,
    });
    println!("{}", serde_json::to_string_pretty(&result)?);
    arguments.keep.keep(&arguments.file, result)
}

//! What does a sale cost when it comes from a backlog in Kafka instead of from a file?
//!
//! Method: the same sales lie in a file and in a topic of 6 partitions on a broker of this machine, which the program starts.
//! `vitrine replay` and `vitrine run --until-caught-up` go over them alternately, both writing all tables to files, one worker
//! each. Medians of processor seconds are compared: of the whole process, and without the threads of the Kafka client.
//! The processor time of the broker is not counted.
//!
//! ```text
//! cargo build --release && cargo run --release -p experiments --bin backlog -- --record backlog
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::Result;
use clap::Parser;
use experiments::data::Data;
use experiments::measure::median;
use experiments::program::{Broker, Spent, said, spent};
use experiments::record::Options;
use serde_json::json;
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Processor time of a sale from Kafka against one from a file")]
struct Arguments {
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 3, value_name = "N")]
    reps: usize,
    /// Threads
    #[arg(long, default_value_t = 1, value_name = "N")]
    workers: usize,
    /// Rows go to Kafka, too, in transactions
    #[arg(long)]
    sink: bool,
    /// Folder for what is made [default: experiments in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    keep: Options,
}

fn main() -> Result<()> {
    let args = Arguments::parse();
    let folder = args.folder.clone().unwrap_or_else(experiments::data::folder);
    let file = args.data.file(&folder)?;
    let path = |name: &str| folder.join(name).display().to_string();
    let broker = Broker::start(&folder.join("kafka"))?;
    let sent = said(&["produce", &file.display().to_string(), "--brokers", &broker.address, "--json"])?;
    println!("{} records in the topic", sent["records"]);

    let workers = args.workers.to_string();
    let (out, state, sink) = (path("out"), path("state"), format!("sinks.kafka={}", args.sink));
    let clean = || {
        for dir in [&out, &state] {
            let _ = std::fs::remove_dir_all(dir); // it may not be there
        }
    };
    let (mut files, mut topics): (Vec<Spent>, Vec<Spent>) = (vec![], vec![]);
    for _ in 0..args.reps {
        clean();
        files.push(spent(&["replay", &file.display().to_string(), "--out", &out, "-w", &workers, "-q"])?);
        clean();
        let run = ["run", "--brokers", &broker.address, "--state", &state, "--out", &out, "--until-caught-up", "-q"];
        topics.push(spent(&[&run[..], &["-w", &workers, "--set", &sink, "--set", "http.listen=off"]].concat())?);
        let (a, b) = (files[files.len() - 1], topics[topics.len() - 1]);
        println!(
            "file {:.2} s cpu, {:.2} s; Kafka {:.2} s cpu, {:.2} s of it the client, {:.2} s",
            a.cpu, a.wall, b.cpu, b.client, b.wall
        );
    }
    clean();
    let of = |runs: &[Spent], what: fn(&Spent) -> f64| median(runs.iter().map(what));
    let (file_cpu, cpu) = (of(&files, |s| s.cpu), of(&topics, |s| s.cpu));
    let own = of(&topics, |s| s.cpu - s.client);
    let million = args.data.sales as f64 / 1e6;
    let result = json!({
        "records": sent["records"],
        "workers": args.workers,
        "sink": args.sink,
        "file_cpu_s": file_cpu,
        "kafka_cpu_s": cpu,
        "kafka_cpu_without_client_s": own,
        "ratio": cpu / file_cpu,
        "ratio_without_client": own / file_cpu,
        "million_sales_per_cpu_s": million / cpu,
        "wall_s": of(&topics, |s| s.wall),
    });
    println!("{result:#}");
    args.keep.keep(&file, result)
}

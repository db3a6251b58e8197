//! What do more workers and more processes bring on the same file, and what do they cost?
//!
//! Method: `vitrine replay` of the same file, with the settings that the product has, into files; 1 to 8 workers in one process, then 1 to
//! 3 processes of one worker each, connected by loopback; all shapes in turn, several times, medians. Measured is the program as a
//! person runs it, from its start to the end of the last process: the seconds by the clock on the wall, which say
//! something only up to the number of cores and where nothing else runs, and the CPU seconds of all processes. All shapes must
//! write the same rows: they are compared by their certificate. What the machine itself allows is told by as many programs as it has
//! cores, each with the whole file and without a word to the others: memory and caches are shared by them too.
//!
//! ```text
//! cargo build --release && cargo run --release -p experiments --bin scaling
//! ```

#![expect(clippy::print_stdout, reason = "the result of a measurement goes to stdout")]

use anyhow::{Context, Result, ensure};
use clap::Parser;
use experiments::data::{self, Data};
use experiments::measure::median;
use experiments::program::{Spent, together};
use experiments::record::{Machine, Options};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

#[derive(Parser)]
#[command(about = "Wall time and CPU seconds against workers and processes")]
struct Arguments {
    /// Up to so many workers in one process
    #[arg(long, default_value_t = 8, value_name = "N")]
    workers: usize,
    /// Up to so many processes of one worker
    #[arg(long, default_value_t = 3, value_name = "N")]
    processes: usize,
    /// Runs of each; the median counts
    #[arg(long, default_value_t = 3, value_name = "N")]
    reps: usize,
    /// Folder for what is made [default: experiments in the target folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    keep: Options,
}

/// So many processes of so many workers each, which share the work.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    processes: usize,
    workers: usize,
}

/// One process of one worker.
const ONE: Shape = Shape { processes: 1, workers: 1 };

fn main() -> Result<()> {
    let a = Arguments::parse();
    let folder = a.folder.clone().unwrap_or_else(data::folder);
    let file = a.data.file(&folder)?;
    let alone = (1..=a.workers).map(|workers| Shape { processes: 1, workers });
    let shapes: Vec<Shape> = alone.chain((2..=a.processes).map(|processes| Shape { processes, workers: 1 })).collect();
    let mut spent: Vec<Vec<Spent>> = vec![vec![]; shapes.len()];
    let (cores, mut apart) = (Machine::this().cores, vec![]);
    let mut certificate = None;
    for _ in 0..a.reps {
        for (shape, spent) in shapes.iter().zip(&mut spent) {
            let (cost, said) = run(*shape, &file, &folder)?;
            ensure!(*certificate.get_or_insert_with(|| said.clone()) == said, "the rows differ: certificate {said}");
            println!("{} x {}: {:.2} CPU s, {:.2} s", shape.processes, shape.workers, cost.cpu, cost.wall);
            spent.push(cost);
        }
        apart.push(strangers(cores, &file, &folder)?);
    }
    let sales = a.data.sales as f64;
    let of = |spent: &[Spent], what: fn(&Spent) -> f64| median(spent.iter().map(what));
    let (cpu, wall) = (of(&spent[0], |s| s.cpu), of(&spent[0], |s| s.wall));
    println!("{cores} cores; {sales:.0} sales; certificate {}", certificate.unwrap_or_default());
    println!("processes workers   CPU s  times   wall s  times faster  M sales/s");
    let mut runs: Vec<Value> = vec![];
    for (shape, spent) in shapes.iter().zip(&spent) {
        let (c, w) = (of(spent, |s| s.cpu), of(spent, |s| s.wall));
        let Shape { processes, workers } = *shape;
        println!("{processes:>9} {workers:>7} {c:>7.2} {:>6.2} {w:>8.2} {:>13.2} {:>10.2}", c / cpu, wall / w, sales / w / 1e6);
        let all = |what: fn(&Spent) -> f64| spent.iter().map(what).collect::<Vec<_>>();
        runs.push(json!({
            "processes": processes, "workers": workers, "cpu_s": all(|s| s.cpu), "wall_s": all(|s| s.wall),
            "median_cpu_s": c, "median_wall_s": w, "cpu_times": c / cpu, "times_faster": wall / w,
        }));
    }
    let (c, w) = (of(&apart, |s| s.cpu) / cores as f64, of(&apart, |s| s.wall));
    let ceiling = cores as f64 * wall / w;
    println!("{cores} programs apart: {:.2} times the CPU seconds each, {ceiling:.2} times the sales of one", c / cpu);
    let Data { sales, minutes, late, cancelled, customers, .. } = a.data;
    a.keep.keep(
        &file,
        json!({
            "sales": sales, "minutes": minutes, "late_percent": late, "cancelled_percent": cancelled, "customers": customers,
            "runs": runs, "apart": {"programs": cores, "cpu_times": c / cpu, "times_faster": ceiling},
        }),
    )
}

/// What a shape costs, and the certificate of its rows.
fn run(shape: Shape, file: &Path, folder: &Path) -> Result<(Spent, String)> {
    let (out, hosts) = (folder.join("scaling-out"), folder.join("scaling-hosts"));
    // All are held until all are known, so that no two are the same.
    let free: Vec<TcpListener> = (0..shape.processes).map(|_| TcpListener::bind("localhost:0")).collect::<Result<_, _>>()?;
    let ports = free.iter().map(|port| Ok(format!("localhost:{}\n", port.local_addr()?.port()))).collect::<Result<String>>()?;
    drop(free);
    std::fs::write(&hosts, ports)?;
    let spent = together(&(0..shape.processes).map(|i| shape.process(i, file, &out, Some(&hosts))).collect::<Vec<_>>())?;
    let summary: Value = serde_json::from_slice(&std::fs::read(out.join("summary.json"))?)?;
    let certificate = summary["certificate"].as_str().context("summary.json has no certificate")?.to_owned();
    std::fs::remove_dir_all(&out)?;
    std::fs::remove_file(&hosts)?;
    Ok((spent, certificate))
}

/// So many programs at once, each for itself and with the whole file.
fn strangers(programs: usize, file: &Path, folder: &Path) -> Result<Spent> {
    let outs: Vec<PathBuf> = (0..programs).map(|i| folder.join(format!("scaling-out-{i}"))).collect();
    let spent = together(&outs.iter().map(|out| ONE.process(0, file, out, None)).collect::<Vec<_>>())?;
    outs.iter().try_for_each(std::fs::remove_dir_all)?;
    Ok(spent)
}

impl Shape {
    /// The arguments of one of its processes.
    fn process(self, process: usize, file: &Path, out: &Path, hosts: Option<&Path>) -> Vec<String> {
        let text = |path: &Path| path.display().to_string();
        let (workers, processes, process) = (self.workers.to_string(), self.processes.to_string(), process.to_string());
        let (file, out, hosts) = (text(file), text(out), hosts.map(text));
        let args = ["replay", &file, "--out", &out, "--force", "-q", "-w", &workers, "-n", &processes, "-p", &process];
        let hosts = hosts.iter().flat_map(|hosts| ["--hostfile", hosts]);
        args.into_iter().chain(hosts).map(String::from).collect()
    }
}

//! The flags that all computing commands share: how many threads, which process of how many.

use super::Failure;
use crate::fault::Kill;
use clap::Args;
use dataflows::fault::Faults;
use std::path::PathBuf;

/// Address of the first process when no hostfile is given; the others follow by port.
const FIRST_PORT: u16 = 2101;

/// How the work is spread.
#[derive(Debug, Args)]
#[command(next_help_heading = "Workers")]
pub struct Compute {
    /// Threads in this process
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    workers: usize,
    /// Processes; start each with the same arguments and its own -p
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = at_least_one)]
    processes: usize,
    /// Which of the processes this one is, from 0; process 0 writes the results
    #[arg(short, long, value_name = "I", default_value_t = 0)]
    process: usize,
    /// A line HOST:PORT for each process [default: localhost, ports from 2101]
    #[arg(long, value_name = "FILE")]
    hostfile: Option<PathBuf>,
    /// For the tests of this project: `lose=N`, `delay=MICROSECONDS` or `kill=POINT:N`
    #[arg(long, hide = true, value_parser = fault)]
    fault: Vec<Fault>,
}

#[derive(Clone, Debug)]
enum Fault {
    Lose(u64),
    Delay(u64),
    Kill(Kill),
}

fn fault(text: &str) -> Result<Fault, String> {
    let (what, n) = text.split_once('=').ok_or("write lose=N, delay=MICROSECONDS or kill=POINT:N")?;
    let number = || n.parse().map_err(|e| format!("{n}: {e}"));
    match what {
        "lose" => number().map(Fault::Lose),
        "delay" => number().map(Fault::Delay),
        "kill" => n.parse().map(Fault::Kill),
        _ => Err(format!("no fault is called {what}")),
    }
}

/// The most threads or processes that make sense; beyond it a number is a typing error.
const MOST: usize = 1_024;

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MOST).contains(&n) => Ok(n),
        _ => Err(format!("write a number from 1 to {MOST}")),
    }
}

/// Where the work runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Threads in each process.
    pub workers: usize,
    /// This process.
    pub process: usize,
    /// `HOST:PORT` of each process, by index; one process has none.
    pub addresses: Vec<String>,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// Where this process dies on purpose.
    pub kill: Kill,
}

impl Cluster {
    /// Whether this process writes the results and talks to the person.
    pub fn speaks(&self) -> bool {
        self.process == 0
    }
}

impl Compute {
    /// Checks the flags against each other and reads the hostfile.
    ///
    /// # Errors
    /// When they contradict each other, or the hostfile cannot be read or is too short.
    pub fn resolve(&self) -> Result<Cluster, Failure> {
        let (n, p) = (self.processes, self.process);
        if p >= n {
            let message = format!("-p {p} is none of the {n} processes: they are counted from 0 to {}", n - 1);
            return Err(Failure::Usage(message));
        }
        let addresses = match &self.hostfile {
            _ if n == 1 => vec![],
            None => (0..n).map(|i| format!("localhost:{}", usize::from(FIRST_PORT) + i)).collect(),
            Some(path) => {
                let cannot = |e| Failure::Io(format!("cannot read the hostfile {}: {e}", path.display()));
                let text = std::fs::read_to_string(path).map_err(cannot)?;
                hosts(&text, n).map_err(|e| Failure::Usage(format!("hostfile {}: {e}", path.display())))?
            }
        };
        let (mut faults, mut kill) = (Faults::default(), Kill::default());
        for fault in &self.fault {
            match fault {
                Fault::Lose(n) => faults.lose = Some(*n),
                Fault::Delay(n) => faults.delay = *n,
                Fault::Kill(at) => kill = at.clone(),
            }
        }
        Ok(Cluster { workers: self.workers, process: p, addresses, faults, kill })
    }
}

fn hosts(text: &str, n: usize) -> Result<Vec<String>, String> {
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let mut addresses = vec![];
    for (i, line) in lines.take(n) {
        let good = line.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !good {
            return Err(format!("line {}: {line:?} is not HOST:PORT", i + 1));
        }
        addresses.push(line.to_owned());
    }
    if addresses.len() < n {
        return Err(format!("{} addresses for {n} processes; each needs a line HOST:PORT", addresses.len()));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        compute: Compute,
    }

    fn resolve(args: &[&str]) -> Result<Cluster, String> {
        let only = Only::try_parse_from([&["x"], args].concat()).map_err(|e| e.to_string())?;
        only.compute.resolve().map_err(|e| e.to_string())
    }

    #[test]
    fn one_process_needs_no_address() {
        let (addresses, faults, kill) = (vec![], Faults::default(), Kill::default());
        assert_eq!(resolve(&["-w", "4"]), Ok(Cluster { workers: 4, process: 0, addresses, faults, kill }));
    }

    #[test]
    fn several_processes_find_each_other() {
        let cluster = resolve(&["-n", "2", "-p", "1"]).unwrap();
        assert_eq!((cluster.process, cluster.addresses), (1, vec!["localhost:2101".to_owned(), "localhost:2102".to_owned()]));
        assert_eq!(hosts("# ours\n a:1 \n\n[::1]:2\nc:3\n", 2), Ok(vec!["a:1".to_owned(), "[::1]:2".to_owned()]));
    }

    #[test]
    fn contradictions_are_told() {
        assert_eq!(
            resolve(&["-n", "2", "-p", "2"]).unwrap_err(),
            "-p 2 is none of the 2 processes: they are counted from 0 to 1"
        );
        assert!(resolve(&["-w", "0"]).unwrap_err().contains("write a number from 1 to 1024"));
        assert!(resolve(&["-n", "2", "--hostfile", "/nowhere"]).unwrap_err().starts_with("cannot read the hostfile /nowhere: "));
        assert_eq!(hosts("a:1\n", 2), Err("1 addresses for 2 processes; each needs a line HOST:PORT".into()));
        assert_eq!(hosts("a:1\nb\n", 2), Err("line 2: \"b\" is not HOST:PORT".into()));
    }
}

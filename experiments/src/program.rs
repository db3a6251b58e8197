//! The program itself, run as a person runs it, with what it costs: its processor time, and in it that of the Kafka client's own
//! threads.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often threads are looked at while the program runs.
const LOOK: Duration = Duration::from_millis(20);

/// Where `vitrine` is: beside this program.
///
/// # Errors
/// When it was not built.
pub fn vitrine() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("vitrine");
    ensure!(path.is_file(), "{} is not there: build it with `cargo build --release`", path.display());
    Ok(path)
}

/// `vitrine ARGS`.
///
/// # Errors
/// When it was not built.
pub fn command(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(vitrine()?);
    command.args(args).env_remove("VITRINE_CONFIG").stdin(Stdio::null());
    Ok(command)
}

/// What `vitrine ARGS` says on stdout, as JSON.
///
/// # Errors
/// When it does not end well.
pub fn said(args: &[&str]) -> Result<Value> {
    let output = command(args)?.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "vitrine {} ended with {}", args.join(" "), output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("vitrine {} said no JSON", args.join(" ")))
}

/// What a run of the program cost, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent {
    /// Processor time of all threads.
    pub cpu: f64,
    /// Of it, that of the Kafka client's threads, as seen last before each ended.
    pub client: f64,
    /// By the clock on the wall.
    pub wall: f64,
}

/// Runs `vitrine ARGS` to its end.
///
/// # Errors
/// When it does not end well.
pub fn spent(args: &[&str]) -> Result<Spent> {
    let (before, began) = (of_children()?, Instant::now());
    let mut child = command(args)?.stdout(Stdio::null()).spawn()?;
    let mut threads = BTreeMap::new();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        client_threads(&child, &mut threads);
        std::thread::sleep(LOOK);
    };
    ensure!(status.success(), "vitrine {} ended with {status}", args.join(" "));
    Ok(Spent { cpu: of_children()? - before, client: threads.values().sum(), wall: began.elapsed().as_secs_f64() })
}

/// Runs `vitrine ARGS` for each of these, side by side, to the end of all. The client's threads are not told apart.
///
/// # Errors
/// When one of them does not end well.
pub fn together(all: &[Vec<String>]) -> Result<Spent> {
    let (before, began) = (of_children()?, Instant::now());
    let start = |args: &Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Ok(Ended(command(&args)?.stdout(Stdio::null()).spawn()?))
    };
    let mut children = all.iter().map(start).collect::<Result<Vec<Ended>>>()?;
    for (child, args) in children.iter_mut().zip(all) {
        let status = child.0.wait()?;
        ensure!(status.success(), "vitrine {} ended with {status}", args.join(" "));
    }
    Ok(Spent { cpu: of_children()? - before, client: 0.0, wall: began.elapsed().as_secs_f64() })
}

/// Processor seconds of all children that have ended.
fn of_children() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    seconds(&stat, 13, 14).context("/proc/self/stat is not as Linux writes it")
}

/// Processor seconds of a process that is still running.
///
/// # Errors
/// When there is no such process.
pub fn of(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    seconds(&stat, 11, 12).context("/proc/PID/stat is not as Linux writes it")
}

/// The sum of two fields of a `stat` file, counted behind the name.
fn seconds(stat: &str, a: usize, b: usize) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = fields.get(a)?.parse::<f64>().ok()? + fields.get(b)?.parse::<f64>().ok()?;
    // The unit of these files is a hundredth of a second on every Linux that this runs on.
    Some(ticks / 100.0)
}

/// Looks at the processor time of the client's threads: their names begin with `rdk:`.
fn client_threads(child: &Child, seen: &mut BTreeMap<String, f64>) {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", child.id())) else { return };
    for task in tasks.flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        if stat.contains(" (rdk:")
            && let Some(seconds) = seconds(&stat, 11, 12)
        {
            seen.insert(task.file_name().to_string_lossy().into_owned(), seconds);
        }
    }
}

/// Resident memory of a process in bytes; 0 where it cannot be read.
pub fn resident(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// A child that is ended when it is let go.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may have ended
        let _ = self.0.wait();
    }
}

/// A broker for the time of a measurement.
pub struct Broker {
    dir: PathBuf,
    /// `HOST:PORT`.
    pub address: String,
}

impl Broker {
    /// Starts one in this folder, on a free port.
    ///
    /// # Errors
    /// When there is no Kafka to be had.
    pub fn start(dir: &Path) -> Result<Broker> {
        let path = dir.to_string_lossy();
        let up = said(&["kafka", "up", "--dir", &path, "--port", "0", "--json"])?;
        let Some(address) = up["address"].as_str() else { bail!("`vitrine kafka up` says no address") };
        Ok(Broker { dir: dir.to_path_buf(), address: address.to_owned() })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // A broker that stays is no reason to lose a measurement.
        let _ = said(&["kafka", "down", "--dir", &self.dir.to_string_lossy(), "--delete", "--json"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_known() {
        assert!(resident(std::process::id()) > 0);
    }

    #[test]
    fn a_stat_file_is_read_behind_the_name() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 3 20 0 8";
        assert_eq!(seconds(stat, 11, 12), Some(3.0));
        assert_eq!(seconds(stat, 13, 14), Some(0.1));
        assert_eq!(seconds("nonsense", 1, 2), None);
    }
}

//! Where a measurement comes from: without the command, the commit, the machine and the data, a number says nothing.
//!
//! Each program that measures takes [`Options`]. `--record NAME` writes `experiments/results/DATE-NAME.json`, `--json FILE` appends
//! the same as one line. The commit is that of the working tree when the program runs; `cargo run` has just built it.

use anyhow::{Context, Result};
use dataflows::row::text;
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use xxhash_rust::xxh3::Xxh3;

/// Where the result is kept.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Result")]
pub struct Options {
    /// Write the result to experiments/results/DATE-NAME.json
    #[arg(long, value_name = "NAME")]
    pub record: Option<String>,
    /// Append the result as a line of JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// A measurement and where it comes from.
#[derive(Debug, Serialize)]
pub struct Record {
    /// As it was typed, the program without its folder.
    pub command: String,
    /// The commit of the working tree; `unknown` where git does not say.
    pub commit: String,
    /// Whether the working tree differed from it, results aside; yes when git does not say.
    pub dirty: bool,
    /// What it ran on.
    pub machine: Machine,
    /// When it ended, UTC.
    pub date: String,
    /// What went in.
    pub data: Source,
    /// What came out.
    pub result: Value,
}

/// What a measurement ran on.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Operating system and architecture.
    pub system: String,
}

/// A file of input.
#[derive(Debug, Serialize)]
pub struct Source {
    /// Its name without its folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// 128-bit xxh3 of its bytes.
    pub xxh3: String,
}

impl Options {
    /// Keeps a result where it was asked for, if it was.
    ///
    /// # Errors
    /// When the data cannot be read again, or the result cannot be written.
    pub fn keep(&self, data: &Path, result: Value) -> Result<()> {
        if self.record.is_none() && self.json.is_none() {
            return Ok(());
        }
        self.keep_of(Source::of(data)?, result)
    }

    /// The same for data that has no file.
    ///
    /// # Errors
    /// When the result cannot be written.
    pub fn keep_of(&self, data: Source, result: Value) -> Result<()> {
        if self.record.is_none() && self.json.is_none() {
            return Ok(());
        }
        let record = Record::new(data, result);
        if let Some(path) = &self.json {
            let mut file = File::options().create(true).append(true).open(path).with_context(|| told("writing", path))?;
            writeln!(file, "{}", serde_json::to_string(&record)?)?;
        }
        if let Some(name) = &self.record {
            let day = record.date.split('T').next().unwrap_or_default();
            let path = root().join("experiments/results").join(format!("{day}-{name}.json"));
            let text = serde_json::to_string_pretty(&record)?;
            std::fs::write(&path, text + "\n").with_context(|| told("writing", &path))?;
        }
        Ok(())
    }
}

impl Record {
    /// Of a result that this process has measured just now.
    pub fn new(data: Source, result: Value) -> Record {
        // Results of earlier runs change nothing of this one.
        let status = git(&["status", "--porcelain", "--", ".", ":!experiments/results"]);
        Record {
            command: command(std::env::args()),
            commit: git(&["rev-parse", "HEAD"]).unwrap_or("unknown".into()),
            dirty: status.is_none_or(|changes| !changes.is_empty()),
            machine: Machine::this(),
            date: now(),
            data,
            result,
        }
    }
}

impl Machine {
    /// This one.
    pub fn this() -> Machine {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let memory = field(&read("/proc/meminfo"), "MemTotal").and_then(|v| v.split(' ').next()?.parse::<u64>().ok());
        Machine {
            cpu: field(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory.unwrap_or(0) * 1024,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

impl Source {
    /// Data that was made in memory, from these parameters.
    pub fn generated(parameters: &str) -> Source {
        let hash = xxhash_rust::xxh3::xxh3_128(parameters.as_bytes());
        Source { file: format!("generated: {parameters}"), bytes: 0, xxh3: format!("{hash:032x}") }
    }

    /// A file, which is read once more.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(path: &Path) -> Result<Source> {
        let mut file = File::open(path).with_context(|| told("reading", path))?;
        let (mut hash, mut bytes, mut buffer) = (Xxh3::new(), 0, vec![0; 1 << 20]);
        loop {
            let n = file.read(&mut buffer).with_context(|| told("reading", path))?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
            bytes += n as u64;
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Source { file: name.to_string_lossy().into(), bytes, xxh3: format!("{:032x}", hash.digest128()) })
    }
}

fn told(what: &str, path: &Path) -> String {
    format!("{what} {}", path.display())
}

/// The root of the project.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root()).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// The value of `name : value`, the first one.
fn field(text: &str, name: &str) -> Option<String> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(n, _)| n.trim() == name).map(|(_, value)| value.trim().to_string())
}

fn command(arguments: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = arguments.collect();
    if let Some(program) = words.first_mut() {
        *program = Path::new(program.as_str()).file_name().map_or(program.clone(), |n| n.to_string_lossy().into());
    }
    let quoted = words.into_iter().map(|w| if w.is_empty() || w.contains(char::is_whitespace) { format!("'{w}'") } else { w });
    quoted.collect::<Vec<_>>().join(" ")
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut out = vec![];
    text::time(since.as_millis() as i64, &mut out);
    String::from_utf8_lossy(&out).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Every field is there and says something, in a line as in a file.
    #[test]
    fn a_record_has_all_its_fields() {
        let folder = tempfile::tempdir().unwrap();
        let (data, lines) = (folder.path().join("sales.ndjson"), folder.path().join("results.ndjson"));
        std::fs::write(&data, "one\ntwo\n").unwrap();
        let options = Options { record: None, json: Some(lines.clone()) };
        options.keep(&data, json!({"ratio": 1.5})).unwrap();
        options.keep(&data, json!({"ratio": 1.6})).unwrap();
        let text = std::fs::read_to_string(lines).unwrap();
        let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(all.iter().map(|r| r["result"]["ratio"].as_f64().unwrap()).collect::<Vec<_>>(), [1.5, 1.6]);
        let r = &all[0];
        let keys: Vec<&String> = r.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["command", "commit", "data", "date", "dirty", "machine", "result"]);
        for (part, field) in [("", "command"), ("", "commit"), ("", "date"), ("machine", "cpu"), ("machine", "system")] {
            let text = if part.is_empty() { &r[field] } else { &r[part][field] };
            assert!(text.as_str().is_some_and(|t| !t.is_empty()), "{part} {field}: {text}");
        }
        assert!(r["dirty"].is_boolean());
        assert!(r["machine"]["cores"].as_u64().unwrap() > 0 && r["machine"]["memory_bytes"].as_u64().unwrap() > 1 << 20);
        assert!(r["date"].as_str().unwrap().starts_with("20") && r["date"].as_str().unwrap().ends_with('Z'));
        let hash = format!("{:032x}", xxhash_rust::xxh3::xxh3_128(b"one\ntwo\n"));
        assert_eq!(r["data"], json!({"file": "sales.ndjson", "bytes": 8, "xxh3": hash}));
    }

    #[test]
    fn nothing_is_kept_that_nobody_asked_for() {
        Options::default().keep(Path::new("no such file"), json!({})).unwrap();
    }

    #[test]
    fn a_command_can_be_typed_again() {
        let words = ["/a/target/release/throughput", "--job", "r4", "--json", "my file"].map(String::from);
        assert_eq!(command(words.into_iter()), "throughput --job r4 --json 'my file'");
    }

    #[test]
    fn fields_of_proc() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nmodel name\t: other\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Some CPU @ 2.0GHz"));
        assert_eq!(field(text, "no"), None);
    }
}

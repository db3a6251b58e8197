//! `checkpoint list`, `checkpoint inspect`.

use super::{Failure, print};
use crate::checkpoint::manifest::{self, Manifest};
use crate::console::text;
use crate::error::Error;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Show the checkpoints of a state directory
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:\n  vitrine checkpoint list --state state\n  vitrine checkpoint inspect --state state")]
pub struct Checkpoint {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One line for each complete checkpoint, the newest first
    #[command(after_help = "Example:\n  vitrine checkpoint list --state state --json")]
    List(Place),
    /// All that is known of one of them, the newest unless an epoch is given
    #[command(after_help = "Example:\n  vitrine checkpoint inspect 1840 --state state")]
    Inspect {
        /// The last epoch of the checkpoint
        epoch: Option<u64>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
struct Place {
    /// The state directory of `run`
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Checkpoint {
    /// Runs it.
    ///
    /// # Errors
    /// When the directory cannot be read or holds no such checkpoint.
    pub fn run(&self) -> Result<(), Failure> {
        match &self.command {
            Command::List(place) => {
                let all = manifest::list(&place.state)?;
                if place.json {
                    let all: Vec<Value> = all.iter().map(brief).collect();
                    return print(&format!("{:#}\n", Value::from(all)));
                }
                print(&if all.is_empty() { format!("no checkpoint in {}\n", place.state.display()) } else { table(&all) })
            }
            Command::Inspect { epoch, place } => {
                let all = manifest::list(&place.state)?;
                let found = all.into_iter().find(|manifest| epoch.is_none_or(|epoch| manifest.cut.epoch == epoch));
                let missing = || {
                    let which = epoch.map_or("no complete checkpoint".into(), |epoch| format!("no checkpoint {epoch}"));
                    Error::Input(format!("there is {which} in {}: see `vitrine checkpoint list`", place.state.display()))
                };
                let manifest = found.ok_or_else(missing)?;
                if place.json {
                    let value = serde_json::to_value(&manifest).map_err(|e| Error::Bug(e.to_string()))?;
                    return print(&format!("{value:#}\n"));
                }
                print(&details(&manifest))
            }
        }
    }
}

fn brief(manifest: &Manifest) -> Value {
    json!({
        "epoch": manifest.cut.epoch,
        "event_time": text::clock(manifest.event_time, true),
        "made_at": text::clock(manifest.made_at, true),
        "workers": manifest.workers,
        "bytes": manifest.bytes(),
        "journal_bytes": manifest.journal_bytes(),
    })
}

fn table(all: &[Manifest]) -> String {
    let mut out = format!(
        "{:>12}  {:<19}  {:<19}  {:>7}  {:>14}  {:>14}\n",
        "epoch", "event time", "made at", "workers", "bytes", "journal"
    );
    for m in all {
        let size = |bytes: u64| text::grouped(i64::try_from(bytes).unwrap_or(i64::MAX));
        let (event, made) = (text::clock(m.event_time, true), text::clock(m.made_at, true));
        let (bytes, journal) = (size(m.bytes()), size(m.journal_bytes()));
        out += &format!("{:>12}  {event:<19}  {made:<19}  {:>7}  {bytes:>14}  {journal:>14}\n", m.cut.epoch, m.workers);
    }
    out
}

fn details(m: &Manifest) -> String {
    let size = |bytes: u64| text::grouped(i64::try_from(bytes).unwrap_or(i64::MAX));
    let mut out = format!("checkpoint behind epoch {}\n", m.cut.epoch);
    let mut line = |name: &str, value: String| out += &format!("  {name:<20}{value}\n");
    line("event time", text::clock(m.event_time, true));
    line("made at", format!("{}, by {}", text::clock(m.made_at, true), m.engine));
    line("workers", m.workers.to_string());
    line("parts", format!("{} bytes in {} files", size(m.bytes()), m.parts.len()));
    line("journal", format!("{} bytes in {} segments", size(m.journal_bytes()), m.segments.len()));
    line("last binding", m.binding.clone());
    out += "made under\n";
    for (name, value) in &m.fingerprint.0 {
        out += &format!("  {name:<20}{value}\n");
    }
    out
}

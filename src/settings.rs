//! The settings: what was typed in flags, environment and `vitrine.toml`, laid over the defaults, and resolved once.
//!
//! [`layer`] merges and remembers where each value was written; [`raw`] and [`value`] are the types of the file; the private
//! `resolve` turns them into [`Settings`], which cannot be invalid. Nothing here is global, and nothing reads the environment:
//! `main` passes it in, so that tests pass their own.

pub mod layer;
pub mod raw;
pub mod value;
pub mod http;
pub mod kafka;
pub mod secret;
pub mod sinks;
mod detect;
mod resolve;
mod shop;

use crate::generate;
use dataflows::plan::{Plan, Spec};
use dataflows::schema::Schema;
use kafka::Kafka;
use layer::{Effective, Flag};
use sinks::Sinks;
use std::fmt;
use std::path::PathBuf;

/// What was given, before anything is read.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The settings file.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Settings given by flags.
    pub flags: Vec<Flag>,
}

/// How inputs keep pace with each other and with the wall clock; milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// A `sale_date` so far ahead of the broker's timestamp is rejected.
    pub max_future: i64,
    /// A `sale_date` so far ahead of its input's largest needs confirmation.
    pub max_jump: i64,
    /// An input so far ahead of the least one sits out.
    pub max_drift: i64,
    /// A partition at its end for so long is idle.
    pub idle_timeout: i64,
    /// Whether the wall clock moves the watermark when all partitions are idle.
    pub advance_when_idle: bool,
}

/// Resolved settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is computed, in milliseconds.
    pub spec: Spec,
    /// What is computed, in ticks.
    pub plan: Plan,
    /// How records become sales.
    pub schema: Schema,
    /// How inputs keep pace.
    pub clock: Clock,
    /// The file that says what is in stock; empty without one.
    pub stock: String,
    /// Bytes in an epoch of a file.
    pub epoch_bytes: u64,
    /// Where the brokers are, and what is there.
    pub kafka: Kafka,
    /// Health and metrics.
    pub http: http::Http,
    /// Between two checkpoints, milliseconds.
    pub checkpoint_every: i64,
    /// Where the rows of a run go.
    pub sinks: Sinks,
    /// What `generate` writes.
    pub generate: generate::Settings,
    /// The shop of `demo`: a livelier one, but for what is set.
    pub demo: generate::Settings,
    /// The settings as text, with where each came from.
    pub effective: Effective,
}

impl Settings {
    /// Reads, merges and resolves.
    ///
    /// # Errors
    /// In words, with file and line, variable or flag, and the nearest key that exists.
    pub fn load(given: &Given) -> Result<Settings, Error> {
        Settings::resolve(Effective::load(given.file.as_deref(), &given.env, &given.flags)?)
    }
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File and line, variable or flag.
    pub place: String,
    /// What, and what would be right.
    pub message: String,
}

impl Problem {
    fn new(place: impl fmt::Display, message: String) -> Problem {
        Problem { place: place.to_string(), message }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings file {}: {source}", path.display())]
    Unreadable {
        /// As it was named.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in the settings is wrong.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.place, p.message)).collect();
    lines.join("\n")
}

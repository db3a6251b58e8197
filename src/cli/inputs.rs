//! What `replay` and `features` read: files, or the messages of a live run once more.

use super::Failure;
use super::compute::Cluster;
use super::run;
use crate::cache::Caches;
use crate::engine::Job;
use crate::settings::Settings;
use crate::settings::layer::Flag;
use crate::source::Input;
use clap::{Args, ValueEnum};
use dataflows::clock;
#[cfg(feature = "kafka")]
use std::path::PathBuf;

/// The flags.
#[derive(Debug, Args)]
pub struct InputArgs {
    /// Files of sales (.ndjson, .jsonl, .csv, each also .gz or .zst), or - for standard input
    #[arg(required_unless_present = "kafka", value_name = "INPUT")]
    inputs: Vec<String>,
    /// Repeat a live run from its topic and its recorded bindings, to the byte
    #[cfg(feature = "kafka")]
    #[arg(long, requires = "bindings", conflicts_with_all = ["inputs", "format"])]
    kafka: bool,
    /// The state directory of that run
    #[cfg(feature = "kafka")]
    #[arg(long, value_name = "STATE_DIR", requires = "kafka")]
    bindings: Option<PathBuf>,
    #[cfg(feature = "kafka")]
    #[command(flatten)]
    topic: super::live::TopicArgs,
    /// How the inputs are written, when their names do not say it
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// One JSON object a line
    Ndjson,
    /// CSV with a header
    Csv,
}

impl InputArgs {
    /// As settings.
    pub fn flags(&self) -> impl Iterator<Item = Flag> {
        #[cfg(feature = "kafka")]
        let flags = self.topic.flags();
        #[cfg(not(feature = "kafka"))]
        let flags = std::iter::empty();
        flags
    }

    /// What is to be repeated, and how many bytes that is.
    ///
    /// # Errors
    /// When an input cannot be read.
    pub fn job(&self, settings: &Settings, cluster: &Cluster, caches: Option<&Caches>) -> Result<(Job, Option<u64>), Failure> {
        #[cfg(feature = "kafka")]
        if let Some(state) = &self.bindings {
            super::live::without_file(settings)?;
            let policy = super::live::replayed(state, cluster)?;
            return Ok((super::live::job(settings, cluster, super::live::topic(settings)?, policy, None), None));
        }
        if self.inputs.iter().filter(|name| *name == "-").count() > 1 {
            return Err(Failure::Usage("standard input (-) can be read only once".into()));
        }
        let format = self.format.map(|format| match format {
            Format::Ndjson => clock::Format::Json,
            Format::Csv => clock::Format::Csv,
        });
        let inputs = self.inputs.iter().map(|name| Input::open_with(name, format, caches));
        let mut inputs: Vec<Input> = inputs.collect::<Result<_, _>>()?;
        if !settings.stock.is_empty() {
            inputs.push(Input::stock(&settings.stock)?);
        }
        let total: Option<u64> = inputs.iter().map(|input| input.size).sum();
        Ok((run::job(settings, cluster, inputs, settings.epoch_bytes), total))
    }
}

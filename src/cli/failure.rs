//! Why a command stopped, by what the person has to do about it.

use crate::{error, settings, sink};
use std::path::PathBuf;

/// What ends a command before its end. The exit codes are those of the contract.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong usage that clap has already explained.
    #[error("")]
    Shown,
    /// A check failed, and what was printed says which.
    #[error("")]
    Failed,
    /// A process that this one started has said why it ended, with this exit code.
    #[error("")]
    Said(u8),
    /// Wrong usage.
    #[error("{0}")]
    Usage(String),
    /// Ctrl-C or SIGTERM came before the end.
    #[error("stopped before the end of the input")]
    Stopped,
    /// A run ended before it had written all of its results.
    #[error("{why}; the rows so far stay in {} as *.partial", dir.display())]
    Unfinished {
        /// What ended it.
        why: Box<Failure>,
        /// Where the results would have been.
        dir: PathBuf,
    },
    /// Something besides the run itself cannot be read or written.
    #[error("{0}")]
    Io(String),
    /// A service that is needed does not answer.
    #[error("{0}")]
    Away(String),
    /// The settings are wrong.
    #[error("{0}")]
    Settings(#[from] settings::Error),
    /// The result folder.
    #[error("{0}")]
    Files(#[from] sink::files::Error),
    /// The run failed.
    #[error("{0}")]
    Run(#[from] error::Error),
}

impl Failure {
    /// The exit code. A run that was stopped ends as shells expect of an interrupted program.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Failed => 1,
            Failure::Said(code) => *code,
            Failure::Shown | Failure::Usage(_) => 2,
            Failure::Away(_) => 69,
            Failure::Io(_) | Failure::Files(_) => 74,
            Failure::Settings(_) => 78,
            Failure::Run(error) => error.exit_code(),
            Failure::Stopped => 130,
            Failure::Unfinished { why, .. } => why.code(),
        }
    }

    /// What stderr says, in the manner of clap; `None` when it has been said.
    pub fn line(&self) -> Option<String> {
        let styles = clap::builder::Styles::styled();
        let error = styles.get_error();
        let text = self.to_string();
        let lines: Vec<String> = text.lines().map(|line| format!("{error}error:{error:#} {line}")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

//! Why a command stopped, by what the person has to do about it.

use crate::settings;

/// Each variant is one exit code of the contract.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong usage that clap has already explained.
    #[error("")]
    Shown,
    /// Wrong usage.
    #[error("{0}")]
    Usage(String),
    /// Another process or a service is away.
    #[error("{0}")]
    Unavailable(String),
    /// Our own mistake.
    #[error("this is a bug in vitrine, please report it: {0}")]
    Bug(String),
    /// Input or output failed.
    #[error("{0}")]
    Io(String),
    /// The settings are wrong.
    #[error("{0}")]
    Settings(#[from] settings::Error),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Shown | Failure::Usage(_) => 2,
            Failure::Unavailable(_) => 69,
            Failure::Bug(_) => 70,
            Failure::Io(_) => 74,
            Failure::Settings(_) => 78,
        }
    }

    /// What stderr says, in the manner of clap; `None` when it has been said.
    pub fn line(&self) -> Option<String> {
        let red = clap::builder::Styles::styled();
        let error = red.get_error();
        let prefix = format!("{error}error:{error:#} ");
        let text = self.to_string();
        let lines: Vec<String> = text.lines().map(|line| format!("{prefix}{line}")).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

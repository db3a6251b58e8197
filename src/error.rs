//! Why a run failed, by what the person has to do about it.

use thiserror::Error;

/// A run that failed. One line each, which says what to do.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// Settings or arguments that do not fit together.
    #[error("{0}")]
    Settings(String),
    /// An input cannot be read.
    #[error("{0}")]
    Input(String),
    /// Rows cannot be written.
    #[error("{0}")]
    Output(String),
    /// Another process of the cluster, or an address, is not there for us.
    #[error("{0}")]
    Unavailable(String),
    /// Our own mistake.
    #[error("this is a bug in vitrine, please report it: {0}")]
    Bug(String),
}

/// Whose business an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Settings and arguments.
    Settings,
    /// Files, disks, other processes.
    External,
    /// This program.
    Bug,
}

impl Error {
    /// Whose business it is.
    pub fn domain(&self) -> Domain {
        match self {
            Error::Settings(_) => Domain::Settings,
            Error::Input(_) | Error::Output(_) | Error::Unavailable(_) => Domain::External,
            Error::Bug(_) => Domain::Bug,
        }
    }

    /// Whether the same command may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Error::Unavailable(_))
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Unavailable(_) => 69,
            Error::Bug(_) => 70,
            Error::Input(_) | Error::Output(_) => 74,
            Error::Settings(_) => 78,
        }
    }
}

impl From<dataflows::clock::Failure> for Error {
    fn from(failure: dataflows::clock::Failure) -> Error {
        match failure {
            dataflows::clock::Failure::Input(problem) => Error::Input(problem),
            dataflows::clock::Failure::Output(problem) => Error::Output(problem),
            dataflows::clock::Failure::Unavailable(problem) => Error::Unavailable(problem),
        }
    }
}

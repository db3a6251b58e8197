//! The log: to stderr, by level, without breaking a progress bar or live view that is on the screen.
//!
//! error = data lost or an invariant broken, warn = a surprise that was dealt with, info = lifecycle, debug and trace = per
//! batch, never per record. Spans say what a line belongs to: `epoch`, `checkpoint`, `transaction`.

use crate::console::screen::Screen;
use tracing_subscriber::EnvFilter;

/// The least level that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(tracing::Level);

impl Level {
    /// From `-q` and the number of `-v`; warnings without either.
    pub fn new(quiet: bool, verbose: u8) -> Level {
        Level(match (quiet, verbose) {
            (true, _) => tracing::Level::ERROR,
            (false, 0) => tracing::Level::WARN,
            (false, 1) => tracing::Level::INFO,
            (false, 2) => tracing::Level::DEBUG,
            (false, _) => tracing::Level::TRACE,
        })
    }

    /// The directives of a filter: our own crates at this level, other people's from warnings on.
    fn directives(self) -> String {
        let others = self.0.min(tracing::Level::WARN);
        format!("{others},vitrine={0},dataflows={0}", self.0)
    }
}

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line, for programs.
    Json,
}

/// Starts the log. `filter` is `RUST_LOG` and goes before the level when it can be read.
pub fn init(level: Level, format: Format, filter: Option<&str>, screen: &Screen) {
    let (filter, wrong) = match filter.map(EnvFilter::try_new) {
        Some(Ok(filter)) => (filter, None),
        Some(Err(e)) => (EnvFilter::new(level.directives()), Some(e)),
        None => (EnvFilter::new(level.directives()), None),
    };
    let screen = screen.clone();
    let colour = screen.colour();
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(move || screen.clone());
    // A second start in one process (tests) keeps the first log.
    let started = match format {
        Format::Text => subscriber.with_ansi(colour).try_init(),
        Format::Json => subscriber.json().with_ansi(false).try_init(),
    };
    if started.is_ok()
        && let Some(e) = wrong
    {
        tracing::warn!("RUST_LOG is not understood and ignored: {e}");
    }
}

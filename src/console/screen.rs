//! stderr, shared by the log and by whatever is drawn on it.

use indicatif::MultiProgress;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A handle to stderr. A log line steps in front of the progress bar and tells the live view that its place has moved.
#[derive(Clone, Default)]
pub struct Screen {
    bars: MultiProgress,
    interrupted: Arc<AtomicBool>,
}

impl Screen {
    /// The bars that are drawn on it.
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Whether a line was written since this was last asked.
    pub fn interrupted(&self) -> bool {
        self.interrupted.swap(false, Ordering::Relaxed)
    }

    /// Whether stderr shows colours: a terminal, and `NO_COLOR` is not set.
    pub fn colour(&self) -> bool {
        std::io::stderr().is_terminal() && anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
    }
}

impl Write for Screen {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.interrupted.store(true, Ordering::Relaxed);
        self.bars.suspend(|| std::io::stderr().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

//! How a run that goes on is shown: as JSON lines, as a live view on a terminal, as plain lines elsewhere, or not at all.

use super::run::Summary;
use super::{Failure, Session, World};
use crate::console::live::{Live, PlainSink};
use crate::console::view::{Pulse, View};
use crate::engine::{Sink, Stop};
use crate::settings::Settings;
use crate::sink::lines::{Lines, Stdout};
use std::io::IsTerminal;

/// One of these ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All rows as JSON lines.
    Json,
    /// Drawn on a terminal.
    Live,
    /// Plain lines.
    Plain,
    /// Nothing.
    Quiet,
}

/// The view, while there is one.
pub struct Watched(Option<Live>);

impl Watched {
    /// Draws the last frame.
    pub fn finish(self) {
        if let Some(live) = self.0 {
            live.finish();
        }
    }
}

impl Shown {
    /// What the flags ask for, and what stdout can do.
    pub fn new(json: bool, session: &Session, world: &World) -> Shown {
        match () {
            () if json => Shown::Json,
            () if session.quiet => Shown::Quiet,
            () if std::io::stdout().is_terminal() && world.var("TERM") != Some("dumb") => Shown::Live,
            () => Shown::Plain,
        }
    }

    /// Starts to show. The sink is to be handed the rows; a reader of stdout that has seen enough asks for the stop.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        self,
        view: View,
        session: &Session,
        settings: &Settings,
        stop: Stop,
        pulse: impl Fn() -> Pulse + Send + 'static,
    ) -> Result<(Watched, Option<Sink>), Failure> {
        let out = Stdout::new(stop);
        Ok(match self {
            Shown::Json => (Watched(None), Some(Box::new(Lines::new(out)))),
            Shown::Plain => (Watched(None), Some(Box::new(PlainSink::new(settings.plan.clone(), out)))),
            Shown::Quiet => (Watched(None), None),
            Shown::Live => {
                let cannot = |e| Failure::Io(format!("cannot start the live view: {e}"));
                let live = Live::start(view, session.screen.clone(), pulse).map_err(cannot)?;
                let sink: Sink = Box::new(live.sink());
                (Watched(Some(live)), Some(sink))
            }
        })
    }

    /// What is printed in the end.
    pub fn closing(self, summary: &Summary, table: impl FnOnce() -> String) -> String {
        match self {
            Shown::Json => summary.line(),
            Shown::Quiet => String::new(),
            Shown::Live | Shown::Plain => "\n".to_owned() + &table(),
        }
    }
}

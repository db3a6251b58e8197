//! Shows a run while it goes: the live view on a terminal, plain lines elsewhere.
//!
//! A thread of its own redraws, so that a view on a slow terminal does not slow the engine down. A frame is one write: up over
//! the last frame, each line cleared to its end, then what is left below. The cursor always rests below the frame, so that
//! stopping at any moment leaves the terminal in order.

use super::draw::draw;
use super::plain;
use super::screen::Screen;
use super::view::{Pulse, View};
use dataflows::edge::{Marks, RowSink, TickRows};
use dataflows::plan::Plan;
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(100);

type Out = Box<dyn Write + Send>;

/// A running view.
pub struct Live {
    view: Arc<Mutex<View>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Starts to draw `view` on stdout. `pulse` is asked how far the run is, once a frame.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(view: View, screen: Screen, pulse: impl Fn() -> Pulse + Send + 'static) -> std::io::Result<Live> {
        let view = Arc::new(Mutex::new(view));
        let (stop, stopped) = mpsc::channel::<()>();
        let (shared, began) = (view.clone(), Instant::now());
        let thread = std::thread::Builder::new().name("console".into()).spawn(move || {
            let colour = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
            let mut painter = Painter { out: Box::new(std::io::stdout()), colour, drawn: 0, size: (0, 0) };
            loop {
                let ended = stopped.recv_timeout(FRAME) != Err(RecvTimeoutError::Timeout);
                let mut view = shared.lock().unwrap_or_else(PoisonError::into_inner);
                view.pulse(began.elapsed(), pulse());
                let drawn = painter.frame(&view, screen.interrupted());
                // A terminal that has gone away ends the view, not the run.
                if ended || drawn.is_err() {
                    return;
                }
            }
        })?;
        Ok(Live { view, stop: Some(stop), thread: Some(thread) })
    }

    /// Takes in rows.
    pub fn sink(&self) -> LiveSink {
        LiveSink(self.view.clone())
    }

    /// Draws the last frame.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

/// Hands rows to the view.
pub struct LiveSink(Arc<Mutex<View>>);

impl RowSink for LiveSink {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tick(rows);
        Ok(())
    }
    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }
}

/// Writes plain lines.
pub struct PlainSink<W> {
    plan: Plan,
    out: W,
}

impl<W: Write> PlainSink<W> {
    /// Of the first definition of `plan`, onto `out`.
    pub fn new(plan: Plan, out: W) -> PlainSink<W> {
        PlainSink { plan, out }
    }
}

impl<W: Write> RowSink for PlainSink<W> {
    fn tick(&mut self, rows: &TickRows) -> Result<(), String> {
        let lines = plain::lines(rows, &self.plan);
        let written = self.out.write_all(lines.as_bytes()).and_then(|()| self.out.flush());
        written.map_err(|e| format!("cannot write to stdout: {e}"))
    }
    fn save(&mut self, _into: &mut Marks) -> Result<(), String> {
        Ok(())
    }
    fn resume(&mut self, _from: &Marks) -> Result<(), String> {
        Ok(())
    }
}

struct Painter {
    out: Out,
    colour: bool,
    drawn: usize,
    size: (usize, usize),
}

impl Painter {
    fn frame(&mut self, view: &View, interrupted: bool) -> std::io::Result<()> {
        let size = terminal_size::terminal_size().map_or((80, 24), |(w, h)| (usize::from(w.0), usize::from(h.0)));
        let frame = self.text(view, size, interrupted);
        self.out.write_all(frame.as_bytes())?;
        self.out.flush()
    }

    fn text(&mut self, view: &View, size: (usize, usize), interrupted: bool) -> String {
        let mut frame = String::from("\x1b[?2026h");
        if interrupted {
            self.drawn = 0;
        }
        if self.size != size && self.drawn > 0 {
            // The terminal has wrapped the old frame in its own way: start on a clean page.
            frame.push_str("\x1b[2J\x1b[H");
            self.drawn = 0;
        }
        if self.drawn > 0 {
            frame.push_str(&format!("\x1b[{}A\r", self.drawn));
        }
        // One row stays free for the cursor; the last column too, where terminals differ about wrapping.
        let lines = draw(view, size.0.saturating_sub(1), size.1.saturating_sub(1));
        for line in &lines {
            frame.push_str(&line.paint(size.0.saturating_sub(1), self.colour));
            frame.push_str("\x1b[K\n");
        }
        frame.push_str("\x1b[J\x1b[?2026l");
        (self.drawn, self.size) = (lines.len(), size);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::plan::Spec;

    #[test]
    fn a_frame_is_drawn_over_the_last_one() {
        let plan = Plan::new(&Spec::default()).unwrap();
        let view = View::new("demo", &plan, None);
        let mut painter = Painter { out: Box::new(std::io::sink()), colour: false, drawn: 0, size: (0, 0) };
        let first = painter.text(&view, (80, 24), false);
        assert!(first.starts_with("\x1b[?2026hdemo "), "{first:?}");
        let lines = first.matches('\n').count();
        let second = painter.text(&view, (80, 24), false);
        assert!(second.starts_with(&format!("\x1b[?2026h\x1b[{lines}A\rdemo ")), "{second:?}");
        // A log line came between: the next frame goes below it.
        assert!(painter.text(&view, (80, 24), true).starts_with("\x1b[?2026hdemo "));
        // Another size: a clean page.
        assert!(painter.text(&view, (60, 24), false).starts_with("\x1b[?2026h\x1b[2J\x1b[Hdemo "));
        // A small terminal is never scrolled.
        assert!(painter.text(&view, (60, 5), false).matches('\n').count() <= 4);
    }
}

//! The progress bar of a replay: bytes, rate and time left, on stderr, on a terminal only.

use super::screen::Screen;
use super::text;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

/// Time between two looks at the run.
const LOOK: Duration = Duration::from_millis(100);

/// How far a replay is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Bytes of the inputs that were taken in.
    pub bytes: u64,
    /// Records that were taken in.
    pub records: u64,
}

/// A bar that follows a run until it is dropped.
pub struct Progress {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Starts it. Without a total (standard input) it shows what was read instead of what is left.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(screen: &Screen, total: Option<u64>, done: impl Fn() -> Done + Send + 'static) -> std::io::Result<Progress> {
        let template = match total {
            Some(_) => "{bar:30.cyan/dim} {percent:>3} %  {bytes} of {total_bytes}  {bytes_per_sec}  {msg}  {eta} left",
            None => "{spinner:.cyan} {bytes}  {bytes_per_sec}  {msg}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are valid");
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(style.progress_chars("━╸─"));
        let bar = screen.bars().add(bar);
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let done = done();
                bar.set_position(done.bytes);
                let rate = done.records as f64 / bar.elapsed().as_secs_f64().max(1e-3);
                bar.set_message(format!("{} sales/s", text::grouped(rate as i64)));
            }
            bar.finish_and_clear();
        })?;
        Ok(Progress { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported where it happened.
            let _ = thread.join();
        }
    }
}

//! Sales that this program makes, at the pace at which they would arrive.

use dataflows::clock::{Pull, Pulled};
use std::time::{Duration, Instant};

/// A line of JSON without its end, and its time of arrival in milliseconds from any origin.
pub type Line = (i64, Vec<u8>);

/// Bytes handed over in one go.
const CHUNK: usize = 1 << 16;

/// Lines that come when they are due.
pub struct Generated {
    lines: Box<dyn Iterator<Item = Line> + Send>,
    next: Option<Line>,
    speed: Option<f64>,
    /// When the first line came, and its time of arrival.
    start: Option<(Instant, i64)>,
    /// Until when a wake-up is promised: asked twice, it must not be promised twice.
    promised: Option<Instant>,
    consumed: u64,
}

impl Generated {
    /// Lines at `speed` times their own pace, or as fast as they are taken.
    pub fn new(lines: impl Iterator<Item = Line> + Send + 'static, speed: Option<f64>) -> Generated {
        Generated { lines: Box::new(lines), next: None, speed, start: None, promised: None, consumed: 0 }
    }

    /// How long until a line that arrives at `at` is due.
    fn wait(&mut self, at: i64) -> Duration {
        let Some(speed) = self.speed else { return Duration::ZERO };
        let (start, first) = *self.start.get_or_insert_with(|| (Instant::now(), at));
        let due = Duration::from_secs_f64((at - first).max(0) as f64 / 1_000.0 / speed);
        due.saturating_sub(start.elapsed())
    }
}

impl Pull for Generated {
    fn pull(&mut self, into: &mut Vec<u8>) -> Result<Pulled, String> {
        let had = into.len();
        while into.len() - had < CHUNK {
            let Some((at, line)) = self.next.take().or_else(|| self.lines.next()) else {
                if into.len() == had {
                    return Ok(Pulled::End);
                }
                break;
            };
            let wait = self.wait(at);
            if !wait.is_zero() {
                self.next = Some((at, line));
                if into.len() > had {
                    break;
                }
                let now = Instant::now();
                if self.promised.is_some_and(|until| now < until) {
                    return Ok(Pulled::Woken);
                }
                self.promised = Some(now + wait);
                return Ok(Pulled::Later(wait));
            }
            into.extend_from_slice(&line);
            into.push(b'\n');
        }
        self.consumed += (into.len() - had) as u64;
        Ok(Pulled::Some)
    }
    fn consumed(&self) -> u64 {
        self.consumed
    }
}

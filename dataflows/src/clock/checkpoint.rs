//! When a checkpoint is cut, and when all workers have made their part of it durable. Plain state, beside the clock.

use crate::snapshot::Kept;

/// How often a checkpoint is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After so many epochs.
    Epochs(u64),
    /// After so many milliseconds of the wall clock, for live inputs.
    Millis(i64),
}

/// The checkpoints of a run. One is written at a time.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    every: Every,
    workers: usize,
    /// Epoch and wall clock of the last cut; of the first binding before there is one.
    last: Option<(u64, Option<i64>)>,
    /// The epoch of the checkpoint that is being written, and the parts that are durable.
    writing: Option<(u64, Vec<Kept>)>,
    /// Whether one was cut since the run is about to stop.
    hurry: Option<bool>,
}

impl Checkpoints {
    /// None cut yet.
    pub fn new(every: Every, workers: usize) -> Checkpoints {
        Checkpoints { every, workers, last: None, writing: None, hurry: None }
    }

    /// Whether the binding of `epoch`, which moves the watermark, is to be followed by a cut; if so, one has begun.
    pub fn begin(&mut self, epoch: u64, wall: Option<i64>) -> bool {
        let (cut, at) = *self.last.get_or_insert((epoch, wall));
        let due = self.hurry == Some(false)
            || match self.every {
                Every::Epochs(n) => epoch >= cut.saturating_add(n),
                Every::Millis(n) => at.zip(wall).is_some_and(|(at, now)| now >= at.saturating_add(n)),
            };
        if !due || self.writing.is_some() {
            return false;
        }
        self.hurry = self.hurry.map(|_| true);
        self.last = Some((epoch, wall));
        self.writing = Some((epoch, vec![]));
        true
    }

    /// The run is about to stop: the next checkpoint is due at once.
    pub fn hurry(&mut self) {
        self.hurry.get_or_insert(false);
    }

    /// Whether a checkpoint was cut since there was a hurry.
    pub fn hurried(&self) -> bool {
        self.hurry == Some(true)
    }

    /// Whether a checkpoint is being written.
    pub fn writing(&self) -> bool {
        self.writing.is_some()
    }

    /// A part is durable. Gives all of them, by worker, with the last one.
    pub fn kept(&mut self, kept: Kept) -> Option<Vec<Kept>> {
        let (_, parts) = self.writing.as_mut().filter(|(epoch, _)| *epoch == kept.epoch)?;
        parts.push(kept);
        if parts.len() < self.workers {
            return None;
        }
        let (_, mut parts) = self.writing.take()?;
        parts.sort_by_key(|part| part.worker);
        Some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(epoch: u64, worker: u64) -> Kept {
        Kept { epoch, worker, said: String::new() }
    }

    #[test]
    fn one_checkpoint_is_written_at_a_time() {
        let mut all = Checkpoints::new(Every::Epochs(3), 2);
        let cut: Vec<u64> = (5..10).filter(|epoch| all.begin(*epoch, None)).collect();
        assert_eq!(cut, [8], "three epochs after the first binding, and then the first one is still being written");
        assert_eq!(all.kept(kept(7, 0)), None, "of a run before");
        assert_eq!(all.kept(kept(8, 1)), None);
        assert_eq!(all.kept(kept(8, 0)), Some(vec![kept(8, 0), kept(8, 1)]));
        assert!(!all.writing());
        assert!(!all.begin(10, None) && all.begin(11, None));
    }

    #[test]
    fn never_is_never() {
        let mut all = Checkpoints::new(Every::Epochs(u64::MAX), 1);
        assert!((5..10).all(|epoch| !all.begin(epoch, None)));
    }

    #[test]
    fn a_run_that_is_about_to_stop_cuts_one_more() {
        let mut all = Checkpoints::new(Every::Millis(1_000_000), 1);
        assert!(!all.begin(1, Some(5)));
        all.hurry();
        assert!(!all.hurried() && all.begin(2, Some(6)) && all.hurried());
        assert!(all.kept(kept(2, 0)).is_some());
        all.hurry();
        assert!(!all.begin(3, Some(7)) && all.hurried());
    }

    #[test]
    fn without_a_wall_clock_nothing_is_due_by_it() {
        let mut all = Checkpoints::new(Every::Millis(100), 1);
        assert!(!all.begin(1, None) && !all.begin(2, None));
        let mut all = Checkpoints::new(Every::Millis(100), 1);
        let cut: Vec<i64> =
            (0..30).map(|k| 1_000 + k * 40).filter(|now| all.begin(0, Some(*now)) && all.kept(kept(0, 0)).is_some()).collect();
        assert_eq!(cut[..3], [1_120, 1_240, 1_360]);
    }
}

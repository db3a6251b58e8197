//! Faults that tests inject, to see that the proofs notice them: a record that gets lost, workers that drift apart.

/// What goes wrong on purpose. Nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// This sale, counted from 0 over those that worker 0 folds, gets lost.
    pub lose: Option<u64>,
    /// Operators on pair times now and then sleep for up to this many microseconds.
    pub delay: u64,
}

impl Faults {
    /// Naps of one operator on one worker.
    pub fn naps(&self, operator: usize, worker: usize) -> Naps {
        Naps { most: self.delay, state: (operator as u64) << 20 ^ (worker as u64) << 8 ^ 0x9E37_79B9_7F4A_7C15 }
    }
}

/// Sleeps now and then. Where and for how long differs by operator and worker, so that workers drift apart.
#[derive(Clone, Debug)]
pub struct Naps {
    most: u64,
    state: u64,
}

impl Naps {
    /// Perhaps sleeps.
    #[inline]
    pub fn nap(&mut self) {
        if self.most > 0 {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if self.state >> 62 == 0 {
                std::thread::sleep(std::time::Duration::from_micros((self.state >> 33) % self.most));
            }
        }
    }
}

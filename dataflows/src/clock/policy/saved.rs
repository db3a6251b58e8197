//! The clock in a checkpoint.

use super::{Clock, Input, Rules};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a checkpoint must hold of the clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The next epoch.
    pub epoch: u64,
    /// The watermark tick.
    pub watermark: u32,
    /// The first watermark tick of the run.
    pub first_watermark: u32,
    turn: usize,
    inputs: Vec<SavedInput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SavedInput {
    input: u32,
    bound: u64,
    largest: Option<i64>,
    ended: bool,
}

impl Saved {
    /// By input: what begins before this offset counts already.
    pub fn bounds(&self) -> impl Iterator<Item = (u32, u64)> {
        self.inputs.iter().map(|input| (input.input, input.bound))
    }
}

impl Clock {
    /// A clock that goes on from where another one stood.
    pub fn resume(plan: Arc<Plan>, rules: Rules, saved: &Saved) -> Clock {
        let mut clock = Clock::new(plan, rules, saved.inputs.len());
        for (input, saved) in clock.inputs.iter_mut().zip(&saved.inputs) {
            (input.id, input.bound, input.jump.largest, input.ended) = (saved.input, saved.bound, saved.largest, saved.ended);
            input.asked = saved.bound;
        }
        (clock.turn, clock.epoch) = (saved.turn, saved.epoch);
        (clock.watermark, clock.first_watermark) = (saved.watermark, saved.first_watermark);
        clock
    }

    /// What a checkpoint must hold: right after the binding that asks for it.
    pub fn save(&self) -> Saved {
        let input = |i: &Input| SavedInput { input: i.id, bound: i.bound, largest: i.jump.largest, ended: i.ended };
        Saved {
            epoch: self.epoch,
            watermark: self.watermark,
            first_watermark: self.first_watermark,
            turn: self.turn,
            inputs: self.inputs.iter().map(input).collect(),
        }
    }
}

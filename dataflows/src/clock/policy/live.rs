//! Live inputs: whatever has come is bound, which is the engine's only live decision.
//!
//! 1. Inputs are found while the run goes on. They count from the binding on that adds them, with the offset at which they
//!    begin, so that a replay needs nothing but the bindings.
//! 2. An input counts until it has stood at its end for the idle timeout. When all do, the wall clock may move the watermark, so
//!    that an outage is seen; it stands in the binding. Before the first sale there is nothing that could have gone out.
//! 3. All that was reported of an input goes into one epoch: what is behind is read in large epochs, what is caught up in small
//!    ones, without a setting.
//! 4. Epochs keep a distance, since each has its price. The one with the sale that closes a window comes at once: somebody waits
//!    for it.

use super::{Binding, Bound, Clock, Found, Input, Live, Order, Policy, Reached, Settled};

/// How many milliseconds a run that is asked to stop waits for the watermark to move.
const LINGER: i64 = 2_000;

impl Clock {
    /// Inputs exist. Of those that are known only the goal is news.
    pub(super) fn found(&mut self, found: Vec<Found>) {
        for found in found {
            match self.input(found.input) {
                Some(input) => input.until = found.until,
                None => drop(self.found.entry(found.input).or_insert(found)),
            }
        }
    }

    /// Whether all is bound that stood in the inputs when the run began, and it shall end then.
    pub(super) fn caught_up(&self) -> bool {
        let Policy::Live(Live { until_caught_up: true, .. }) = self.rules.policy else { return false };
        !self.inputs.is_empty() && self.inputs.iter().all(|i| i.until.is_none_or(|until| i.bound >= until))
    }

    /// Whether bindings are made now, and not repeated.
    pub fn decides(&self) -> bool {
        !matches!(self.rules.policy, Policy::Recorded { .. })
    }

    /// After how many milliseconds the passing of time alone may lead to a binding.
    pub fn alarm(&self, now: Reached) -> Option<u64> {
        let (Policy::Live(live), Some(wall)) = (&self.rules.policy, now.wall) else { return None };
        if self.done {
            return None;
        }
        if let Some(asked) = self.asked_to_stop {
            return Some(asked.saturating_add(LINGER).abs_diff(wall).clamp(1, LINGER.unsigned_abs()));
        }
        let early = self.early(*live, wall);
        if early.is_some() && (!self.found.is_empty() || self.inputs.iter().any(|i| !i.read.is_empty())) {
            return early;
        }
        (live.advance_when_idle.is_some() && self.silent()).then(|| self.plan.tick.unsigned_abs())
    }

    /// Whether a run that is asked to stop goes on for a moment: a checkpoint is cut where the watermark moves, and with one the
    /// next start has nothing to repeat.
    pub(super) fn lingers(&mut self, wall: Option<i64>) -> bool {
        let (Policy::Live(live), Some(wall)) = (&self.rules.policy, wall) else { return false };
        let until_caught_up = live.until_caught_up;
        let silent = self.silent();
        let Some(checkpoints) = &mut self.rules.checkpoints else { return false };
        let asked = *self.asked_to_stop.get_or_insert(wall);
        checkpoints.hurry();
        !until_caught_up && !silent && !checkpoints.hurried() && wall < asked.saturating_add(LINGER)
    }

    /// How many milliseconds are missing until the next binding may be made.
    fn early(&self, live: Live, wall: i64) -> Option<u64> {
        let (at, moved) = self.bound_at?;
        let since = wall.saturating_sub(at);
        let early = (0..live.pace).contains(&since) && (moved || !self.would_move());
        early.then(|| live.pace.abs_diff(since))
    }

    /// Whether the watermark moves when all is bound that was reported.
    fn would_move(&self) -> bool {
        let reported = |input: &Input| input.read.values().filter_map(|block| block.dates.largest()).max();
        let counted = self.inputs.iter().filter(|input| !input.idle);
        let least = counted.map(|input| input.jump.largest.max(reported(input))).min().flatten();
        least.is_some_and(|date| self.plan.watermark(date) > self.watermark)
    }

    /// Whether there were sales, and all inputs are idle.
    fn silent(&self) -> bool {
        self.largest().is_some() && self.inputs.iter().all(|i| i.idle && i.read.is_empty())
    }

    /// Whatever was reported, of the inputs that do not sit out; or the passing of time when all are idle.
    pub(super) fn live(&mut self, wall: Option<i64>) -> Option<Order> {
        let Policy::Live(live) = self.rules.policy else { return None };
        if self.unfinished.len() >= self.limit() {
            return None;
        }
        if wall.is_some_and(|wall| self.early(live, wall).is_some()) {
            return None;
        }
        let playing: Vec<usize> = (0..self.inputs.len()).filter(self.plays()).collect();
        let blocks: Vec<Bound> = playing.into_iter().filter_map(|i| self.all_of(i)).collect();
        let mut after = self.after();
        if let Some((wall, distance)) = wall.zip(live.advance_when_idle)
            && self.silent()
        {
            after = after.max(self.plan.watermark(wall.saturating_sub(distance)));
        }
        let mut added = vec![];
        for found in std::mem::take(&mut self.found).into_values() {
            added.push((found.input, found.start));
            self.add(found.input, found.start, found.until);
        }
        if blocks.is_empty() && added.is_empty() && after == self.watermark {
            return None;
        }
        self.bound_at = wall.map(|wall| (wall, after > self.watermark));
        Some(Order::Bind(Binding { added, ..self.bind(blocks, after, false) }))
    }

    /// One more input.
    pub(super) fn add(&mut self, id: u32, start: u64, until: Option<u64>) {
        self.inputs.push(Input { id, bound: start, until, ..Input::default() });
    }

    /// Takes all that was reported of an input, as one piece.
    fn all_of(&mut self, i: usize) -> Option<Bound> {
        let start = self.inputs[i].bound;
        while let Some(at) = self.inputs[i].read.first_key_value().map(|(at, _)| *at)
            && at == self.inputs[i].bound
        {
            self.take_over(i, at);
        }
        let upto = self.inputs[i].bound;
        (start < upto).then_some(Bound { input: self.inputs[i].id, start, upto, settled: Settled::default() })
    }

    /// Counts the block of an input that starts at `at`.
    pub(super) fn take_over(&mut self, i: usize, at: u64) {
        let input = &mut self.inputs[i];
        if let Some(block) = input.read.remove(&at) {
            input.bound = block.next;
            input.jump.largest = input.jump.largest.max(block.dates.largest());
            self.weight = (self.weight.0 + block.records, self.weight.1 + block.bytes);
            self.newest = self.newest.max(block.newest);
        }
    }
}

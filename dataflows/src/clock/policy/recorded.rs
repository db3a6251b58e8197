//! Bindings that were made before, carried out again.

use super::{Binding, Bound, Clock, Live, Order, Policy};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// So many bindings are looked at ahead of time, so that workers read while others compute.
const AHEAD: usize = 64;

/// How many recorded epochs may be unfinished: they were small when they were made, and nothing waits for a decision.
const UNFINISHED: usize = 16;

type Bindings = dyn Iterator<Item = Result<Binding, String>> + Send;

/// Recorded bindings, in order, read as they are needed: a day of them does not fit into memory. Clones draw from the same.
#[derive(Clone)]
pub struct Recording(Arc<Mutex<Bindings>>);

impl Recording {
    /// What this iterator gives; an error, in words for a person, ends the run.
    pub fn new(bindings: impl Iterator<Item = Result<Binding, String>> + Send + 'static) -> Recording {
        Recording(Arc::new(Mutex::new(bindings)))
    }

    fn next(&self) -> Option<Result<Binding, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Recording")
    }
}

impl Clock {
    /// How many epochs may be bound and unfinished.
    pub(super) fn limit(&self) -> usize {
        if self.decides() { self.rules.limit } else { self.rules.limit.max(UNFINISHED) }
    }

    /// The next recorded one, once all its blocks were read; after the last, what comes then.
    pub(super) fn recorded(&mut self, then: Option<Live>) -> Option<Order> {
        if let Some(order) = self.ask_ahead() {
            return Some(order);
        }
        if self.broken.is_some() {
            return None;
        }
        let Some(binding) = self.asked.front() else {
            let Some(live) = then else { return Some(Order::Bind(self.bind(vec![], self.watermark, true))) };
            self.rules.policy = Policy::Live(live);
            return Some(Order::Live);
        };
        if !binding.blocks.iter().all(|block| self.has(block.input, block.start, block.upto)) {
            return None;
        }
        let mut binding = self.asked.pop_front()?;
        for block in &binding.blocks {
            let Some(i) = self.place(block.input) else { continue };
            while self.inputs[i].bound < block.upto {
                self.take_over(i, self.inputs[i].bound);
            }
        }
        for (input, start) in &binding.added {
            let until = self.found.remove(input).and_then(|found| found.until);
            self.add(*input, *start, until);
        }
        binding.weight = std::mem::take(&mut self.weight);
        self.keep(&mut binding);
        Some(Order::Bind(binding))
    }

    /// Asks for the blocks of the bindings that come next, as far as their inputs are known.
    fn ask_ahead(&mut self) -> Option<Order> {
        let Policy::Recorded { bindings, .. } = &self.rules.policy else { return None };
        while self.asked.len() < AHEAD {
            match bindings.next() {
                Some(Ok(binding)) if binding.epoch < self.epoch => (), // the checkpoint has it
                Some(Ok(binding)) => {
                    self.cuts.extend(binding.blocks.iter().map(|block| (block.input, block.upto)));
                    self.asked.push_back(binding);
                }
                Some(Err(problem)) => {
                    self.broken = Some(problem);
                    return None;
                }
                None => break,
            }
        }
        if let Some(binding) = self.asked.front()
            && !self.follows(binding)
        {
            self.broken = Some(format!("binding {} of the recording does not follow what came before it", binding.epoch));
            return None;
        }
        let (input, upto) = self.cuts.front().copied().filter(|(input, _)| self.place(*input).is_some())?;
        self.cuts.pop_front();
        Some(Order::Read { input, upto })
    }

    /// Whether a binding goes on where the last one ended.
    fn follows(&self, binding: &Binding) -> bool {
        let goes_on = |block: &Bound| self.place(block.input).is_some_and(|i| self.inputs[i].bound == block.start);
        (binding.epoch, binding.before) == (self.epoch, self.watermark)
            && binding.blocks.iter().all(goes_on)
            && binding.added.iter().all(|(input, _)| self.place(*input).is_none())
    }

    /// Whether the records in `start..upto` of an input were read, in any number of blocks.
    fn has(&self, input: u32, start: u64, upto: u64) -> bool {
        let Some(i) = self.place(input) else { return false };
        let mut at = start;
        while at < upto
            && let Some(block) = self.inputs[i].read.get(&at)
        {
            at = block.next;
        }
        at == upto
    }
}

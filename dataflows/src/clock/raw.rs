//! Where decoded blocks wait, on the worker that decoded them, until a binding says that they count.

use crate::sale::Decoded;
use std::collections::VecDeque;

/// A decoded block.
pub struct Chunk {
    /// Where it starts in its input.
    pub start: u64,
    /// The stamp under which its names were interned.
    pub stamp: u64,
    /// Its records.
    pub decoded: Decoded,
}

/// One queue for each input, in the order of the input.
pub struct Raw(Vec<VecDeque<Chunk>>);

impl Raw {
    /// Empty queues for so many inputs.
    pub fn new(inputs: usize) -> Raw {
        Raw(std::iter::repeat_with(VecDeque::new).take(inputs).collect())
    }

    /// A block waits.
    pub fn push(&mut self, input: u32, chunk: Chunk) {
        self.0[input as usize].push_back(chunk);
    }

    /// Takes the block that starts at `start`, if this worker has it.
    pub fn take(&mut self, input: u32, start: u64) -> Option<Chunk> {
        let queue = &mut self.0[input as usize];
        if queue.front()?.start == start { queue.pop_front() } else { None }
    }
}

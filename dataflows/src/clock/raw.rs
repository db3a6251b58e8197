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
    /// Empty queues for so many inputs; live ones come on top.
    pub fn new(inputs: usize) -> Raw {
        Raw(std::iter::repeat_with(VecDeque::new).take(inputs).collect())
    }

    /// A block waits.
    pub fn push(&mut self, input: u32, chunk: Chunk) {
        let input = input as usize;
        if self.0.len() <= input {
            self.0.resize_with(input + 1, VecDeque::new);
        }
        self.0[input].push_back(chunk);
    }

    /// Takes the next of the blocks in `start..upto`, if this worker has it.
    pub fn take(&mut self, input: u32, start: u64, upto: u64) -> Option<Chunk> {
        let queue = self.0.get_mut(input as usize)?;
        let first = queue.front()?.start;
        if (start..upto).contains(&first) || first == start { queue.pop_front() } else { None }
    }
}

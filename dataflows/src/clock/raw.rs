//! Where decoded blocks wait, on the worker that decoded them, until a binding says that they count.

use crate::sale::Decoded;
use std::collections::{BTreeMap, VecDeque};

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
#[derive(Default)]
pub struct Raw(BTreeMap<u32, VecDeque<Chunk>>);

impl Raw {
    /// A block waits.
    pub fn push(&mut self, input: u32, chunk: Chunk) {
        self.0.entry(input).or_default().push_back(chunk);
    }

    /// Takes the next of the blocks in `start..upto`, if this worker has it.
    pub fn take(&mut self, input: u32, start: u64, upto: u64) -> Option<Chunk> {
        let queue = self.0.get_mut(&input)?;
        let first = queue.front()?.start;
        if (start..upto).contains(&first) || first == start { queue.pop_front() } else { None }
    }
}

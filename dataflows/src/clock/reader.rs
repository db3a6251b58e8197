//! Which block a worker reads next, and what it tells the clock about a decoded one.

use super::context::{Context, Failure};
use super::feed::{Blocks, Decode, Format, RawBlock};
use super::jump::Dates;
use super::policy::{Binding, Block};
use super::raw::{Chunk, Raw};
use super::{Settings, blocks};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Decodes the blocks of one worker into its raw queue.
#[derive(Clone)]
pub struct Decoding {
    pub context: Context,
    pub decoder: Rc<RefCell<Box<dyn Decode>>>,
    pub max_jump: Option<i64>,
}

/// A block before it is decoded: where it lies, and whether it is the last.
pub struct Place {
    pub input: u32,
    pub start: u64,
    pub next: u64,
    pub bytes: u64,
    pub ended: bool,
}

impl Decoding {
    /// Decodes a block, lays it into the queue and says what the clock must know.
    pub fn decode(&self, place: Place, format: Format, raw: RawBlock, queue: &mut Raw) -> Block {
        let mut names = self.context.names.borrow_mut();
        names.block += 1;
        let stamp = names.block;
        let decoded = self.decoder.borrow_mut().block(place.input, format, raw, &mut names);
        self.context.waiting.add(stamp);
        let dates = Dates::of(decoded.sales.iter().map(|s| s.at), self.max_jump);
        let Place { input, start, next, bytes, ended } = place;
        let block = Block { input, start, next, records: decoded.records(), bytes, dates, ended };
        queue.push(input, Chunk { start, stamp, decoded });
        block
    }
}

/// How far an input may be read: some blocks past what is bound, or what the clock asked for.
///
/// The limit holds for each input: a common one would fill up with an input that sits out.
pub struct Ahead {
    pub bound: u64,
    pub asked: u64,
}

impl Ahead {
    pub fn new() -> Ahead {
        Ahead { bound: 0, asked: 0 }
    }

    /// Whether the block that starts at `start` may be read, and how many blocks ahead it is.
    pub fn allows(&self, start: u64, settings: &Settings, peers: u64) -> Option<u64> {
        let ahead = start.saturating_sub(self.bound) / settings.epoch_bytes;
        (ahead < settings.ahead * peers || start < self.asked).then_some(ahead)
    }
}

/// The plain files that any worker can read: the blocks `n` of input `i` with `(i + n) % peers == index`.
pub struct Reader {
    settings: Settings,
    files: Vec<(u32, Format, Arc<dyn Blocks>)>,
    /// By place in `files`: start of this worker's next block, and how far it may read.
    next: Vec<(u64, Ahead)>,
    peers: u64,
}

impl Reader {
    pub fn new(settings: Settings, files: Vec<(u32, Format, Arc<dyn Blocks>)>, index: usize, peers: usize) -> Reader {
        let first = |input: u32| (index as u64 + peers as u64 - u64::from(input) % peers as u64) % peers as u64;
        let next = files.iter().map(|(i, ..)| (first(*i) * settings.epoch_bytes, Ahead::new())).collect();
        Reader { settings, files, next, peers: peers as u64 }
    }

    /// Hears that the clock has bound blocks. Heard on arrival, not when it is carried out: what is asked for next may be
    /// needed to carry it out.
    pub fn bound(&mut self, binding: &Binding) {
        for block in &binding.blocks {
            self.ahead(block.input, |ahead| ahead.bound = block.upto);
        }
    }

    /// Hears that the clock wants an input to be read further.
    pub fn asked(&mut self, input: u32, upto: u64) {
        self.ahead(input, |ahead| ahead.asked = upto);
    }

    fn ahead(&mut self, input: u32, change: impl FnOnce(&mut Ahead)) {
        if let Ok(k) = self.files.binary_search_by_key(&input, |(i, ..)| *i) {
            change(&mut self.next[k].1);
        }
    }

    /// Reads and decodes the block that is needed first, if one may be read.
    pub fn step(&mut self, decoding: &Decoding, queue: &mut Raw) -> Result<Option<Block>, Failure> {
        let may = |k: &usize| {
            let (start, ahead) = &self.next[*k];
            let left = *start == 0 || *start < self.files[*k].2.size();
            if left { ahead.allows(*start, &self.settings, self.peers) } else { None }
        };
        let Some((_, k)) = (0..self.files.len()).filter_map(|k| Some((may(&k)?, k))).min() else { return Ok(None) };
        let (input, format, file) = &self.files[k];
        let start = self.next[k].0;
        let next = (start + self.settings.epoch_bytes).min(file.size());
        let failed = |problem| Failure::Input(format!("cannot read {}: {problem}", decoding.context.sources[*input as usize]));
        let raw = blocks::read(&**file, start, next).map_err(failed)?;
        self.next[k].0 += self.settings.epoch_bytes * self.peers;
        let place = Place { input: *input, start, next, bytes: next - start, ended: next == file.size() };
        Ok(Some(decoding.decode(place, *format, raw, queue)))
    }
}

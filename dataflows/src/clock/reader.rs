//! Which block a worker reads next, and what it tells the clock about a decoded one.

use super::binding::{Block, Order};
use super::context::{Context, Failure};
use super::feed::{Blocks, Decode, Format, Keep, Kept, KeptBlock, RawBlock};
use super::jump::Dates;
use super::live::Batch;
use super::raw::{Chunk, Raw};
use super::{Settings, blocks};
use crate::sale::Decoded;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// By input: who keeps what is decoded of it.
pub type Keepers = Rc<RefCell<Vec<Option<Box<dyn Keep>>>>>;

/// Decodes the blocks of one worker into its raw queue.
#[derive(Clone)]
pub struct Decoding {
    pub context: Context,
    pub decoder: Rc<RefCell<Box<dyn Decode>>>,
    pub keep: Keepers,
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
        let block = self.block(place, &decoded);
        if let Some(Some(keep)) = self.keep.borrow_mut().get_mut(block.input as usize) {
            keep.block(&block, &decoded, &names);
        }
        self.laid(block, stamp, decoded, queue)
    }

    /// The same for a block that was decoded before.
    pub fn again(&self, place: Place, kept: &mut dyn Kept, queue: &mut Raw) -> Result<Block, String> {
        let mut names = self.context.names.borrow_mut();
        names.block += 1;
        let stamp = names.block;
        let KeptBlock { bytes, decoded } = kept.block(place.start, &mut names)?;
        let block = self.block(Place { bytes, ..place }, &decoded);
        Ok(self.laid(block, stamp, decoded, queue))
    }

    /// The same for messages of a live input.
    pub fn messages(&self, place: Place, batch: Batch, queue: &mut Raw) -> Block {
        let mut names = self.context.names.borrow_mut();
        names.block += 1;
        let (stamp, newest) = (names.block, batch.messages.newest());
        let decoded = self.decoder.borrow_mut().messages(place.input, batch, &mut names);
        let block = Block { newest, ..self.block(place, &decoded) };
        self.laid(block, stamp, decoded, queue)
    }

    fn block(&self, place: Place, decoded: &Decoded) -> Block {
        let dates = Dates::of(decoded.sales.iter().map(|s| s.at), self.max_jump);
        let Place { input, start, next, bytes, ended } = place;
        Block { input, start, next, records: decoded.records(), bytes, dates, newest: None, ended }
    }

    fn laid(&self, block: Block, stamp: u64, decoded: Decoded, queue: &mut Raw) -> Block {
        self.context.waiting.add(stamp);
        queue.push(block.input, Chunk { start: block.start, stamp, decoded });
        block
    }
}

/// How far each input may be read past what is bound, or what the clock asked for.
///
/// An input gets one block, and one more for each of its blocks among the last few that were bound. So an input that sits out
/// holds one block, and one that plays alone has all workers busy; a common limit would fill up with inputs that sit out, and
/// a fixed one for each would fill the memory when there are many.
pub struct ReadAhead {
    size: u64,
    /// By input: bound up to here, asked for up to here, blocks among the last few.
    inputs: Vec<(u64, u64, u64)>,
    recent: VecDeque<u32>,
    span: usize,
}

impl ReadAhead {
    /// For inputs that are bound up to here, and so many workers.
    pub fn new(settings: &Settings, bounds: &[u64], peers: usize) -> ReadAhead {
        let span = settings.ahead as usize * peers;
        let inputs = bounds.iter().map(|bound| (*bound, 0, 0)).collect();
        ReadAhead { size: settings.epoch_bytes, inputs, recent: VecDeque::new(), span }
    }

    /// Hears what the clock says. Heard on arrival, not when it is carried out: what may be read next may be needed for that.
    pub fn hear(&mut self, order: &Order) {
        match order {
            Order::Bind(binding) => binding.blocks.iter().for_each(|block| self.bound(block.input, block.upto)),
            Order::Read { input, upto } => self.inputs[*input as usize].1 = *upto,
            Order::Live => (),
        }
    }

    fn bound(&mut self, input: u32, upto: u64) {
        let (bound, _, count) = &mut self.inputs[input as usize];
        (*bound, *count) = (upto, *count + 1);
        self.recent.push_back(input);
        if self.recent.len() > self.span
            && let Some(old) = self.recent.pop_front()
        {
            self.inputs[old as usize].2 -= 1;
        }
    }

    /// How many blocks ahead the one that starts at `start` is, if it may be read.
    pub fn allows(&self, input: u32, start: u64) -> Option<u64> {
        let (bound, asked, count) = self.inputs[input as usize];
        let ahead = start.saturating_sub(bound) / self.size;
        (ahead <= count || start < asked).then_some(ahead)
    }
}

/// An input that any worker can read anywhere.
pub enum Stored {
    /// A plain file of lines.
    Plain(Format, Arc<dyn Blocks>),
    /// Any file, decoded before.
    Kept(Box<dyn Kept>),
}

impl Stored {
    fn size(&self) -> u64 {
        match self {
            Stored::Plain(_, file) => file.size(),
            Stored::Kept(kept) => kept.size(),
        }
    }
}

/// The inputs that any worker can read anywhere: the blocks `n` of input `i` with `(i + n) % peers == index`.
pub struct Reader {
    size: u64,
    files: Vec<(u32, Stored)>,
    /// By place in `files`: start of this worker's next block.
    next: Vec<u64>,
    peers: u64,
}

impl Reader {
    /// `bounds`, by input: what begins before this offset is not read.
    pub fn new(size: u64, files: Vec<(u32, Stored)>, bounds: &[u64], index: usize, peers: usize) -> Reader {
        let (index, peers) = (index as u64, peers as u64);
        let first = |input: u32| (index + peers - u64::from(input) % peers) % peers;
        let next = |input: u32| {
            let bound = bounds[input as usize].div_ceil(size);
            (bound + (first(input) + peers - bound % peers) % peers) * size
        };
        let next = files.iter().map(|(input, ..)| next(*input)).collect();
        Reader { size, files, next, peers }
    }

    /// Reads and decodes the block that is needed first, if one may be read.
    pub fn step(&mut self, ahead: &ReadAhead, decoding: &Decoding, queue: &mut Raw) -> Result<Option<Block>, Failure> {
        let may = |k: usize| {
            let ((input, file), start) = (&self.files[k], self.next[k]);
            let left = start == 0 || start < file.size();
            if left { ahead.allows(*input, start) } else { None }
        };
        let Some((_, k)) = (0..self.files.len()).filter_map(|k| Some((may(k)?, k))).min() else { return Ok(None) };
        let (input, file) = &mut self.files[k];
        let start = self.next[k];
        let next = (start + self.size).min(file.size());
        let failed = |problem| Failure::Input(format!("cannot read {}: {problem}", decoding.context.sources[*input as usize]));
        let place = Place { input: *input, start, next, bytes: next - start, ended: next == file.size() };
        self.next[k] += self.size * self.peers;
        let block = match file {
            Stored::Plain(format, file) => blocks::read(&**file, start, next, decoding.context.spare.take())
                .map(|raw| decoding.decode(place, *format, raw, queue)),
            Stored::Kept(kept) => decoding.again(place, &mut **kept, queue),
        };
        block.map(Some).map_err(failed)
    }
}

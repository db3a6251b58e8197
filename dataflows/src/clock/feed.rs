//! What the clock needs of an input: bytes, from anywhere or from front to end. The shell implements it; no I/O here.

pub use crate::decode::Format;

use super::binding::Block;
use super::live::{Batch, Partitions};
use crate::decode::Decoder;
use crate::dictionary::Dictionaries;
use crate::sale::Decoded;
use std::sync::Arc;
use std::time::Duration;
use timely::scheduling::SyncActivator;

/// Turns bytes into sales and rejects. One for each worker.
pub trait Decode {
    /// The header of a CSV input, before its first block.
    ///
    /// # Errors
    /// When no record could be read under this header; in words for a person.
    fn header(&mut self, input: u32, bytes: &[u8]) -> Result<(), String>;
    /// Decodes the records that begin in `span` of `bytes`.
    fn block(&mut self, input: u32, format: Format, raw: RawBlock, names: &mut Dictionaries) -> Decoded;
    /// Decodes messages of a live input.
    fn messages(&mut self, input: u32, batch: Batch, names: &mut Dictionaries) -> Decoded;
}

impl Decode for Decoder {
    fn header(&mut self, input: u32, bytes: &[u8]) -> Result<(), String> {
        self.header(input, bytes).map_err(|e| e.to_string())
    }
    fn block(&mut self, input: u32, format: Format, raw: RawBlock, names: &mut Dictionaries) -> Decoded {
        self.block(format, input, raw.bytes, raw.base, raw.from, raw.until, names)
    }
    fn messages(&mut self, input: u32, batch: Batch, names: &mut Dictionaries) -> Decoded {
        self.messages(input, batch.bytes, batch.messages, names)
    }
}

/// Keeps what one worker has decoded of an input, so that another run need not decode it again.
pub trait Keep {
    /// A block was decoded. What cannot be kept is no failure of the run: whoever keeps it says so in the end.
    fn block(&mut self, block: &Block, decoded: &Decoded, names: &Dictionaries);
}

/// An input that was decoded before: any worker can take any of its blocks, each once.
pub trait Kept {
    /// Bytes in all, decompressed.
    fn size(&self) -> u64;
    /// The block that starts at `start`, as [`Keep`] was told of it.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn block(&mut self, start: u64, names: &mut Dictionaries) -> Result<KeptBlock, String>;
}

/// A block that was decoded before.
#[derive(Debug, Default)]
pub struct KeptBlock {
    /// Bytes of the stored input that had been read for it.
    pub bytes: u64,
    /// Its records; their bytes lie [elsewhere](Decoded::elsewhere).
    pub decoded: Decoded,
}

/// Bytes of an input, and which of the records in them to decode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawBlock {
    /// They end at the end of a record.
    pub bytes: Vec<u8>,
    /// Offset of `bytes[0]` in the decompressed input.
    pub base: u64,
    /// The records that begin in `bytes[from..until]`; one begins at `from`, if any.
    pub from: usize,
    /// See `from`; may lie behind the end of `bytes`.
    pub until: usize,
}

/// An input that any worker can read at any place: a plain file of lines.
pub trait Blocks: Send + Sync {
    /// Bytes in all, the same at every call.
    fn size(&self) -> u64;
    /// Fills `into` with the bytes from `at` on, all of them within the size.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), String>;
}

/// An input that one worker alone can read, from front to end: a compressed file, a pipe, CSV with quoted line ends.
pub trait Pull {
    /// Appends some bytes to `into`.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn pull(&mut self, into: &mut Vec<u8>) -> Result<Pulled, String>;
    /// Bytes of the stored input read so far, for the progress display.
    fn consumed(&self) -> u64;
    /// How to wake the reader after [`Pulled::Woken`].
    fn wake_by(&mut self, _wake: SyncActivator) {}
}

/// What a [`Pull`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// It appended something.
    Some,
    /// There is nothing now; ask again after this time.
    Later(Duration),
    /// There is nothing now; the reader is woken when there is.
    Woken,
    /// There is nothing more.
    End,
}

/// All inputs as one worker sees them.
pub enum Inputs {
    /// They are known from the start, in order.
    Stored(Vec<Input>),
    /// They come and go on.
    Live(Box<dyn Partitions>),
}

/// An input as one worker sees it.
pub struct Input {
    /// How its records are written.
    pub format: Format,
    /// How its bytes are read.
    pub feed: Feed,
    /// Who keeps what this worker decodes of it.
    pub keep: Option<Box<dyn Keep>>,
}

/// How the bytes of an input are read.
pub enum Feed {
    /// By all workers, block by block.
    Blocks(Arc<dyn Blocks>),
    /// By all workers, block by block, with nothing left to decode.
    Kept(Box<dyn Kept>),
    /// By this worker, front to end.
    Mine(Box<dyn Pull>),
    /// By another worker.
    Other,
}

//! The same sales in three forms: as lines of JSON in a file, as the cache that a replay of that file leaves behind, and as decoded
//! blocks in memory.
//!
//! A run from the cache opens it, checksum and all, maps it and translates its names, as a second `replay --cache` does.
//!
//! What "decoded" includes: the blocks are those of the file, decoded before the clock starts, with their names interned.
//! A run takes each block as it is, without a copy. Not included are reading, decoding and interning; all else is, from
//! the reports about dates to the rows. The bytes of the records are left out, since only dead letters need them.

use anyhow::{Context, Error, Result, bail, ensure};
use dataflows::clock::jump::Dates;
use dataflows::clock::live::Batch;
use dataflows::clock::{Block, Blocks, Decode, Feed as Reads, Format, Kept, RawBlock, blocks};
use dataflows::decode::Decoder;
use dataflows::dictionary::{Dictionaries, Dictionary};
use dataflows::sale::{Decoded, Sale, Span};
use dataflows::schema::Schema;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use vitrine::cache::{Cache, Caches, Found};

/// Length of a block, and so of an epoch: the default of the product.
pub const EPOCH_BYTES: u64 = 1 << 20;

/// Where the sales come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum From {
    /// Lines of JSON in a file
    Ndjson,
    /// The cache that `replay --cache` leaves behind
    Cache,
    /// Blocks in memory, decoded before
    Decoded,
}

impl From {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            From::Ndjson => "ndjson",
            From::Cache => "cache",
            From::Decoded => "decoded",
        }
    }
}

/// A plain file.
pub struct Plain {
    file: File,
    size: u64,
}

impl Plain {
    /// Opens it.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Plain> {
        let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
        let size = file.metadata()?.len();
        Ok(Plain { file, size })
    }
}

impl Blocks for Plain {
    fn size(&self) -> u64 {
        self.size
    }
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), String> {
        self.file.read_exact_at(into, at).map_err(|e| e.to_string())
    }
}

/// All blocks of a file, decoded, and the names behind their ids.
pub struct Archive {
    blocks: Vec<Vec<Sale>>,
    /// By id: sellers, categories, products.
    names: [Vec<String>; 3],
}

impl Archive {
    /// Decodes a whole file.
    ///
    /// # Errors
    /// When it cannot be read, or a record is refused: the archive keeps no bytes for dead letters.
    pub fn read(file: &dyn Blocks, schema: &Arc<Schema>) -> Result<Archive> {
        let (mut decoder, mut names) = (Decoder::new(schema.clone()), Dictionaries::default());
        let mut blocks = vec![];
        let mut start = 0;
        while start < file.size() {
            let decoded = ndjson(file, start, &mut decoder, &mut names, vec![])?;
            ensure!(decoded.rejects.is_empty(), "a record was refused: {:?}", decoded.rejects);
            blocks.push(decoded.sales);
            start += EPOCH_BYTES;
        }
        let all = |d: &Dictionary| (0..d.bound() as u32).map(|id| d.name(id).to_owned()).collect();
        Ok(Archive { blocks, names: [all(&names.sellers), all(&names.categories), all(&names.products)] })
    }

    /// A set of its blocks for one run.
    pub fn copy(&self) -> Arc<Memory> {
        let block =
            |sales: &Vec<Sale>| Decoded { sales: sales.clone(), spans: vec![Span::default(); sales.len()], ..Decoded::default() };
        let blocks = self.blocks.iter().map(|b| Mutex::new(block(b))).collect();
        Arc::new(Memory { blocks, names: self.names.clone() })
    }
}

/// Decoded blocks for one run. As an input it has one byte for each block.
pub struct Memory {
    blocks: Vec<Mutex<Decoded>>,
    names: [Vec<String>; 3],
}

impl Memory {
    fn take(&self, block: usize) -> Decoded {
        self.blocks.get(block).map(|b| std::mem::take(&mut *b.lock().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default()
    }

    fn intern(&self, names: &mut Dictionaries) {
        let all = [&mut names.sellers, &mut names.categories, &mut names.products];
        for (dictionary, known) in all.into_iter().zip(&self.names) {
            for name in known {
                // Used in a block that never comes to pass: such a name is not forgotten.
                dictionary.intern(name, u64::MAX);
            }
        }
    }
}

impl Blocks for Memory {
    fn size(&self) -> u64 {
        self.blocks.len() as u64
    }
    fn read(&self, _at: u64, into: &mut [u8]) -> Result<(), String> {
        into.fill(b'\n');
        Ok(())
    }
}

/// Hands out decoded blocks instead of decoding.
pub struct HandOut {
    memory: Arc<Memory>,
    interned: bool,
}

impl HandOut {
    /// Of these blocks.
    pub fn new(memory: Arc<Memory>) -> HandOut {
        HandOut { memory, interned: false }
    }
}

impl Decode for HandOut {
    fn header(&mut self, _input: u32, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }
    fn block(&mut self, _input: u32, _format: Format, raw: RawBlock, names: &mut Dictionaries) -> Decoded {
        if !std::mem::replace(&mut self.interned, true) {
            self.memory.intern(names);
        }
        self.memory.take((raw.base + raw.from as u64) as usize)
    }
    fn messages(&mut self, _input: u32, _batch: Batch, _names: &mut Dictionaries) -> Decoded {
        Decoded::default() // what is handed out are blocks
    }
}

/// The cache of a file, which each run opens anew.
pub struct Cached {
    path: PathBuf,
    caches: Caches,
    open: OnceLock<Result<Arc<Cache>, String>>,
}

impl Cached {
    /// Of the file at `path`, with caches in `folder`.
    pub fn new(path: &Path, folder: &Path, schema: &Schema) -> Cached {
        let caches = Caches { folder: folder.join("caches"), schema: schema.clone(), epoch_bytes: EPOCH_BYTES };
        Cached { path: path.to_owned(), caches, open: OnceLock::new() }
    }

    fn look(&self) -> Result<Found> {
        let file = File::open(&self.path).with_context(|| format!("opening {}", self.path.display()))?;
        Ok(self.caches.look(&self.path.to_string_lossy(), &file, Format::Json, None))
    }

    /// Decodes the file into its cache, unless it has one.
    ///
    /// # Errors
    /// When the file cannot be read, or the cache cannot be written.
    pub fn fill(&self) -> Result<()> {
        let builder = match self.look()? {
            Found::Cache(_) => return Ok(()),
            Found::Builder(builder) => builder,
            Found::Nothing => bail!("no cache can be written in {}", self.caches.folder.display()),
        };
        let file = Plain::open(&self.path)?;
        let (mut decoder, mut names) = (Decoder::new(Arc::new(self.caches.schema.clone())), Dictionaries::default());
        let mut keep = builder.worker();
        for start in (0..file.size()).step_by(EPOCH_BYTES as usize) {
            let decoded = ndjson(&file, start, &mut decoder, &mut names, vec![])?;
            let next = (start + EPOCH_BYTES).min(file.size());
            let (records, ended) = (decoded.records(), next == file.size());
            let block = Block { input: 0, start, next, records, bytes: next - start, dates: Dates::None, newest: None, ended };
            keep.block(&block, &decoded, &names);
        }
        builder.finish().map_err(Error::msg)
    }

    /// For one worker; the first one opens the cache.
    fn worker(&self) -> Result<Box<dyn Kept>, String> {
        let open = || match self.look().map_err(|e| e.to_string())? {
            Found::Cache(cache) => Ok(cache),
            Found::Builder(_) | Found::Nothing => Err(format!("{} has no cache", self.path.display())),
        };
        self.open.get_or_init(open).as_ref().map_err(String::clone)?.worker()
    }
}

/// The sales of one run.
#[derive(Clone)]
pub enum Feed {
    /// From a file.
    Ndjson(Arc<Plain>),
    /// From the cache of a file.
    Cached(Arc<Cached>),
    /// From memory.
    Decoded(Arc<Memory>),
}

impl Feed {
    /// As an input of one worker of the engine, and the length of its blocks.
    ///
    /// # Errors
    /// When there is no cache, in words.
    pub fn input(&self) -> Result<(Reads, u64), String> {
        Ok(match self {
            Feed::Ndjson(file) => (Reads::Blocks(file.clone()), EPOCH_BYTES),
            Feed::Cached(cached) => (Reads::Kept(cached.worker()?), EPOCH_BYTES),
            Feed::Decoded(memory) => (Reads::Blocks(memory.clone()), 1),
        })
    }

    /// What decodes it.
    pub fn decoder(&self, schema: &Arc<Schema>) -> Box<dyn Decode> {
        match self {
            Feed::Ndjson(_) | Feed::Cached(_) => Box::new(Decoder::new(schema.clone())),
            Feed::Decoded(memory) => Box::new(HandOut::new(memory.clone())),
        }
    }

    /// Gives all blocks in order, decoded, with the names behind their ids; returns those names.
    ///
    /// # Errors
    /// When the file cannot be read, or a block cannot be taken.
    pub fn each(
        &self,
        schema: &Arc<Schema>,
        mut give: impl FnMut(&Decoded, &Dictionaries) -> Result<(), String>,
    ) -> Result<Dictionaries> {
        let mut names = Dictionaries::default();
        match self {
            Feed::Ndjson(file) => {
                let (mut decoder, mut spare) = (Decoder::new(schema.clone()), vec![]);
                for start in (0..file.size()).step_by(EPOCH_BYTES as usize) {
                    let mut decoded = ndjson(&**file, start, &mut decoder, &mut names, spare)?;
                    give(&decoded, &names).map_err(Error::msg)?;
                    spare = decoded.let_go();
                }
            }
            Feed::Cached(cached) => {
                let mut kept = cached.worker().map_err(Error::msg)?;
                for start in (0..kept.size()).step_by(EPOCH_BYTES as usize) {
                    names.block += 1;
                    let block = kept.block(start, &mut names).map_err(Error::msg)?;
                    give(&block.decoded, &names).map_err(Error::msg)?;
                }
            }
            Feed::Decoded(memory) => {
                memory.intern(&mut names);
                for block in 0..memory.blocks.len() {
                    give(&memory.take(block), &names).map_err(Error::msg)?;
                }
            }
        }
        Ok(names)
    }
}

/// Reads and decodes the block that starts at `start`.
fn ndjson(file: &dyn Blocks, start: u64, decoder: &mut Decoder, names: &mut Dictionaries, spare: Vec<u8>) -> Result<Decoded> {
    let next = (start + EPOCH_BYTES).min(file.size());
    let raw = blocks::read(file, start, next, spare).map_err(Error::msg)?;
    Ok(decoder.block(Format::Json, 0, raw.bytes, raw.base, raw.from, raw.until, names))
}

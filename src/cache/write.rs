//! Writing a cache while a run decodes: all workers into one file, under another name until it is complete.
//!
//! Blocks lie in the file in the order in which they were decoded; the table at the end says where. The file is locked while
//! it is written, so that of two runs that would write the same cache one does, and what a killed run left is written over.
//! A cache that cannot be written is no failure of the run.

use super::head::{self, Dates, Entry, Found, LENGTH, Made, Part, Refused, Stamp, Table};
use super::image::{self, Record};
use dataflows::clock::{Block, Keep};
use dataflows::dictionary::{Dictionaries, Dictionary};
use dataflows::sale::Decoded;
use dataflows::schema::FIELDS;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use xxhash_rust::xxh3::Xxh3;

/// Compression of the text of packed inputs: it is read again only for records that came too late or were refused.
const LEVEL: i32 = 1;

/// A cache in the making, shared by the workers.
pub struct Builder {
    source: File,
    path: PathBuf,
    partial: PathBuf,
    made: Made,
    stamp: Stamp,
    /// Whether the bytes of the records must be kept: those of the file are packed.
    text: bool,
    /// The file that is written, locked; nobody else touches it as long as this is here.
    lock: File,
    state: Mutex<State>,
}

struct State {
    /// `None` once something went wrong, and in the end.
    to: Option<Body<File>>,
    problem: Option<String>,
    /// It has its name.
    done: bool,
    names: [Dictionary; 3],
    dates: Dates,
    blocks: Vec<Entry>,
}

/// What is behind the head of a file.
struct Body<W: Write> {
    to: BufWriter<W>,
    hash: Xxh3,
    at: u64,
}

impl<W: Write> Body<W> {
    /// Appends bytes at a place where records may lie.
    fn put(&mut self, bytes: &[u8]) -> io::Result<Part> {
        let gap = (8 - self.at % 8) % 8;
        for bytes in [&[0; 8][..gap as usize], bytes] {
            self.to.write_all(bytes)?;
            self.hash.update(bytes);
            self.at += bytes.len() as u64;
        }
        Ok((self.at - bytes.len() as u64, bytes.len() as u64))
    }
}

/// Opens a file that nobody else writes; `None` when somebody does.
fn claim(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        // Whoever held it before may have given it its name in the meantime: then it is a cache, and not to be touched.
        let ours = file.metadata()?;
        if fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            file.set_len(0)?;
            return Ok(Some(file));
        }
    }
}

impl Builder {
    /// A cache of `source` that will be at `path`; `None` when another run is writing it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn begin(source: File, path: PathBuf, made: Made, stamp: Stamp, text: bool) -> io::Result<Option<Builder>> {
        let partial = path.with_added_extension("partial");
        let Some(mut lock) = claim(&partial)? else { return Ok(None) };
        // No head yet: whatever becomes of it, this is no cache before the end.
        lock.write_all(&[0; LENGTH])?;
        let to = BufWriter::with_capacity(1 << 18, lock.try_clone()?);
        let to = Body { to, hash: Xxh3::new(), at: LENGTH as u64 };
        let state = State {
            to: Some(to),
            problem: None,
            done: false,
            names: Default::default(),
            dates: Dates::default(),
            blocks: vec![],
        };
        Ok(Some(Builder { source, path, partial, made, stamp, text, lock, state: Mutex::new(state) }))
    }

    /// What one worker decodes.
    pub fn worker(self: &Arc<Builder>) -> Box<dyn Keep> {
        Box::new(Worker { builder: self.clone(), known: Default::default(), bytes: vec![] })
    }

    /// The run has ended, and nothing of it is to be repeated: the cache is complete.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn finish(&self) -> Result<(), String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(to) = state.to.take() else { return Err(state.problem.take().unwrap_or_else(|| "nothing was read".into())) };
        state.blocks.sort_by_key(|block| block.start);
        let blocks = std::mem::take(&mut state.blocks);
        let follows = |pair: &[Entry]| pair[0].next == pair[1].start;
        let whole = blocks.first().is_some_and(|first| first.start == 0)
            && blocks.windows(2).all(follows)
            && blocks.last().is_some_and(|last| last.ended);
        if !whole {
            return Err("not all of it was read".into());
        }
        let now = Stamp::of(Path::new(""), &self.source).map_err(|e| e.to_string())?;
        if !now.unchanged(&self.stamp) {
            return Err("it changed while it was read".into());
        }
        let names = state.names.each_ref().map(|names| (0..names.bound() as u32).map(|id| names.name(id).to_owned()).collect());
        let length = blocks.last().map_or(0, |last| last.next);
        let table = Table { made: self.made.clone(), stamp: self.stamp.clone(), dates: state.dates, length, names, blocks };
        self.close(to, &table).map_err(|e| e.to_string())?;
        state.done = true;
        Ok(())
    }

    fn close(&self, mut to: Body<File>, table: &Table) -> io::Result<()> {
        let table = postcard::to_stdvec(table).map_err(io::Error::other)?;
        let (at, _) = to.put(&table)?;
        let head = head::head(to.at, at, to.hash.digest128());
        to.to.flush()?;
        self.lock.write_all_at(&head, 0)?;
        fs::rename(&self.partial, &self.path)
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        if !self.state.get_mut().unwrap_or_else(PoisonError::into_inner).done {
            let _ = fs::remove_file(&self.partial); // what stays is written over by the next run
        }
    }
}

/// One worker's part in it.
struct Worker {
    builder: Arc<Builder>,
    /// By name space and id of the worker: the identity of the name, and its number in the cache.
    known: [Vec<(u128, u32)>; 3],
    bytes: Vec<u8>,
}

impl Keep for Worker {
    fn block(&mut self, block: &Block, decoded: &Decoded, names: &Dictionaries) {
        let text = self.builder.text.then(|| zstd::bulk::compress(&decoded.bytes, LEVEL)).transpose();
        let mut state = self.builder.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { to: Some(to), problem, names: all, dates, blocks, .. } = &mut *state else { return };
        self.bytes.clear();
        for (sale, span) in decoded.sales.iter().zip(&decoded.spans) {
            let record = Record {
                at: sale.at,
                customer: sale.customer,
                seller: number(&mut self.known[0], &mut all[0], &names.sellers, sale.seller),
                category: number(&mut self.known[1], &mut all[1], &names.categories, sale.category),
                product: number(&mut self.known[2], &mut all[2], &names.products, sale.product),
                price: sale.price,
                quantity: sale.quantity,
                op: sale.op as u16,
                payment: sale.payment.into(),
                start: span.start,
                end: span.end,
            };
            image::write(&record, &mut self.bytes);
        }
        let put = || {
            let sales = to.put(&self.bytes)?;
            let ids: Vec<u8> = decoded.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
            let ids = to.put(&ids)?;
            let rejects = to.put(&rejects(decoded)?)?;
            let carried = to.put(&postcard::to_stdvec(&decoded.carried).map_err(io::Error::other)?)?;
            let text = text?.map(|text| to.put(&text)).transpose()?;
            let (start, next, ended, bytes) = (block.start, block.next, block.ended, block.bytes);
            Ok::<Entry, io::Error>(Entry { start, next, ended, base: decoded.base, bytes, sales, ids, rejects, carried, text })
        };
        dates.add(decoded);
        match put() {
            Ok(entry) => blocks.push(entry),
            Err(e) => {
                *problem = Some(e.to_string());
                state.to = None;
                let _ = self.builder.lock.set_len(0); // on a full disk others need the room
            }
        }
    }
}

/// The number in the cache of the name that is `id` to the worker.
#[inline]
fn number(known: &mut Vec<(u128, u32)>, all: &mut Dictionary, names: &Dictionary, id: u32) -> u32 {
    let key = names.key(id);
    match known.get(id as usize) {
        Some((theirs, number)) if *theirs == key => *number,
        _ => {
            let number = all.intern(names.name(id), 0);
            if known.len() <= id as usize {
                known.resize(id as usize + 1, (0, 0));
            }
            known[id as usize] = (key, number);
            number
        }
    }
}

/// What was refused, as it is written.
fn rejects(decoded: &Decoded) -> io::Result<Vec<u8>> {
    let place = |field: &'static str| FIELDS.iter().position(|known| *known == field).map(|place| place as u32);
    let fault =
        |fault: &dataflows::sale::Fault| -> Found { (fault.code.to_owned(), fault.field.and_then(place), fault.message.clone()) };
    let reject = |reject: &dataflows::sale::Reject| -> Refused {
        (reject.span.start, reject.span.end, reject.faults.iter().map(fault).collect())
    };
    let rejects: Vec<Refused> = decoded.rejects.iter().map(reject).collect();
    postcard::to_stdvec(&rejects).map_err(io::Error::other)
}

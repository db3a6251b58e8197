//! Reading a cache: blocks that need no decoding, on any worker.
//!
//! A file is looked at once, in whole; each worker then has a mapping of its own and reads the records where they lie. A
//! sale of the cache becomes one of the worker by translating its three names, each of which is looked up once a block.
//! The bytes of records are read only where a dead letter asks for them.

use super::head::{self, Made, Part, Refused, Stamp, Table};
use super::image::Image;
use dataflows::clock::{Kept, KeptBlock};
use dataflows::dictionary::{Dictionaries, Dictionary, identity};
use dataflows::sale::{self, Decoded, Op, Payloads, Sale, Span};
use dataflows::schema::FIELDS;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A cache that may be read.
#[derive(Debug)]
pub struct Cache {
    file: File,
    /// The file that it is of.
    source: File,
    table: Table,
    /// The identities of its names.
    keys: [Vec<u128>; 3],
}

impl Cache {
    /// Looks at a cache of `source`.
    ///
    /// # Errors
    /// Why it cannot be used, in words.
    pub fn open(file: File, source: File, made: &Made, stamp: &Stamp) -> Result<Cache, String> {
        if file.metadata().map_err(|e| e.to_string())?.len() == 0 {
            return Err("it was cut short: 0 bytes".into()); // nothing that could be mapped
        }
        let image = Image::map(&file).map_err(|e| e.to_string())?;
        let at = head::check(image.bytes())?;
        let table: Table = postcard::from_bytes(&image.bytes()[at..]).map_err(|e| format!("its table cannot be read: {e}"))?;
        stamp.check(&table.stamp)?;
        made.check(&table.made, &table.dates)?;
        let keys = table.names.each_ref().map(|names| names.iter().map(|name| identity(name.as_bytes())).collect());
        Ok(Cache { file, source, table, keys })
    }

    /// For one worker.
    ///
    /// # Errors
    /// Those of the system, in words.
    pub fn worker(self: &Arc<Cache>) -> Result<Box<dyn Kept>, String> {
        let image = Image::map(&self.file).map_err(|e| format!("its cache cannot be mapped: {e}"))?;
        let known = self.keys.each_ref().map(|keys| vec![(0, 0); keys.len()]);
        Ok(Box::new(Worker { cache: self.clone(), image, known, turn: 0 }))
    }

    fn part(&self, part: Part) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; part.1 as usize];
        self.file.read_exact_at(&mut bytes, part.0).map_err(|e| format!("its cache: {e}"))?;
        Ok(bytes)
    }
}

/// One worker's view of it.
struct Worker {
    cache: Arc<Cache>,
    image: Image,
    /// By name space and number in the cache: when it was last looked up, and the worker's id for it.
    known: [Vec<(u32, u32)>; 3],
    /// Counts the blocks.
    turn: u32,
}

/// What happened, by number.
const OPS: [Op; 4] = [Op::Sale, Op::Cancel, Op::Return, Op::Stock];

const DAMAGED: &str = "its cache changed while it was read; remove it";

impl Kept for Worker {
    fn size(&self) -> u64 {
        self.cache.table.length
    }

    fn block(&mut self, start: u64, names: &mut Dictionaries) -> Result<KeptBlock, String> {
        let table = &self.cache.table;
        let at = table.blocks.binary_search_by_key(&start, |block| block.start).map_err(|_| DAMAGED)?;
        let entry = &table.blocks[at];
        self.turn = match self.turn.checked_add(1) {
            Some(turn) => turn,
            None => {
                self.known.iter_mut().for_each(|known| known.fill((0, 0)));
                1
            }
        };
        let (turn, now) = (self.turn, names.block);
        let [sellers, categories, products] = &mut self.known;
        let [seller_keys, category_keys, product_keys] = &self.cache.keys;
        let [seller_names, category_names, product_names] = &table.names;
        let mut sellers = Names { known: sellers, keys: seller_keys, names: seller_names, turn, now, to: &mut names.sellers };
        let mut categories =
            Names { known: categories, keys: category_keys, names: category_names, turn, now, to: &mut names.categories };
        let mut products =
            Names { known: products, keys: product_keys, names: product_names, turn, now, to: &mut names.products };
        let range = entry.sales.0 as usize..(entry.sales.0 + entry.sales.1) as usize;
        let records = self.image.records(range).ok_or(DAMAGED)?;
        let count = records.size_hint().0;
        let mut decoded = Decoded { base: entry.base, ..Decoded::default() };
        decoded.sales.reserve_exact(count);
        decoded.spans.reserve_exact(count);
        for record in records {
            decoded.sales.push(Sale {
                at: record.at,
                customer: record.customer,
                seller: sellers.id(record.seller).ok_or(DAMAGED)?,
                product: products.id(record.product).ok_or(DAMAGED)?,
                category: categories.id(record.category).ok_or(DAMAGED)?,
                price: record.price,
                quantity: record.quantity,
                op: *OPS.get(record.op as usize).ok_or(DAMAGED)?,
                payment: record.payment as u8,
            });
            decoded.spans.push(Span { start: record.start, end: record.end });
        }
        let bytes = |part: Part| self.image.bytes().get(part.0 as usize..(part.0 + part.1) as usize).ok_or(DAMAGED);
        let ids = bytes(entry.ids)?.chunks_exact(16);
        decoded.ids = ids.map(|id| u128::from_le_bytes(std::array::from_fn(|i| id[i]))).collect();
        let rejects: Vec<Refused> = postcard::from_bytes(bytes(entry.rejects)?).map_err(|_| DAMAGED)?;
        decoded.rejects = rejects.into_iter().map(refused).collect();
        decoded.carried = postcard::from_bytes(bytes(entry.carried)?).map_err(|_| DAMAGED)?;
        let cache = self.cache.clone();
        decoded.elsewhere = Some(match entry.text {
            Some(text) => Arc::new(Packed { cache, part: text, text: OnceLock::new() }),
            None => Arc::new(Plain { cache, base: entry.base }),
        });
        Ok(KeptBlock { bytes: entry.bytes, decoded })
    }
}

/// The names of one name space.
struct Names<'a> {
    known: &'a mut [(u32, u32)],
    keys: &'a [u128],
    names: &'a [String],
    turn: u32,
    now: u64,
    to: &'a mut Dictionary,
}

impl Names<'_> {
    /// The worker's id of a name of the cache.
    #[inline]
    fn id(&mut self, number: u32) -> Option<u32> {
        match *self.known.get(number as usize)? {
            (turn, id) if turn == self.turn => Some(id),
            (_, id) => Some(self.look(number as usize, id)),
        }
    }

    /// It is met for the first time in this block: the worker may have forgotten it.
    fn look(&mut self, number: usize, id: u32) -> u32 {
        let known = self.to.renew(id, self.keys[number], self.now);
        let id = if known { id } else { self.to.intern(&self.names[number], self.now) };
        self.known[number] = (self.turn, id);
        id
    }
}

fn refused((start, end, faults): Refused) -> sale::Reject {
    let faults = faults.into_iter().map(|(code, field, message)| {
        let field = field.and_then(|place| FIELDS.get(place as usize).copied());
        sale::Fault { code: code_named(&code), field, message }
    });
    sale::Reject { span: Span { start, end }, faults: faults.collect() }
}

/// A code of a fault for as long as the program runs: there are some thirty of them.
fn code_named(code: &str) -> &'static str {
    static CODES: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    let mut codes = CODES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = codes.get(code) {
        return known;
    }
    let code: &'static str = Box::leak(code.into());
    codes.insert(code);
    code
}

/// Bytes of records that stand in the file itself.
#[derive(Debug)]
struct Plain {
    cache: Arc<Cache>,
    base: u64,
}

impl Payloads for Plain {
    fn payload(&self, span: Span) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; (span.end - span.start) as usize];
        let at = self.base + u64::from(span.start);
        self.cache.source.read_exact_at(&mut bytes, at).map_err(|e| e.to_string())?;
        Ok(bytes)
    }
}

/// Bytes of records that the cache holds packed, a block at a time.
#[derive(Debug)]
struct Packed {
    cache: Arc<Cache>,
    part: Part,
    text: OnceLock<Result<Vec<u8>, String>>,
}

impl Payloads for Packed {
    fn payload(&self, span: Span) -> Result<Vec<u8>, String> {
        let unpacked = || zstd::stream::decode_all(&*self.cache.part(self.part)?).map_err(|e| format!("its cache: {e}"));
        let text = self.text.get_or_init(unpacked).as_ref().map_err(String::clone)?;
        Ok(text.get(span.start as usize..span.end as usize).ok_or(DAMAGED)?.to_vec())
    }
}

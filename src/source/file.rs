//! Files: plain ones at any place, packed ones from front to end.

use super::Packing;
use dataflows::clock::{Blocks, Pull, Pulled};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes asked for in one go.
const CHUNK: usize = 1 << 17;

/// A plain file. Its size is that at the start: what is appended later is not read.
pub struct Plain {
    file: File,
    size: u64,
}

impl Plain {
    /// An open file of this size.
    pub fn new(file: File, size: u64) -> Plain {
        Plain { file, size }
    }
}

impl Blocks for Plain {
    fn size(&self) -> u64 {
        self.size
    }
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), String> {
        self.file.read_exact_at(into, at).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => "it became shorter while it was read".to_owned(),
            _ => e.to_string(),
        })
    }
}

/// A file that is read from front to end.
pub fn packed(file: File, packing: Packing) -> Result<Box<dyn Pull>, String> {
    let count = Arc::new(AtomicU64::new(0));
    let stored = BufReader::with_capacity(CHUNK, Counted { file, count: count.clone() });
    let from: Box<dyn Read> = match packing {
        Packing::None => Box::new(stored),
        Packing::Gzip => Box::new(MultiGzDecoder::new(stored)),
        Packing::Zstd => Box::new(zstd::Decoder::with_buffer(stored).map_err(|e| e.to_string())?),
    };
    Ok(Box::new(Packed { from, count, packing }))
}

struct Counted {
    file: File,
    count: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(into)?;
        self.count.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

struct Packed {
    from: Box<dyn Read>,
    count: Arc<AtomicU64>,
    packing: Packing,
}

impl Pull for Packed {
    fn pull(&mut self, into: &mut Vec<u8>) -> Result<Pulled, String> {
        match fill(&mut *self.from, into) {
            Ok(0) => Ok(Pulled::End),
            Ok(_) => Ok(Pulled::Some),
            Err(e) if self.packing == Packing::None => Err(e.to_string()),
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => {
                Err("it ends in the middle of the compressed data; fetch the file again".into())
            }
            Err(e) => Err(format!("the compressed data is damaged ({e}); fetch the file again")),
        }
    }
    fn consumed(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Appends what one read gives.
pub fn fill(from: &mut dyn Read, into: &mut Vec<u8>) -> std::io::Result<usize> {
    let had = into.len();
    into.resize(had + CHUNK, 0);
    let read = loop {
        match from.read(&mut into[had..]) {
            Err(e) if e.kind() == ErrorKind::Interrupted => (),
            read => break read,
        }
    };
    into.truncate(had + *read.as_ref().unwrap_or(&0));
    read
}

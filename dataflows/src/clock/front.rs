//! An input read from front to end, cut into the same blocks that [`blocks`](super::blocks) cuts.
//!
//! Whether a block is the last of its input is known with it, not found out by a later read: the watermark depends on it. So
//! the reader looks past the end of each block.
//!
//! A CSV record may hold line ends inside quotes, so its end cannot be found from the middle: every record is walked. A quote
//! opens only at the start of a field, as CSV readers have it; a stray one inside a field is text.

use super::blocks::mark;
use super::feed::{Format, Pull, Pulled};
use memchr::memchr;
use std::time::Duration;

/// A record longer than this is no record: most likely the input is not what its name says.
const LONGEST: usize = 1 << 28;

/// Bytes of the records that begin in `start..next`.
pub struct Piece {
    /// See above.
    pub start: u64,
    /// See above.
    pub next: u64,
    /// Offset of the first of them.
    pub at: u64,
    /// The records, complete.
    pub bytes: Vec<u8>,
    /// Nothing follows.
    pub ended: bool,
    /// Bytes of the stored input that were read since the last piece.
    pub consumed: u64,
}

/// What a reader from front to end has to say.
pub enum Step {
    /// The next block.
    Piece(Piece),
    /// Not enough bytes yet; to be tried again after this time, or when woken.
    Wait(Option<Duration>),
}

/// One input and what was read of it and not handed on.
pub struct Front {
    source: Box<dyn Pull>,
    cut: Cut,
    /// The header, once it was read; always `Some(empty)` of an input that has none.
    pub header: Option<Vec<u8>>,
    held: Vec<u8>,
    /// Offset of `held[0]`: a record begins there.
    at: u64,
    /// Length of the byte order mark.
    mark: usize,
    block: u64,
    ended: bool,
    pub done: bool,
    told: u64,
}

impl Front {
    /// A reader for an input in this format; `delimiter` is that of CSV.
    pub fn new(source: Box<dyn Pull>, format: Format, delimiter: u8) -> Front {
        let cut = match format {
            Format::Json => Cut::Lines { seen: 0 },
            Format::Csv => Cut::Csv { delimiter, seen: 0, field: Field::Record },
        };
        let (held, at, mark, block, told) = (vec![], 0, 0, 0, 0);
        Front { source, cut, header: None, held, at, mark, block, ended: false, done: false, told }
    }

    /// The start of the next block.
    pub fn start(&self, size: u64) -> u64 {
        self.block * size
    }

    /// Reads on until the next block of `size` is complete.
    ///
    /// # Errors
    /// Those of the input.
    pub fn step(&mut self, size: u64) -> Result<Step, String> {
        loop {
            if let Some(piece) = self.piece(size) {
                return Ok(Step::Piece(piece));
            }
            if self.held.len() > LONGEST + size as usize {
                return Err(format!("a record of more than {} MiB; is this really a file of records?", LONGEST >> 20));
            }
            match self.source.pull(&mut self.held)? {
                Pulled::Some => (),
                Pulled::Later(time) => return Ok(Step::Wait(Some(time))),
                Pulled::Woken => return Ok(Step::Wait(None)),
                Pulled::End => self.ended = true,
            }
        }
    }

    fn piece(&mut self, size: u64) -> Option<Piece> {
        if self.header.is_none() && !self.begin() {
            return None;
        }
        let (start, next) = (self.block * size, (self.block + 1) * size);
        let length = self.at + self.held.len() as u64;
        if !self.ended && length <= next {
            return None; // it could be the last one
        }
        // The first record of the input is in its first block, even if a byte order mark fills that.
        let until = if start == 0 { next.max(self.mark as u64 + 1) } else { next };
        let cut = self.cut.before(until.saturating_sub(self.at) as usize, &self.held, self.ended)?;
        self.cut.restart();
        let rest = self.held.split_off(cut);
        let bytes = std::mem::replace(&mut self.held, rest);
        let at = self.at;
        self.at += cut as u64;
        self.block += 1;
        self.done = self.ended && length <= next;
        let consumed = self.source.consumed();
        let news = consumed - std::mem::replace(&mut self.told, consumed);
        let next = if self.done { length } else { next };
        Some(Piece { start, next, at, bytes, ended: self.done, consumed: news })
    }

    /// Takes the byte order mark and the header off; false when that needs more bytes.
    fn begin(&mut self) -> bool {
        if self.held.len() < 3 && !self.ended {
            return false;
        }
        let mark = mark(&self.held);
        let mut skip = mark;
        let mut header = vec![];
        if let Cut::Csv { .. } = self.cut {
            while let Some(b'\n' | b'\r') = self.held.get(skip) {
                skip += 1;
            }
            let Some(end) = self.cut.before(1, &self.held[skip..], self.ended) else {
                self.cut.restart();
                return false;
            };
            self.cut.restart();
            header = self.held[skip..skip + end].to_vec();
            skip += end;
        }
        self.held.drain(..skip);
        (self.at, self.mark, self.header) = (skip as u64, mark, Some(header));
        true
    }
}

/// Finds where records end, going on where it stopped for want of bytes.
enum Cut {
    Lines {
        /// Bytes known to hold no end that counts.
        seen: usize,
    },
    Csv {
        delimiter: u8,
        /// Bytes walked.
        seen: usize,
        field: Field,
    },
}

/// Where in a CSV record one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    /// A record starts.
    Record,
    /// A field starts.
    Start,
    /// In an unquoted field.
    Plain,
    /// In quotes.
    Quoted,
    /// Behind a quote in quotes: it ends them, or another one follows and both are text.
    Quote,
}

impl Cut {
    /// The end of the last record that begins before `until`, counted from a place where a record begins; `None` when it
    /// needs more bytes, which there never are when `ended`.
    fn before(&mut self, until: usize, bytes: &[u8], ended: bool) -> Option<usize> {
        if until == 0 {
            return Some(0);
        }
        match self {
            Cut::Lines { seen } => {
                let from = (until - 1).max(*seen);
                let found = bytes.get(from..).and_then(|tail| memchr(b'\n', tail)).map(|p| from + p + 1);
                *seen = bytes.len();
                found.or(ended.then_some(bytes.len()))
            }
            Cut::Csv { delimiter, seen, field } => {
                for (k, byte) in bytes.iter().enumerate().skip(*seen) {
                    if matches!(field, Field::Record) && k >= until {
                        *seen = k;
                        return Some(k);
                    }
                    *field = match (*field, *byte) {
                        (Field::Quoted, b'"') => Field::Quote,
                        (Field::Quoted, _) => Field::Quoted,
                        (_, b'\n') => Field::Record,
                        (Field::Record | Field::Start | Field::Quote, b'"') => Field::Quoted,
                        (_, byte) if byte == *delimiter => Field::Start,
                        _ => Field::Plain,
                    };
                }
                *seen = bytes.len();
                let complete = matches!(field, Field::Record) && bytes.len() >= until;
                (ended || complete).then_some(bytes.len())
            }
        }
    }

    /// The next call counts from the end that the last one found.
    fn restart(&mut self) {
        match self {
            Cut::Lines { seen } => *seen = 0,
            Cut::Csv { seen, field, .. } => (*seen, *field) = (0, Field::Record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Blocks, blocks};
    use proptest::prelude::*;

    /// Hands out the bytes in small pieces.
    struct Pieces(Vec<u8>, usize, u64);

    impl Pull for Pieces {
        fn pull(&mut self, into: &mut Vec<u8>) -> Result<Pulled, String> {
            let rest = &self.0[self.2 as usize..];
            into.extend_from_slice(&rest[..self.1.min(rest.len())]);
            self.2 += self.1.min(rest.len()) as u64;
            Ok(if rest.is_empty() { Pulled::End } else { Pulled::Some })
        }
        fn consumed(&self) -> u64 {
            self.2
        }
    }

    struct Memory(Vec<u8>);

    impl Blocks for Memory {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }
        fn read(&self, at: u64, into: &mut [u8]) -> Result<(), String> {
            into.copy_from_slice(&self.0[at as usize..at as usize + into.len()]);
            Ok(())
        }
    }

    fn pieces(bytes: &[u8], format: Format, size: u64, chunk: usize) -> (Vec<Piece>, Vec<u8>) {
        let mut front = Front::new(Box::new(Pieces(bytes.to_vec(), chunk, 0)), format, b',');
        let mut pieces = vec![];
        while !front.done {
            let Ok(Step::Piece(piece)) = front.step(size) else { panic!("never waits, never fails") };
            pieces.push(piece);
        }
        assert_eq!(pieces.iter().map(|p| p.consumed).sum::<u64>(), bytes.len() as u64);
        (pieces, front.header.unwrap_or_default())
    }

    /// Offsets and bytes of the lines that begin in `bytes[from..until]`.
    fn lines(base: u64, bytes: &[u8], from: usize, until: usize) -> Vec<(u64, Vec<u8>)> {
        let (mut at, mut lines) = (from, vec![]);
        while at < bytes.len() && at < until {
            let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |p| at + p + 1);
            lines.push((base + at as u64, bytes[at..end].to_vec()));
            at = end;
        }
        lines
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![4 => "[a-z,]{0,9}", 3 => Just("\n".to_string()), 1 => Just("\r\n".to_string()),
            2 => "\"[a-z\n]{0,9}(\"\")?[a-z,\n]{0,3}\"", 1 => Just("\"".to_string())];
        (any::<bool>(), prop::collection::vec(piece, 0..40)).prop_map(|(mark, pieces)| {
            let mark = if mark { "\u{FEFF}" } else { "" };
            (mark.to_string() + &pieces.concat()).into_bytes()
        })
    }

    proptest! {
        /// From front to end or anywhere: the same records in each block.
        #[test]
        fn lines_are_cut_as_blocks_are(bytes in text(), size in 1u64..60, chunk in 1usize..20) {
            let file = Memory(bytes.clone());
            let (pieces, _) = pieces(&bytes, Format::Json, size, chunk);
            prop_assert_eq!(pieces.len() as u64, (bytes.len() as u64).div_ceil(size).max(1));
            for piece in pieces {
                let raw = blocks::read(&file, piece.start, piece.next, b"what stood here before".to_vec()).expect("memory");
                let anywhere = lines(raw.base, &raw.bytes, raw.from, raw.until);
                prop_assert_eq!(lines(piece.at, &piece.bytes, 0, piece.bytes.len()), anywhere);
                prop_assert_eq!(piece.ended, piece.next == bytes.len() as u64);
            }
        }

        /// A block of CSV holds the records that begin in it, as a CSV reader finds them.
        #[test]
        fn csv_is_cut_between_records(bytes in text(), size in 1u64..60, chunk in 1usize..20) {
            let (pieces, header) = pieces(&bytes, Format::Csv, size, chunk);
            let body = header.len() + (pieces[0].at as usize - header.len());
            prop_assert_eq!(pieces.iter().flat_map(|p| p.bytes.clone()).collect::<Vec<u8>>(), &bytes[body..]);
            let records = |bytes: &[u8]| -> Vec<Vec<String>> {
                let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
                reader.records().map(|r| r.expect("text").iter().map(String::from).collect()).collect()
            };
            let all = records(&bytes[body..]);
            prop_assert_eq!(pieces.iter().flat_map(|p| records(&p.bytes)).collect::<Vec<_>>(), all);
            for piece in &pieces {
                prop_assert!(piece.bytes.is_empty() || piece.at < piece.next || piece.start == 0);
                prop_assert!(piece.bytes.is_empty() || piece.at >= piece.start);
            }
        }
    }
}

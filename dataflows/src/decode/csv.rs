//! Cutting CSV into records and cells, as RFC 4180 has it.
//!
//! A cell is quoted when its first character is a quote; inside, a doubled quote is a quote, and line ends are text. A quote
//! elsewhere is a character like any other. Text between a closing quote and the next delimiter is taken as it stands (what
//! the `csv` crate does too). A record ends at `\n` or `\r\n` outside quotes. It is cut from raw bytes because a dead letter
//! needs the record's own bytes and offset.

use super::record::{Kind, Slot};
use memchr::{memchr, memchr2};

/// The extent of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// One past its last byte, without the line end.
    pub end: usize,
    /// Where the next record begins.
    pub next: usize,
    /// A quoted cell is still open at the end of the bytes.
    pub open: bool,
}

/// A cell: its bytes, quotes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub start: usize,
    pub end: usize,
    /// It begins with a quote.
    pub quoted: bool,
}

/// Walks over the record that begins at `at` and hands over its cells.
pub(crate) fn record(bytes: &[u8], at: usize, delimiter: u8, mut each: impl FnMut(Cell)) -> Extent {
    let mut start = at;
    loop {
        let quoted = bytes.get(start) == Some(&b'"');
        let mut i = start;
        if quoted {
            // To the closing quote: one that no quote follows.
            i += 1;
            loop {
                match memchr(b'"', &bytes[i..]) {
                    None => {
                        each(Cell { start, end: bytes.len(), quoted });
                        return Extent { end: bytes.len(), next: bytes.len(), open: true };
                    }
                    Some(k) if bytes.get(i + k + 1) == Some(&b'"') => i += k + 2,
                    Some(k) => {
                        i += k + 1;
                        break;
                    }
                }
            }
        }
        match memchr2(delimiter, b'\n', &bytes[i..]).map(|k| i + k) {
            Some(end) if bytes[end] == delimiter => {
                each(Cell { start, end, quoted });
                start = end + 1;
            }
            found => {
                let stop = found.unwrap_or(bytes.len());
                // A `\r` before the line end belongs to it.
                let end = if stop > start && bytes[stop - 1] == b'\r' { stop - 1 } else { stop };
                each(Cell { start, end, quoted });
                return Extent { end, next: (stop + 1).min(bytes.len()), open: false };
            }
        }
    }
}

/// The value of a cell of the record `line`; an empty cell is no value. `at` is where the record begins in the bytes that
/// the cell was cut from.
pub(crate) fn value(line: &str, at: usize, cell: Cell, scratch: &mut String) -> Slot {
    let (start, end) = (cell.start - at, cell.end - at);
    let slot = if cell.quoted { unquote(line, start, end, scratch) } else { Slot::line(Kind::Cell, start, end) };
    if slot.start == slot.end { Slot::default() } else { slot }
}

fn unquote(line: &str, start: usize, end: usize, scratch: &mut String) -> Slot {
    let text = &line[start + 1..end];
    if let Some(inner) = text.strip_suffix('"')
        && !inner.contains('"')
    {
        return Slot::line(Kind::Cell, start + 1, end - 1);
    }
    let from = scratch.len();
    let mut rest = text;
    // Quoted: two quotes are one, one alone closes, and what follows stands as it is.
    while let Some((before, after)) = rest.split_once('"') {
        scratch.push_str(before);
        rest = after;
        match rest.strip_prefix('"') {
            Some(more) => {
                scratch.push('"');
                rest = more;
            }
            None => break,
        }
    }
    scratch.push_str(rest);
    Slot { kind: Kind::Cell, scratch: true, start: from as u32, end: scratch.len() as u32 }
}

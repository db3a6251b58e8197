//! Reading plain files of lines by block, on any worker.
//!
//! Block `n` holds the records that *begin* in `n*size..(n+1)*size`. Its bounds need no reading, so that any worker of any
//! process can take any block without moving bytes, and a reader from front to end cuts the same ones.

use super::feed::{Blocks, RawBlock};
use memchr::memchr;

/// Bytes read past the end of a block in one go to find the end of its last record.
const PAST: u64 = 4096;

/// Length of a byte order mark at the front of an input: no part of the first record.
pub fn mark(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 }
}

/// Reads the records that begin in `start..next`, where `next` is within the size, into `bytes`: whatever stands there is written
/// over, and only what lies behind it has to be made first.
///
/// # Errors
/// Those of the input.
pub fn read(file: &dyn Blocks, start: u64, next: u64, mut bytes: Vec<u8>) -> Result<RawBlock, String> {
    let size = file.size();
    let base = start.saturating_sub(1); // one byte back: does a record begin exactly at `start`?
    let mut end = base;
    let mut fill = |bytes: &mut Vec<u8>, upto: u64| {
        bytes.resize((upto - base) as usize, 0);
        file.read(end, &mut bytes[(end - base) as usize..])?;
        end = upto;
        Ok::<u64, String>(end)
    };
    let mut filled = fill(&mut bytes, (next + PAST).min(size))?;
    let until = (next - base) as usize;
    // The first record of the input is in its first block, even if a byte order mark fills that.
    let (from, until) = match start {
        0 => (mark(&bytes), until.max(mark(&bytes) + 1)),
        _ => (memchr(b'\n', &bytes[..until]).map_or(until, |p| p + 1), until),
    };
    // When no record begins here, the end of the one that passes through is of no interest.
    if from < until {
        let mut at = until - 1;
        loop {
            if let Some(p) = memchr(b'\n', &bytes[at..]) {
                bytes.truncate(at + p + 1);
                break;
            }
            at = bytes.len();
            if filled == size {
                break;
            }
            filled = fill(&mut bytes, (filled + PAST.max(filled - base)).min(size))?;
        }
    } else {
        bytes.clear();
    }
    Ok(RawBlock { from: from.min(bytes.len()), until, bytes, base })
}

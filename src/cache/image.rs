//! Sales as they lie in memory, written to a file and read back in place: the one module that knows `abomonation`.
//!
//! `abomonation` takes bytes for a struct without a question, which is what makes it quick and what its advisory
//! (RUSTSEC-2021-0120) is about. Here it gets nothing but [`Record`]: plain integers, no pointers, no padding, so that any 56
//! bytes at an aligned place are one. What `decode` does is done here step by step: there it makes the reference to the whole
//! record out of one to its first byte, which Miri refuses, and forgets to ask for the alignment. Whether they are the *right* ones is not asked here: whoever hands bytes in has compared
//! their magic, version, layout hash, length and checksum before ([`head`](super::head)).
//!
//! A mapping is private and read only in effect: nothing writes to it, and if something did, the file would not change.
#![expect(unsafe_code, reason = "structs are read in place; each block says why it is sound")]

use abomonation::{Abomonation, encode};
use memmap2::{MmapMut, MmapOptions};
use std::fs::File;
use std::mem::{align_of, offset_of, size_of};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_64;

/// A sale as the cache keeps it. Names are places in the cache's own lists of names.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// As in a [`Sale`](dataflows::sale::Sale).
    pub at: i64,
    /// As in a `Sale`.
    pub customer: [u64; 2],
    /// Which of the sellers.
    pub seller: u32,
    /// Which of the products.
    pub product: u32,
    /// Which of the categories.
    pub category: u32,
    /// As in a `Sale`.
    pub price: u32,
    /// As in a `Sale`.
    pub quantity: u32,
    /// As a number, in the order of [`Op`](dataflows::sale::Op).
    pub op: u16,
    /// As in a `Sale`.
    pub payment: u16,
    /// Where its bytes begin in its block.
    pub start: u32,
    /// Where they end.
    pub end: u32,
}

// Nothing to follow: a record owns nothing outside of itself.
impl Abomonation for Record {}

/// Bytes of a record.
pub const SIZE: usize = size_of::<Record>();

/// Its fields fill it: no byte of it is padding, whose content would be undefined.
const _: () = assert!(SIZE == size_of::<i64>() + size_of::<[u64; 2]>() + 7 * size_of::<u32>() + 2 * size_of::<u16>());

/// A number that is another one where records would lie in memory in another way.
pub fn layout() -> u64 {
    macro_rules! places {
        ($($field:ident)*) => { [$((stringify!($field), offset_of!(Record, $field))),*] };
    }
    let places = places!(at customer seller product category price quantity op payment start end);
    let order = u32::from_ne_bytes([1, 2, 3, 4]);
    xxh3_64(format!("{SIZE} {} {order} {places:?}", align_of::<Record>()).as_bytes())
}

/// Appends a record.
pub fn write(record: &Record, to: &mut Vec<u8>) {
    // SAFETY: `encode` copies the bytes of the struct, all of which are initialised (no padding, see above), and asks
    // `entomb` for what lies behind pointers, of which there are none.
    let written = unsafe { encode(record, to) };
    debug_assert!(written.is_ok(), "a vector takes what comes");
}

/// The records that `bytes` consist of, in place; `None` when they lie at no place for records, or end within one.
pub fn records(bytes: &mut [u8]) -> Option<Records<'_>> {
    let fits = bytes.as_ptr().addr().is_multiple_of(align_of::<Record>()) && bytes.len().is_multiple_of(SIZE);
    fits.then_some(Records { rest: bytes })
}

/// See [`records`].
pub struct Records<'b> {
    /// Aligned, and a whole number of records.
    rest: &'b mut [u8],
}

impl<'b> Iterator for Records<'b> {
    type Item = &'b Record;

    #[inline]
    fn next(&mut self) -> Option<&'b Record> {
        let (front, rest) = std::mem::take(&mut self.rest).split_at_mut_checked(SIZE)?;
        // SAFETY: `front` has the bytes of one record, borrowed alone for as long as the record is. `rest` was aligned for a record
        // before, and stays so as whole records are taken off its front. Any bytes are a valid record: it consists of integers.
        let record = unsafe { &mut *front.as_mut_ptr().cast::<Record>() };
        // SAFETY: `exhume` puts pointers right. A record has none, so that nothing is done to it, and the rest comes back.
        self.rest = unsafe { record.exhume(rest) }?;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.rest.len() / SIZE, Some(self.rest.len() / SIZE))
    }
}

/// A whole file in memory, for one worker.
#[derive(Debug)]
pub struct Image(MmapMut);

impl Image {
    /// Maps a file as it is now.
    ///
    /// # Errors
    /// Those of the system.
    pub fn map(file: &File) -> std::io::Result<Image> {
        // SAFETY: the mapping is private, so what is done to it reaches no file and no other process. What could reach it from
        // outside is a change of the file in place. This program makes none: a cache is written under another name, renamed
        // when it is complete, and never written again. Who changes or shortens one by hand while it is read gets wrong rows
        // or SIGBUS; no bytes are an invalid record, so no value of a type is ever made that is none.
        unsafe { MmapOptions::new().map_copy(file) }.map(Image)
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The records in a part of it.
    pub fn records(&mut self, range: Range<usize>) -> Option<Records<'_>> {
        self.0.get_mut(range).and_then(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u32) -> Record {
        let (customer, end) = ([1 << 40, u64::MAX], u32::MAX);
        Record {
            at: i64::from(n) - 3,
            customer,
            seller: n,
            product: 2,
            category: 3,
            price: 4,
            quantity: 5,
            op: 1,
            payment: 6,
            start: 7,
            end,
        }
    }

    /// Bytes of some records at an aligned place, and that place.
    fn written(n: u32) -> (Vec<u8>, usize) {
        let mut bytes = vec![0; 8];
        let pad = bytes.as_ptr().align_offset(align_of::<Record>());
        bytes.truncate(pad);
        bytes.reserve_exact(8 + n as usize * SIZE);
        let pad = bytes.as_ptr().align_offset(align_of::<Record>());
        bytes.resize(pad, 0);
        (0..n).for_each(|n| write(&record(n), &mut bytes));
        (bytes, pad)
    }

    #[test]
    fn records_are_read_where_they_lie() {
        let (mut bytes, pad) = written(5);
        let range = bytes.as_ptr_range();
        let read = records(&mut bytes[pad..]).expect("aligned and whole");
        assert_eq!(read.size_hint(), (5, Some(5)));
        for (n, found) in read.enumerate() {
            assert_eq!(*found, record(n as u32));
            assert!(range.contains(&std::ptr::from_ref(found).cast::<u8>()), "in place");
        }
    }

    #[test]
    fn half_records_and_odd_places_are_none() {
        let (mut bytes, pad) = written(2);
        let end = bytes.len();
        assert!(records(&mut bytes[pad..end - 1]).is_none());
        assert!(records(&mut bytes[pad + 4..end - 52]).is_none(), "not aligned");
        assert_eq!(records(&mut bytes[pad..pad]).map(Iterator::count), Some(0));
    }

    #[test]
    fn any_bytes_are_records() {
        let (mut bytes, pad) = written(3);
        bytes[pad..].fill(0xFF);
        let found: Vec<Record> = records(&mut bytes[pad..]).expect("aligned and whole").copied().collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[2], Record { at: -1, op: u16::MAX, customer: [u64::MAX; 2], ..found[0] });
    }

    #[test]
    #[cfg_attr(miri, ignore = "files cannot be mapped there")]
    fn a_file_is_mapped_aligned() {
        let mut file = tempfile::tempfile().expect("a file");
        let (bytes, pad) = written(9);
        std::io::Write::write_all(&mut file, &bytes[pad..]).expect("written");
        let mut image = Image::map(&file).expect("mapped");
        assert_eq!(image.bytes(), &bytes[pad..]);
        let found: Vec<u32> = image.records(2 * SIZE..4 * SIZE).expect("aligned").map(|r| r.seller).collect();
        assert_eq!(found, [2, 3]);
        assert!(image.records(0..10 * SIZE).is_none(), "beyond the end");
    }
}

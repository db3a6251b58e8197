//! One validated sale, flat and `Copy`: what the dataflow folds.
//!
//! Names are dense ids of the [`Dictionaries`](crate::dictionary::Dictionaries) of the worker that decoded the record;
//! they mean nothing on another worker. Money is integer cents.

use crate::message::Messages;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a record says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum Op {
    /// Goods were sold.
    Sale,
    /// A sale (same fields, same `sale_date`) never happened: it is subtracted where it was counted.
    Cancel,
    /// Goods came back, at this record's own time: counted in `returned_*` only.
    Return,
    /// No sale: at this time so many units of a product were in stock. Counted in no window and no feature.
    Stock,
}

/// A sale, a cancellation or a return that has passed validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// Event time, milliseconds since the Unix epoch.
    pub at: i64,
    /// 128-bit xxh3 of `id_customer` as (low, high); `[0, 0]` when the record names none.
    pub customer: [u64; 2],
    /// Dense id of `seller`.
    pub seller: u32,
    /// Dense id of `id_product`.
    pub product: u32,
    /// Dense id of `nm_category`.
    pub category: u32,
    /// Price of one unit in cents, 1..=5,000,000.
    pub price: u32,
    /// Units, always positive, whatever `op` is.
    pub quantity: u32,
    /// What happened.
    pub op: Op,
    /// `tp_payment` by its place among the accepted ones; 255 for all places from there on.
    pub payment: u8,
}

impl Sale {
    /// Price times quantity, in cents.
    #[inline]
    pub fn cents(&self) -> i64 {
        i64::from(self.price) * i64::from(self.quantity)
    }
}

/// Why a record was refused, one of possibly several reasons.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// Stable snake_case code, e.g. `price_out_of_range`.
    pub code: &'static str,
    /// The contract's field name, `None` when the whole record is at fault (`bad_json`).
    pub field: Option<&'static str>,
    /// For a person: what was found and what is allowed.
    pub message: String,
}

/// A half-open byte range within the bytes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte; the line end is not part of it.
    pub end: u32,
}

/// A record that validation refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// Where its bytes are.
    pub span: Span,
    /// All that is wrong with it, in the order of the contract's fields.
    pub faults: Vec<Fault>,
}

/// The bytes of the records of a block that was decoded before: read again when a dead letter asks for them.
pub trait Payloads: std::fmt::Debug + Send + Sync {
    /// The bytes of one record, untouched.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn payload(&self, span: Span) -> Result<Vec<u8>, String>;
}

/// The records of one block, decoded: each record is either in `sales` or in `rejects`.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The raw bytes, kept until the fate of each record is known (a dead letter carries them untouched).
    pub bytes: Vec<u8>,
    /// Where the bytes lie when they were not read.
    pub elsewhere: Option<Arc<dyn Payloads>>,
    /// Offset of `bytes[0]` in the decompressed input.
    pub base: u64,
    /// Valid sales in the order of the input.
    pub sales: Vec<Sale>,
    /// The bytes of each sale, parallel to `sales`.
    pub spans: Vec<Span>,
    /// 128-bit xxh3 over (`op`, `id_sale`), parallel to `sales`; empty unless deduplication is on.
    pub ids: Vec<u128>,
    /// Refused records in the order of the input.
    pub rejects: Vec<Reject>,
    /// Where the records stand that were messages of a broker, and what came with them.
    pub messages: Messages,
    /// Offsets of messages, parallel to `ids`; empty when the place in the bytes says it.
    pub offsets: Vec<u64>,
    /// Texts of sales, where somebody wants them.
    pub carried: Carried,
}

/// Texts of the sales of a block that no window needs: the customer, and what is only carried. Sales that are taken out of the
/// block leave their texts behind, so each is found by the place of its record.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Carried {
    all: String,
    places: Vec<Text>,
}

/// The texts of one record.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Text {
    /// Where the record begins in the block.
    start: u32,
    /// Where the customer and the other texts end.
    middle: u32,
    end: u32,
    /// The offset of the record in its input.
    offset: u64,
}

impl Carried {
    /// Adds the texts of the record at `start`, which has this offset in its input; records come in the order of the input.
    pub fn push(&mut self, start: u32, offset: u64, customer: &str, write: impl FnOnce(&mut String)) {
        self.all.push_str(customer);
        let middle = self.all.len() as u32;
        write(&mut self.all);
        self.places.push(Text { start, middle, end: self.all.len() as u32, offset });
    }

    /// Customer, other texts and offset of the records that begin at `starts`, which come in order.
    pub fn of(&self, starts: impl Iterator<Item = u32>) -> impl Iterator<Item = (&str, &str, u64)> {
        let mut next = 0;
        starts.map(move |start| {
            while self.places.get(next).is_some_and(|p| p.start < start) {
                next += 1;
            }
            let Some(p) = self.places.get(next).filter(|p| p.start == start) else { return ("", "", 0) };
            let from = next.checked_sub(1).map_or(0, |before| self.places[before].end);
            let (middle, end) = (p.middle as usize, p.end as usize);
            (&self.all[from as usize..middle], &self.all[middle..end], p.offset)
        })
    }
}

impl Decoded {
    /// The fate of each record is known: what only a dead letter needs is not kept. Returns the raw bytes.
    pub fn let_go(&mut self) -> Vec<u8> {
        (self.elsewhere, self.messages) = (None, Messages::default());
        std::mem::take(&mut self.bytes)
    }

    /// Where the sale `row` stands in its input; known when deduplication is on.
    pub fn offset(&self, row: usize) -> u64 {
        self.offsets.get(row).copied().unwrap_or_else(|| self.base + u64::from(self.spans[row].start))
    }

    /// Records read.
    pub fn records(&self) -> u64 {
        (self.sales.len() + self.rejects.len()) as u64
    }
}

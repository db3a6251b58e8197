//! One validated sale, flat and `Copy`: what the dataflow folds.
//!
//! Names are dense ids of the [`Dictionaries`](crate::dictionary::Dictionaries) of the worker that decoded the record;
//! they mean nothing on another worker. Money is integer cents.

use crate::message::Messages;
use serde::{Deserialize, Serialize};

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

/// The records of one block, decoded: each record is either in `sales` or in `rejects`.
#[derive(Debug, Default)]
pub struct Decoded {
    /// The raw bytes, kept until the fate of each record is known (a dead letter carries them untouched).
    pub bytes: Vec<u8>,
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
}

impl Decoded {
    /// The fate of each record is known: what only a dead letter needs is not kept.
    pub fn let_go(&mut self) {
        (self.bytes, self.messages) = (vec![], Messages::default());
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

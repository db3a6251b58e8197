//! Bytes to sales and rejects: the records of a block, each with exactly one of the two fates.
//!
//! ```text
//! line  ─► scanner ─┬─────────► slots ─► mapping ─► rules ─► sale    (names interned)
//!                   └► fallback ─┘      (settings)       └─► reject  (all faults)
//! CSV   ─► csv ───────────────────┘
//! ```
//!
//! Splitting and judging are apart: whatever the format and whatever the fields are called, a record becomes one row of slots
//! (`record`), and one set of rules ([`validate`](crate::validate)) looks at it. What is the contract's own costs nothing
//! extra: its names lead straight to their slots. Nothing is allocated for a valid sale; a block is decoded in one pass, and
//! the bytes go on with the result, because a dead letter carries them untouched.
//!
//! Names are interned only for records that are valid, so that garbage does not fill the dictionaries, and of some sales at
//! once.

mod bytes;
mod carried;
mod csv;
mod fallback;
mod interning;
mod mapping;
pub(crate) mod record;
mod scanner;

pub(crate) use mapping::{choices, parts};

use crate::dictionary::{Dictionaries, identity};
use crate::message::Messages;
use crate::sale::{Decoded, Fault, Op, Reject, Sale, Span};
use crate::schema::{From, Schema};
use crate::validate::{Valid, Validator, stock_field};
use fallback::Unreadable;
use interning::Interning;
use mapping::Mapping;
use memchr::memchr;
use record::{RULED, Record, Slot};
use scanner::Scanner;
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A longer record is rejected unread.
pub const MAX_RECORD: usize = 1 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// CSV with a header.
    Csv,
}

/// Why the header of a CSV input is of no use.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HeaderError {
    /// It is not UTF-8.
    #[error("the header is not UTF-8")]
    NotUtf8,
    /// Every record would be rejected for want of a field.
    #[error("the header has no column for {field}: it should be called {wanted}, and the columns are {columns}")]
    Missing {
        /// The contract's field.
        field: &'static str,
        /// The names that would do.
        wanted: String,
        /// What is there.
        columns: String,
    },
    /// It cannot be said which of two columns counts.
    #[error("the header has two columns called {0}")]
    Twice(String),
}

/// Decodes the blocks of one worker; keeps what is worth keeping from record to record.
pub struct Decoder {
    schema: Arc<Schema>,
    mapping: Mapping,
    validator: Validator,
    /// For each CSV input the slot of each column, if anyone asks for it.
    headers: HashMap<u32, Arc<[Option<usize>]>>,
    scanner: Scanner,
    slots: Vec<Slot>,
    scratch: String,
    /// A date so many milliseconds ahead of the broker's time is refused.
    max_future: i64,
    /// From which input on records say what is in stock, and who decodes them.
    stock: Option<(u32, Box<Decoder>)>,
    /// Whether records say what is in stock, and are no sales.
    stocks: bool,
}

/// What a sale must have, in a table.
const REQUIRED: [&str; 6] = ["id_sale", "id_product", "seller", "price", "tp_payment", "sale_date"];

/// What a record of the stock must have.
const REQUIRED_OF_STOCK: [&str; 3] = ["id_product", "quantity", "sale_date"];

impl Decoder {
    /// A decoder for a schema that [`Schema::check`] has passed.
    pub fn new(schema: Arc<Schema>) -> Decoder {
        debug_assert_eq!(schema.check(), Ok(()));
        let mapping = Mapping::new(&schema);
        Decoder {
            validator: Validator::new(schema.clone()),
            headers: HashMap::new(),
            scanner: Scanner::default(),
            slots: vec![Slot::default(); mapping.width],
            scratch: mapping.constants.clone(),
            mapping,
            schema,
            max_future: i64::MAX,
            stock: None,
            stocks: false,
        }
    }

    /// From this input on records are `{id_product, stock, at}`: what is in stock at a time. Where the schema maps `id_product`, it does
    /// so here too.
    pub fn stock(self, from: u32) -> Decoder {
        let named = |name: &str| From::Fields(vec![name.into()]);
        let mut fields = std::collections::BTreeMap::from([("quantity", named("stock")), ("sale_date", named("at"))]);
        fields.extend(self.schema.fields.get("id_product").cloned().map(|from| ("id_product", from)));
        let schema = Schema { fields, ..(*self.schema).clone() };
        let own = Decoder { stocks: true, max_future: self.max_future, ..Decoder::new(Arc::new(schema)) };
        Decoder { stock: Some((from, Box::new(own))), ..self }
    }

    /// Refuses the messages whose date is more than so many milliseconds ahead of the broker's time. To be said before
    /// [`Decoder::stock`].
    pub fn max_future(self, max_future: i64) -> Decoder {
        Decoder { max_future, ..self }
    }

    /// The header record of a CSV input, to be given before its records.
    ///
    /// # Errors
    /// When the columns cannot serve: a required field has none, or a name that is asked for stands there twice.
    pub fn header(&mut self, input: u32, bytes: &[u8]) -> Result<(), HeaderError> {
        if let Some((_, stock)) = self.stock.as_mut().filter(|stock| input >= stock.0) {
            return stock.header(input, bytes);
        }
        let bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| HeaderError::NotUtf8)?;
        let (mut names, mut scratch) = (vec![], String::new());
        csv::record(bytes, 0, self.schema.delimiter, |cell| {
            let name = csv::value(text, 0, cell, &mut scratch);
            names.push(name);
        });
        let names: Vec<&str> = names.iter().map(|name| name.text(text, &scratch).trim_ascii()).collect();
        let slots: Vec<_> = names.iter().map(|name| self.mapping.slot(name.as_bytes())).collect();
        for (i, slot) in slots.iter().enumerate() {
            if slot.is_some() && slots[..i].contains(slot) {
                return Err(HeaderError::Twice(names[i].into()));
            }
        }
        let required = if self.stocks { &REQUIRED_OF_STOCK[..] } else { &REQUIRED };
        for &field in required {
            let wanted = choices(&self.schema, field);
            let has = |name: &String| names.contains(&name.as_str());
            let served = match self.schema.fields.get(field) {
                Some(From::Constant(_)) => true,
                Some(From::Template(_)) => wanted.iter().all(has),
                Some(From::Fields(_)) | None => wanted.iter().any(has),
            };
            if !served {
                let field = if self.stocks { stock_field(field) } else { field };
                return Err(HeaderError::Missing { field, wanted: wanted.join(" or "), columns: names.join(", ") });
            }
        }
        self.headers.insert(input, slots.into());
        Ok(())
    }

    /// Decodes the records that begin in `bytes[from..until]`; the last may extend past `until`. `from` is the beginning of a
    /// record, `base` the offset of `bytes[0]` in the input. A block is smaller than 4 GiB.
    #[expect(
        clippy::too_many_arguments,
        reason = "a block is four numbers; a struct around them would be built only to be taken apart"
    )]
    pub fn block(
        &mut self,
        format: Format,
        input: u32,
        bytes: Vec<u8>,
        base: u64,
        from: usize,
        until: usize,
        names: &mut Dictionaries,
    ) -> Decoded {
        if let Some((_, stock)) = self.stock.as_mut().filter(|stock| input >= stock.0) {
            return stock.block(format, input, bytes, base, from, until, names);
        }
        let until = until.min(bytes.len());
        let bom = base == 0 && from == 0 && until > 0 && bytes.starts_with(BOM);
        // A record behind a byte order mark begins with it, as far as blocks are concerned.
        let (from, until) = if bom { (BOM.len(), until.max(BOM.len() + 1)) } else { (from, until) };
        let mut to = Decoded { base, ..Decoded::default() };
        let mut fate = Fate { names, to: &mut to, interning: Interning::new(&bytes) };
        match format {
            Format::Json => self.lines(&bytes, from, until, &mut fate),
            Format::Csv => self.table(input, &bytes, from, until, &mut fate),
        }
        fate.settle();
        to.bytes = bytes;
        to
    }

    /// Decodes messages of a broker, each of which is one record, line ends and all.
    pub fn messages(&mut self, input: u32, bytes: Vec<u8>, messages: Messages, names: &mut Dictionaries) -> Decoded {
        if let Some((_, stock)) = self.stock.as_mut().filter(|stock| input >= stock.0) {
            return stock.messages(input, bytes, messages, names);
        }
        let mut to = Decoded::default();
        let fate = &mut Fate { names, to: &mut to, interning: Interning::new(&bytes) };
        for (value, offset, time) in messages.values(bytes.len()) {
            let before = fate.to.ids.len();
            self.validator.latest = time.map_or(i64::MAX, |time| time.saturating_add(self.max_future));
            let place = Place { at: value.start, offset };
            match fate.text(&bytes[value.clone()], value.start, None) {
                Some(line) if line.bytes().all(|b| b.is_ascii_whitespace()) => {
                    fate.unread("bad_json", "the message has no value".into(), span(line, value.start));
                }
                Some(line) => self.line(line, place, fate),
                None => {}
            }
            fate.to.offsets.extend((before < fate.to.ids.len()).then_some(offset));
        }
        fate.settle();
        self.validator.latest = i64::MAX;
        (to.bytes, to.messages) = (bytes, messages);
        to
    }

    fn lines(&mut self, bytes: &[u8], from: usize, until: usize, fate: &mut Fate) {
        // A record of the contract has some 300 bytes.
        let guess = until.saturating_sub(from) / 256;
        fate.to.sales.reserve(guess);
        fate.to.spans.reserve(guess);
        // The records that begin before `until`; the last of them may end behind it.
        let all =
            &bytes[..until.checked_sub(1).map_or(0, |last| memchr(b'\n', &bytes[last..]).map_or(bytes.len(), |k| last + k))];
        // Whether the records are UTF-8 is asked once for all of them, and of each only when one is not.
        let text = simdutf8::basic::from_utf8(all.get(from..).unwrap_or_default()).ok();
        let mut at = from;
        while at < until {
            let stop = memchr(b'\n', &all[at..]).map_or(all.len(), |k| at + k);
            let end = if stop > at && all[stop - 1] == b'\r' { stop - 1 } else { stop };
            let known = text.map(|text| &text[at - from..end - from]);
            if let Some(line) = fate.readable(&all[at..end], at, None, known) {
                self.line(line, Place { at, offset: fate.to.base + at as u64 }, fate);
            }
            at = stop + 1;
        }
    }

    #[inline]
    fn line(&mut self, line: &str, place: Place, fate: &mut Fate) {
        let at = place.at;
        self.clear();
        if !self.scanner.scan(&self.mapping, line, &mut self.slots) {
            self.clear();
            match fallback::parse(&self.mapping, line, &mut self.slots, &mut self.scratch) {
                Ok(()) => {}
                Err(Unreadable::Json(problem)) => return fate.unread("bad_json", problem, span(line, at)),
                Err(Unreadable::NotAnObject) => {
                    return fate.unread("not_an_object", "JSON, but not an object".into(), span(line, at));
                }
            }
        }
        self.judge(line, place, fate);
    }

    fn table(&mut self, input: u32, bytes: &[u8], from: usize, until: usize, fate: &mut Fate) {
        let columns = self.headers.get(&input).cloned().unwrap_or_default();
        let mut cells = vec![];
        let mut at = from;
        while at < until {
            cells.clear();
            let extent = csv::record(bytes, at, self.schema.delimiter, |cell| cells.push(cell));
            if let Some(line) = fate.readable(&bytes[at..extent.end], at, Some(self.schema.delimiter), None) {
                if extent.open {
                    fate.unread("bad_csv", "a quote is still open at the end of the input".into(), span(line, at));
                } else if cells.len() != columns.len() {
                    let problem = format!("{} cells, and the header has {}", cells.len(), columns.len());
                    fate.unread("bad_csv", problem, span(line, at));
                } else {
                    self.clear();
                    for (&cell, slot) in cells.iter().zip(&*columns) {
                        if let Some(slot) = *slot {
                            self.slots[slot] = csv::value(line, at, cell, &mut self.scratch);
                        }
                    }
                    self.judge(line, Place { at, offset: fate.to.base + at as u64 }, fate);
                }
            }
            at = extent.next;
        }
    }

    #[inline]
    fn clear(&mut self) {
        self.slots.fill(Slot::default());
        self.scratch.truncate(self.mapping.constants.len());
    }

    /// Sends a record that has been split to its fate.
    #[inline]
    fn judge(&mut self, line: &str, Place { at, offset }: Place, fate: &mut Fate) {
        self.mapping.fill(line, offset, &mut self.slots, &mut self.scratch);
        let record = Record { line, scratch: &self.scratch, slots: &self.slots[..RULED] };
        let checked = if self.stocks { self.validator.check_stock(&record) } else { self.validator.check(&record) };
        match checked {
            Ok(valid) => {
                let span = span(line, at);
                fate.sell(&valid, span, self.schema.keep_ids);
                if self.schema.keep_customers {
                    let slots = self.schema.keep_carried.then_some(&*self.slots);
                    fate.to.carried.push(span.start, offset, valid.customer, |text| {
                        slots.iter().for_each(|slots| carried::write(valid.id, &Record { slots, ..record }, text));
                    });
                }
            }
            Err(faults) => fate.to.rejects.push(Reject { span: span(line, at), faults }),
        }
    }
}

#[inline]
fn span(line: &str, at: usize) -> Span {
    Span { start: at as u32, end: (at + line.len()) as u32 }
}

/// Where a record stands: among the bytes of its block, and in its input.
#[derive(Clone, Copy)]
struct Place {
    at: usize,
    offset: u64,
}

/// Where records end up.
struct Fate<'a> {
    names: &'a mut Dictionaries,
    to: &'a mut Decoded,
    interning: Interning<'a>,
}

impl Fate<'_> {
    /// Gives the sales that wait for it the ids of their names.
    fn settle(&mut self) {
        self.interning.settle(&mut self.to.sales, self.names);
    }

    /// The bytes of a record as text, unless it is blank, or refused here. `known`: when they are known to be text.
    #[inline]
    fn readable<'b>(&mut self, bytes: &'b [u8], at: usize, delimiter: Option<u8>, known: Option<&'b str>) -> Option<&'b str> {
        if bytes.iter().all(|&b| b.is_ascii_whitespace() && Some(b) != delimiter) {
            return None;
        }
        self.text(bytes, at, known)
    }

    /// The bytes of a record as text, unless it is refused here.
    #[inline]
    fn text<'b>(&mut self, bytes: &'b [u8], at: usize, known: Option<&'b str>) -> Option<&'b str> {
        let span = Span { start: at as u32, end: (at + bytes.len()) as u32 };
        if bytes.len() > MAX_RECORD {
            let problem = format!("{} bytes, a record may have {MAX_RECORD}", bytes.len());
            self.unread("record_too_large", problem, span);
            return None;
        }
        match known.map_or_else(|| std::str::from_utf8(bytes), Ok) {
            Ok(text) => Some(text),
            Err(error) => {
                self.unread("bad_utf8", format!("byte {} is not UTF-8", error.valid_up_to() + 1), span);
                None
            }
        }
    }

    #[cold]
    fn unread(&mut self, code: &'static str, message: String, span: Span) {
        self.to.rejects.push(Reject { span, faults: vec![Fault { code, field: None, message }] });
    }

    #[inline]
    fn sell(&mut self, valid: &Valid, span: Span, keep_id: bool) {
        // No customer is [0, 0], so no customer's identity may be.
        let customer = if valid.customer.is_empty() { 0 } else { identity(valid.customer.as_bytes()).max(1) };
        self.to.sales.push(Sale {
            at: valid.at,
            customer: [customer as u64, (customer >> 64) as u64],
            // Their ids come some sales later.
            seller: 0,
            product: 0,
            category: 0,
            price: valid.price,
            quantity: valid.quantity,
            op: valid.op,
            payment: valid.payment,
        });
        self.interning.wait([valid.seller, valid.product, valid.category], &mut self.to.sales, self.names);
        self.to.spans.push(span);
        if keep_id {
            // A record of the stock has no id: it is the same when product and time are.
            let seed = if valid.op == Op::Stock { valid.at as u64 } else { valid.op as u64 };
            self.to.ids.push(xxh3_128_with_seed(valid.id.as_bytes(), seed));
        }
    }
}

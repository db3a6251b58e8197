//! What must hold for any bytes, shared by the fuzz target and by a bounded run among the tests.
//!
//! 1. Decoding does not panic.
//! 2. Each record has exactly one fate: the spans of sales and rejects together are those of the records, as a second and
//!    simpler reading of the format finds them.
//! 3. A reject has at least one fault, with a known code, in the order of the fields.
//! 4. The scanner and the fallback agree: a tab in front of a line, which only the fallback takes, changes nothing.
//! 5. Cut into blocks anywhere, the same records come out.

use dataflows::decode::{Decoder, Format};
use dataflows::dictionary::Dictionaries;
use dataflows::sale::{Decoded, Fault, Op, Span};
use dataflows::schema::{FIELDS, From, Schema};
use dataflows::validate::CODES;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A record's fate, with names instead of ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Accepted.
    Sale {
        /// Event time.
        at: i64,
        /// What happened.
        op: Op,
        /// Seller, product, category.
        names: [String; 3],
        /// Identity of the customer.
        customer: [u64; 2],
        /// Cents and units.
        amount: (u32, u32),
        /// Identity of (op, id), when it is kept.
        id: Option<u128>,
    },
    /// Refused.
    Reject(Vec<Fault>),
}

/// All records of a block in order, with their places in the input.
pub fn fates(decoded: &Decoded, names: &Dictionaries) -> Vec<(u64, u64, Fate)> {
    let place = |span: &Span| (decoded.base + u64::from(span.start), decoded.base + u64::from(span.end));
    assert_eq!(decoded.sales.len(), decoded.spans.len());
    assert!(decoded.ids.is_empty() || decoded.ids.len() == decoded.sales.len());
    let sales = decoded.sales.iter().zip(&decoded.spans).enumerate().map(|(i, (sale, span))| {
        let names = [names.sellers.name(sale.seller), names.products.name(sale.product), names.categories.name(sale.category)];
        let fate = Fate::Sale {
            at: sale.at,
            op: sale.op,
            names: names.map(String::from),
            customer: sale.customer,
            amount: (sale.price, sale.quantity),
            id: decoded.ids.get(i).copied(),
        };
        (place(span).0, place(span).1, fate)
    });
    let rejects = decoded.rejects.iter().map(|r| (place(&r.span).0, place(&r.span).1, Fate::Reject(r.faults.clone())));
    let mut all: Vec<_> = sales.chain(rejects).collect();
    assert!(decoded.spans.is_sorted_by_key(|span| span.start));
    assert!(decoded.rejects.is_sorted_by_key(|reject| reject.span.start));
    all.sort_by_key(|(start, ..)| *start);
    all
}

/// Decodes an input in blocks: each takes the records that begin in the next so many bytes. CSV begins with its header.
pub fn decode(schema: &Schema, format: Format, bytes: &[u8], cuts: &[usize]) -> Vec<(u64, u64, Fate)> {
    let mut decoder = Decoder::new(Arc::new(schema.clone()));
    let mut names = Dictionaries::default();
    let extents = extents(format, schema.delimiter, bytes);
    let begins = |from: usize| extents.get(extents.partition_point(|e| e.0 < from)).map_or(bytes.len(), |e| e.0);
    let mut at = 0;
    if format == Format::Csv {
        at = begins(extents[0].1);
        if decoder.header(7, &bytes[..at]).is_err() {
            return vec![];
        }
    }
    let mut all = vec![];
    for &until in cuts.iter().chain([&bytes.len()]) {
        let until = until.clamp(at, bytes.len());
        // The first record of an input begins where the input does, also behind a byte order mark.
        let end = if until <= at { at } else { begins(until.max(extents[0].0 + 1)) };
        names.block += 1;
        // A block need not begin at its first record, nor end with its last.
        let (base, stop) = (at - at.min(3), (end + 2).min(bytes.len()));
        let block = bytes[base..stop].to_vec();
        let decoded = decoder.block(format, 7, block.clone(), base as u64, at - base, until - base, &mut names);
        assert_eq!(decoded.bytes, block);
        all.extend(fates(&decoded, &names));
        at = end;
    }
    all
}

/// Where records begin and end, blank ones too, found byte by byte; a byte order mark at the beginning belongs to none.
fn extents(format: Format, delimiter: u8, bytes: &[u8]) -> Vec<(usize, usize)> {
    #[derive(Clone, Copy, PartialEq)]
    enum In {
        Start,
        Plain,
        Quoted,
        AfterQuote,
    }
    let csv = format == Format::Csv;
    let mut extents = vec![];
    let unreturned = |start: usize, stop: usize| if stop > start && bytes[stop - 1] == b'\r' { stop - 1 } else { stop };
    let mut start = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let mut state = In::Start;
    for (i, &b) in bytes.iter().enumerate().skip(start) {
        state = match (state, b) {
            (In::Start | In::AfterQuote, b'"') if csv => In::Quoted,
            (In::Quoted, b'"') => In::AfterQuote,
            (In::Quoted, _) => In::Quoted,
            (_, b'\n') => {
                extents.push((start, unreturned(start, i)));
                start = i + 1;
                In::Start
            }
            (_, b) if b == delimiter => In::Start,
            _ => In::Plain,
        };
    }
    // Text in an open quote keeps its `\r`.
    extents.push((start, if state == In::Quoted { bytes.len() } else { unreturned(start, bytes.len()) }));
    extents
}

/// The places of the records that are not blank.
fn places(format: Format, delimiter: u8, bytes: &[u8]) -> Vec<(u64, u64)> {
    let blank = |b: &u8| b.is_ascii_whitespace() && !(format == Format::Csv && *b == delimiter);
    let extents = extents(format, delimiter, bytes).into_iter().filter(|&(start, end)| !bytes[start..end].iter().all(blank));
    extents.map(|(start, end)| (start as u64, end as u64)).collect()
}

/// A shop with its own names for everything.
pub fn foreign() -> Schema {
    let name = |name: &str| From::Fields(vec![name.into()]);
    let template = From::Template("{no}:{_record}".into());
    Schema {
        fields: BTreeMap::from([
            ("id_sale", template),
            ("id_product", name("sku")),
            ("seller", From::Fields(vec!["shop".into(), "place".into()])),
            ("nm_category", name("place")),
            ("price", name("amount")),
            ("quantity", name("n")),
            ("tp_payment", From::Constant("Barter".into())),
            ("sale_date", name("when")),
        ]),
        negative_quantity_is_return: true,
        date_formats: vec!["%d/%m/%Y %H:%M".into()],
        zone: chrono_tz::Tz::Europe__London,
        payments: vec!["Barter".into()],
        delimiter: b';',
        keep_ids: true,
        ..Schema::default()
    }
}

/// All laws, for these bytes.
pub fn hold(bytes: &[u8]) {
    let native = Schema { keep_ids: true, ..Schema::default() };
    let header = "op,id_sale,asin,seller,price,quantity,tp_payment,date,total_value,nm_product,id_customer\n";
    let foreign_header = "no;sku;shop;place;amount;n;when\n";
    for (schema, header) in [(&native, header), (&foreign(), foreign_header)] {
        one_fate_each(schema, Format::Json, bytes, 0);
        one_fate_each(schema, Format::Csv, &[header.as_bytes(), bytes].concat(), 1);
    }
    // Byte order marks mean something at the very beginning only, where the tab would come before them.
    let mut bytes = bytes;
    while let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        bytes = rest;
    }
    let tabbed: Vec<u8> = bytes.split(|&b| b == b'\n').flat_map(|line| [b"\t", line, b"\n"].concat()).collect();
    assert_eq!(untold(&native, bytes), untold(&native, &tabbed), "the scanner and the fallback differ");
}

/// The fates of JSON lines without their places, and without the words about bytes that are no record.
fn untold(schema: &Schema, bytes: &[u8]) -> Vec<Fate> {
    let mut all: Vec<Fate> = decode(schema, Format::Json, bytes, &[]).into_iter().map(|(.., fate)| fate).collect();
    for fate in &mut all {
        if let Fate::Reject(faults) = fate {
            faults.iter_mut().filter(|fault| fault.field.is_none()).for_each(|fault| fault.message.clear());
        }
    }
    all
}

fn one_fate_each(schema: &Schema, format: Format, bytes: &[u8], headers: usize) {
    let whole = decode(schema, format, bytes, &[]);
    let found: Vec<_> = whole.iter().map(|(start, end, _)| (*start, *end)).collect();
    assert_eq!(found, places(format, schema.delimiter, bytes)[headers..], "{format:?}");
    for fate in &whole {
        if let (_, _, Fate::Reject(faults)) = fate {
            assert!(faults.iter().all(|fault| CODES.iter().any(|(code, _)| *code == fault.code)), "{faults:?}");
            let order = |fault: &Fault| FIELDS.iter().position(|field| Some(*field) == fault.field);
            assert!(!faults.is_empty() && faults.is_sorted_by_key(order), "{faults:?}");
            assert!(faults.len() == 1 || faults[0].field.is_some(), "{faults:?}");
        }
    }
    let step = 1 + usize::from(bytes.first().copied().unwrap_or(0)) % 61;
    let cuts: Vec<usize> = (1..bytes.len().min(4_000)).step_by(step).collect();
    assert_eq!(decode(schema, format, bytes, &cuts), whole, "{format:?} cut every {step} bytes");
}

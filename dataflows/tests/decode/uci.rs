//! A year of a real shop, mapped by settings alone: every record accounted for, each reject by its code.
//!
//! The numbers were derived apart from this program, with Python's `csv`, `decimal` and `zoneinfo`:
//!
//! ```python
//! for r in csv.DictReader(file):
//!     cents = int((Decimal(r["UnitPrice"]) * 100).to_integral_value(ROUND_HALF_EVEN)); units = int(Decimal(r["Quantity"]))
//!     faults = [price_out_of_range] * (not 1 <= cents <= 5_000_000) + [quantity_out_of_range] * (not 1 <= abs(units) <= 1000) \
//!            + [total_out_of_range] * (not 1 <= cents * abs(units) <= 5_000_000)
//!     at = datetime.strptime(r["InvoiceDate"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo("Europe/London"))
//! ```
//!
//! - 2,515 prices are 0, 2 are below, and 4 are 0.001, which is 0.00: 2,521 `price_out_of_range`. (2,517 are at or below zero.)
//! - 116 quantities are above 1,000 and 58 below -1,000: 174 `quantity_out_of_range`. None is 0.
//! - A total is out of range in those 2,521 records (0.00 or below, whatever the quantity), and in 4 more where a huge quantity
//!   makes it more than 50,000.00: 2,525 `total_out_of_range`.
//! - 55 records have both a bad price and a bad quantity, so that 2,521 + 174 - 55 = 2,640 records are rejected, and
//!   541,909 - 2,640 = 539,269 are not: 529,993 sales and 9,276 returns.

use dataflows::decode::{Decoder, Format};
use dataflows::dictionary::Dictionaries;
use dataflows::sale::Op;
use dataflows::schema::{From, Schema};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// What `data/uci_online_retail.toml` says.
fn schema() -> Schema {
    let name = |name: &str| From::Fields(vec![name.into()]);
    let fields = [
        ("id_sale", From::Template("{InvoiceNo}:{_record}".into())),
        ("id_product", name("StockCode")),
        ("nm_product", name("Description")),
        ("nm_category", From::Constant("Gifts".into())),
        ("seller", name("Country")),
        ("id_customer", name("CustomerID")),
        ("price", name("UnitPrice")),
        ("quantity", name("Quantity")),
        ("tp_payment", From::Constant("PIX".into())),
        ("sale_date", name("InvoiceDate")),
    ];
    Schema {
        fields: fields.into(),
        negative_quantity_is_return: true,
        zone: chrono_tz::Tz::Europe__London,
        keep_ids: true,
        ..Schema::default()
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "a skipped test says so")]
fn every_record_of_uci_online_retail_is_accounted_for() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/uci_online_retail.csv.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let mut bytes = vec![];
    flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    let mut decoder = Decoder::new(Arc::new(schema()));
    let mut names = Dictionaries::default();
    // No quoted cell of this file holds a line end.
    let line_end = |from: usize| bytes[from..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |k| from + k + 1);
    let mut at = line_end(0);
    decoder.header(0, &bytes[..at]).unwrap();

    let (mut records, mut rejected, mut customers, mut times) = (0, 0, 0, 0);
    let mut codes: BTreeMap<&str, u64> = BTreeMap::new();
    let mut ops: BTreeMap<Op, [i64; 3]> = BTreeMap::new();
    let (mut ids, mut span) = (BTreeSet::new(), (i64::MAX, 0));
    while at < bytes.len() {
        names.block += 1;
        let end = line_end((at + (1 << 20)).min(bytes.len()));
        let block = bytes[at..end].to_vec();
        let length = block.len();
        let decoded = decoder.block(Format::Csv, 0, block, at as u64, 0, length, &mut names);
        records += decoded.records();
        rejected += decoded.rejects.len();
        decoded.rejects.iter().flat_map(|r| &r.faults).for_each(|fault| *codes.entry(fault.code).or_default() += 1);
        for sale in &decoded.sales {
            let sums = ops.entry(sale.op).or_default();
            *sums = [sums[0] + 1, sums[1] + i64::from(sale.quantity), sums[2] + sale.cents()];
            customers += u64::from(sale.customer != [0, 0]);
            times += i128::from(sale.at);
            span = (span.0.min(sale.at), span.1.max(sale.at));
        }
        ids.extend(decoded.ids);
        at = end;
    }
    assert_eq!((records, rejected), (541_909, 2_640));
    let want = [("price_out_of_range", 2_521), ("quantity_out_of_range", 174), ("total_out_of_range", 2_525)];
    assert_eq!(codes.into_iter().collect::<Vec<_>>(), want);
    // Lines, units, cents.
    let want = [(Op::Sale, [529_993, 5_259_369, 1_025_992_473]), (Op::Return, [9_276, 98_003, 62_852_182])];
    assert_eq!(ops.into_iter().collect::<Vec<_>>(), want);
    assert_eq!(customers, 406_668);
    // 2010-12-01 08:26 and 2011-12-09 12:50 in London, both in winter; the sum of all times sees the summer too.
    assert_eq!(span, (1_291_191_960_000, 1_323_435_000_000));
    assert_eq!(times, 706_332_508_768_920_000);
    assert_eq!((names.sellers.len(), names.products.len(), names.categories.len()), (38, 3_935, 1));
    assert_eq!(ids.len(), 539_269);
}

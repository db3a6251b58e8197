//! Records of the stock: another input of the same decoder, by rules of its own.

use dataflows::decode::{Decoder, Format};
use dataflows::dictionary::Dictionaries;
use dataflows::sale::{Decoded, Op};
use dataflows::schema::{From, Schema};
use std::sync::Arc;

/// Decodes records of input 1, which is the stock.
fn decode(schema: Schema, format: Format, header: Option<&str>, text: &str) -> (Decoded, Dictionaries) {
    let mut decoder = Decoder::new(Arc::new(schema)).stock(1);
    header.into_iter().for_each(|header| decoder.header(1, header.as_bytes()).expect("a header of the stock"));
    let mut names = Dictionaries::default();
    let decoded = decoder.block(format, 1, text.as_bytes().to_vec(), 0, 0, text.len(), &mut names);
    (decoded, names)
}

fn faults(decoded: &Decoded) -> Vec<Vec<(&str, Option<&str>)>> {
    decoded.rejects.iter().map(|r| r.faults.iter().map(|f| (f.code, f.field)).collect()).collect()
}

#[test]
fn good_and_bad_records() {
    let text = r#"{"id_product":"A","stock":0,"at":"2026-01-31T10:00:00.5Z"}
{"id_product":"B","stock":"7","at":1769853600000,"shelf":"left"}
{"stock":-1}
{"id_product":"C","stock":1.5,"at":"soon"}
{"id_product":"D","stock":"many","at":"2026-01-31T10:00:00Z"}
{"id_product":"D","at":"2026-01-31T10:00:00Z"}
{"id_product"
"#;
    let schema = Schema { keep_ids: true, ..Schema::default() };
    let (decoded, names) = decode(schema, Format::Json, None, text);
    let found = decoded.sales.iter().map(|s| (s.op, names.products.name(s.product), s.quantity, s.at));
    let want = [(Op::Stock, "A", 0, 1_769_853_600_500), (Op::Stock, "B", 7, 1_769_853_600_000)];
    assert_eq!(found.collect::<Vec<_>>(), want);
    assert_eq!(decoded.ids.len(), 2);
    let want = [
        vec![("missing_field", Some("id_product")), ("stock_out_of_range", Some("stock")), ("missing_field", Some("at"))],
        vec![("stock_not_an_integer", Some("stock")), ("bad_sale_date", Some("at"))],
        vec![("stock_not_a_number", Some("stock"))],
        vec![("missing_field", Some("stock"))],
        vec![("bad_json", None)],
    ];
    assert_eq!(faults(&decoded), want);
    assert_eq!(decoded.records(), 7);
}

/// The product goes by the name that the shop gives it; sales stay sales.
#[test]
fn tables_and_foreign_names() {
    let fields = [("id_product", From::Fields(vec!["sku".into()])), ("quantity", From::Fields(vec!["units".into()]))];
    let schema = || Schema { fields: fields.clone().into(), ..Schema::default() };
    let (decoded, names) = decode(schema(), Format::Csv, Some("at,stock,sku\n"), "2026-01-31T10:00:00Z,12,X9\n");
    let sale = decoded.sales[0];
    assert_eq!((sale.op, names.products.name(sale.product), sale.quantity), (Op::Stock, "X9", 12));
    let mut decoder = Decoder::new(Arc::new(schema())).stock(1);
    let missing = decoder.header(1, b"at,units,sku\n").unwrap_err().to_string();
    assert_eq!(missing, "the header has no column for stock: it should be called stock, and the columns are at, units, sku");
    assert!(decoder.header(0, b"at,stock,sku\n").is_err(), "of a file of sales that is not enough");
}

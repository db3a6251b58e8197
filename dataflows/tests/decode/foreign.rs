//! Data of other shops, by settings alone.

use crate::laws::{self, Fate, decode};
use dataflows::decode::{Decoder, Format, HeaderError};
use dataflows::dictionary::Dictionaries;
use dataflows::sale::Op;
use dataflows::schema::{From, Limits, Schema};
use std::sync::Arc;

/// `op seller/product/category price x quantity @ time`, or the faults.
fn told(schema: &Schema, format: Format, text: &str) -> Vec<String> {
    let all = decode(schema, format, text.as_bytes(), &[]).into_iter();
    all.map(|(.., fate)| match fate {
        Fate::Sale { op, names, amount, at, .. } => format!("{op:?} {} {}x{} @{at}", names.join("/"), amount.0, amount.1),
        Fate::Reject(faults) => {
            let each = faults.iter().map(|fault| format!("{}({})", fault.code, fault.field.unwrap_or("")));
            each.collect::<Vec<_>>().join(" ")
        }
    })
    .collect()
}

#[test]
fn names_constants_templates_and_signs() {
    let rows = "no;sku;shop;place;amount;n;when\n\
                7;A1;Ana;Porto;2.55;6.0;2011-07-01 08:26:00\n\
                7;A1;;Porto;2.55;-6.0;01/07/2011 08:26\n\
                ;A1;Ana;Porto;2.55;;2011-07-01 08:26:00\n\
                7;A1;Ana;;2.55;1.5;2011-03-27 01:30:00\n";
    let want = [
        // London in July is an hour ahead: 08:26 is 07:26 UTC = 15,156 days x 86,400,000 + 446 min x 60,000
        "Sale Ana/A1/Porto 255x6 @1309505160000",
        // The second name serves when the first is empty; a negative quantity is a return.
        "Return Porto/A1/Porto 255x6 @1309505160000",
        // Half a template is no id.
        "missing_field(id_sale)",
        // The clocks skipped 01:00 to 02:00 on that day.
        "quantity_not_an_integer(quantity) bad_sale_date(sale_date)",
    ];
    assert_eq!(told(&laws::foreign(), Format::Csv, rows), want);
    // The same as JSON, numbers or strings.
    let lines = r#"{"no":7,"sku":"A1","shop":"Ana","place":"Porto","amount":2.55,"n":"6.0","when":"2011-07-01 08:26:00"}
{"no":"7","sku":"A1","shop":null,"place":"Porto","amount":"2.55","n":-6,"when":1309505160000}
{"sku":"A1","shop":"Ana","place":"Porto","amount":"2.55","when":"1309505160000"}
{"no":[],"sku":1,"shop":"Ana","amount":"2.55","n":1.5,"when":"2011-03-27 01:30:00"}"#;
    let mut want = want.map(String::from);
    want[3] = format!("wrong_type(id_sale) {}", want[3]);
    assert_eq!(told(&laws::foreign(), Format::Json, lines), want);
}

#[test]
fn a_template_makes_each_line_its_own() {
    let schema = laws::foreign();
    let row = "7;A1;Ana;Porto;2.55;1;2011-07-01 08:26:00\n";
    let all = decode(&schema, Format::Csv, format!("no;sku;shop;place;amount;n;when\n{row}{row}").as_bytes(), &[]);
    let ids: Vec<_> =
        all.into_iter().map(|(.., fate)| if let Fate::Sale { id, .. } = fate { id.unwrap() } else { panic!() }).collect();
    // The header has 32 bytes, a row 42: the ids are 7:32 and 7:74.
    let id = |text: &str| xxhash_rust::xxh3::xxh3_128_with_seed(text.as_bytes(), Op::Sale as u64);
    assert_eq!(ids, [id("7:32"), id("7:74")]);
}

#[test]
fn a_negative_quantity() {
    let line = |more: &str| {
        format!(r#"{{"id_sale":"S","id_product":"P","seller":"A","price":2,"tp_payment":"PIX","sale_date":0,{more}}}"#)
    };
    let schema = Schema { negative_quantity_is_return: true, ..Schema::default() };
    let case = |more: &str, want: &str| assert_eq!(told(&schema, Format::Json, &line(more)), [want], "{more}");
    case(r#""quantity":-3"#, "Return A/P/General Category 200x3 @0");
    // Only where no op is named: a sale of -3 is a mistake.
    case(r#""quantity":-3,"op":"sale""#, "quantity_out_of_range(quantity) total_out_of_range(total_value)");
    case(r#""quantity":-3,"op":"what""#, "bad_op(op) quantity_out_of_range(quantity) total_out_of_range(total_value)");
    case(r#""quantity":-1001"#, "quantity_out_of_range(quantity)");
    // The total of a return may have either sign.
    case(r#""quantity":-3,"total_value":-6"#, "Return A/P/General Category 200x3 @0");
    case(r#""quantity":-3,"total_value":6"#, "Return A/P/General Category 200x3 @0");
    case(r#""quantity":3,"total_value":-6"#, "total_mismatch(total_value)");
    case(r#""quantity":-9223372036854775808"#, "quantity_out_of_range(quantity) total_out_of_range(total_value)");
    assert_eq!(
        told(&Schema::default(), Format::Json, &line(r#""quantity":-3"#)),
        ["quantity_out_of_range(quantity) total_out_of_range(total_value)"]
    );
}

#[test]
fn a_header_without_what_the_settings_ask_for() {
    let mut decoder = Decoder::new(Arc::new(laws::foreign()));
    assert_eq!(decoder.header(0, b"no;sku;shop;amount;when"), Ok(()));
    assert_eq!(decoder.header(0, b"no;sku;place;amount;when"), Ok(()));
    let missing = |error| matches!(error, Err(HeaderError::Missing { field: "seller", .. }));
    assert!(missing(decoder.header(0, b"no;sku;seller;amount;when")));
    let template = decoder.header(0, b"sku;shop;amount;when").unwrap_err().to_string();
    assert!(template.starts_with("the header has no column for id_sale: it should be called no,"), "{template}");
    // Without its header a row means nothing.
    let row = b"7;A1;Ana;Porto;2.55;1;2011-07-01 08:26:00\n".to_vec();
    let length = row.len();
    let decoded = decoder.block(Format::Csv, 99, row, 0, 0, length, &mut Dictionaries::default());
    assert_eq!((decoded.sales.len(), decoded.rejects.len()), (0, 1));
}

#[test]
fn many_names_and_long_ones() {
    // More names than the scanner learns, each longer than it compares, and all alike but for their last bytes.
    let long = "a_name_of_more_than_thirty-two_bytes_";
    let values = [(9, "\"S\""), (99, "\"P\""), (98, "\"A\""), (50, "1"), (51, "2"), (52, "\"PIX\""), (0, "0")];
    let fields = ["id_sale", "id_product", "seller", "price", "quantity", "tp_payment", "sale_date"];
    let fields = fields.into_iter().zip(values).map(|(field, (i, _))| (field, From::Fields(vec![format!("{long}{i:03}")])));
    let schema = Schema { fields: fields.collect(), ..Schema::default() };
    let value = |i: usize| values.iter().find(|(at, _)| *at == i).map_or("\"?\"", |(_, value)| value);
    let fields: Vec<String> = (0..100).map(|i| format!("\"{long}{i:03}\":{}", value(i))).collect();
    let line = format!("{{{}}}\n", fields.join(","));
    assert_eq!(told(&schema, Format::Json, &line.repeat(3)), ["Sale A/P/General Category 100x2 @0"; 3]);
}

#[test]
fn a_name_that_serves_two_fields() {
    let names = |names: &[&str]| From::Fields(names.iter().map(|name| name.to_string()).collect());
    let schema = Schema {
        fields: [("id_product", names(&["a", "b"])), ("seller", names(&["a"])), ("nm_category", names(&["c", "a"]))].into(),
        ..Schema::default()
    };
    let case = |more: &str, want: &str| {
        let line = format!(r#"{{"id_sale":"S","price":1,"tp_payment":"PIX","sale_date":0,{more}}}"#);
        assert_eq!(told(&schema, Format::Json, &line), [want], "{more}");
    };
    case(r#""a":"A""#, "Sale A/A/A 100x1 @0");
    case(r#""a":"A","b":"B","c":"C""#, "Sale A/A/C 100x1 @0");
    case(r#""b":"B","c":"C""#, "missing_field(seller)");
}

#[test]
fn names_that_begin_alike() {
    // The scanner compares 16 bytes at first; these differ after 20.
    let schema = Schema { fields: [("price", From::Fields(vec!["unit_price_of_sale_net".into()]))].into(), ..Schema::default() };
    let rest = r#""id_sale":"S","id_product":"P","seller":"A","tp_payment":"PIX","sale_date":0"#;
    let net = format!(r#"{{"unit_price_of_sale_net":1,"unit_price_of_sale_tax":2,{rest}}}"#);
    let tax = format!(r#"{{"unit_price_of_sale_tax":3,"unit_price_of_sale_net":4,{rest}}}"#);
    let only = format!(r#"{{"unit_price_of_sale_tax":5,{rest}}}"#);
    let told = told(&schema, Format::Json, &[&*net, &tax, &net, &only, &tax].join("\n"));
    let sale = |cents: u32| format!("Sale A/P/General Category {cents}x1 @0");
    assert_eq!(told, [sale(100), sale(400), sale(100), "missing_field(price)".into(), sale(400)]);
}

#[test]
fn settings_that_cannot_be() {
    let problem = |schema: Schema| schema.check().unwrap_err().to_string();
    let field = |name: &'static str, from: From| Schema { fields: [(name, from)].into(), ..Schema::default() };
    assert_eq!(Schema::default().check(), Ok(()));
    assert_eq!(laws::foreign().check(), Ok(()));
    assert_eq!(problem(field("colour", From::Constant("red".into()))), "colour is not a field of a sale");
    assert_eq!(problem(field("price", From::Fields(vec![]))), "price: needs a name");
    for template in ["{", "}", "a{}b", "{a{b}", "{a}}"] {
        assert!(
            problem(field("id_sale", From::Template(template.into()))).contains("needs a name in closed braces"),
            "{template}"
        );
    }
    let formats = Schema { date_formats: vec!["%Y-%m-%d".into(), "%Q".into()], ..Schema::default() };
    assert_eq!(problem(formats), "the date format `%Q` is not one that chrono knows");
    assert_eq!(problem(Schema { payments: vec![], ..Schema::default() }), "payments must name at least one");
    assert!(problem(Schema { delimiter: b'"', ..Schema::default() }).starts_with("the delimiter"));
    let limits = |limits: Limits| problem(Schema { limits, ..Schema::default() });
    assert_eq!(
        limits(Limits { price: (0, 10), ..Limits::default() }),
        "the limits of price must lie in 1..=4294967295 (money in cents)"
    );
    assert_eq!(
        limits(Limits { quantity: (1, 1 << 32), ..Limits::default() }),
        "the limits of quantity must lie in 1..=4294967295 (money in cents)"
    );
    assert_eq!(limits(Limits { total: (3, 2), ..Limits::default() }), "the limits of total leave nothing: 3 is more than 2");
}

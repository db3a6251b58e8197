//! The contract's rules, each at its edges.

use crate::laws::{Fate, decode};
use dataflows::decode::Format;
use dataflows::dictionary::identity;
use dataflows::sale::Op;
use dataflows::schema::Schema;

/// A record that keeps all rules, as names and JSON values.
const GOOD: [(&str, &str); 7] = [
    ("id_sale", r#""S1""#),
    ("id_product", r#""P1""#),
    ("seller", r#""Ana""#),
    ("price", "19.90"),
    ("quantity", "2"),
    ("tp_payment", r#""PIX""#),
    ("sale_date", r#""2026-01-31T10:00:00Z""#),
];

/// The good record with changes: `name=value` sets a field, `name=` alone leaves it out.
fn record(changes: &str) -> String {
    let mut fields: Vec<(String, String)> = GOOD.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    for change in changes.split_terminator("; ") {
        let (name, value) = change.split_once('=').expect("name=value");
        fields.retain(|(known, _)| known != name);
        if !value.is_empty() {
            fields.push((name.into(), value.into()));
        }
    }
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn fate(schema: &Schema, changes: &str) -> Fate {
    let mut all = decode(schema, Format::Json, record(changes).as_bytes(), &[]);
    assert_eq!(all.len(), 1, "{changes}");
    all.remove(0).2
}

/// `code(field)` of each fault, or the word `sale`.
fn codes(schema: &Schema, changes: &str) -> String {
    match fate(schema, changes) {
        Fate::Sale { .. } => "sale".into(),
        Fate::Reject(faults) => {
            let each = faults.iter().map(|fault| format!("{}({})", fault.code, fault.field.unwrap_or("")));
            each.collect::<Vec<_>>().join(" ")
        }
    }
}

fn check(cases: &[(&str, &str)]) {
    for (changes, want) in cases {
        assert_eq!(codes(&Schema::default(), changes), *want, "{changes}");
    }
}

#[test]
fn a_record_with_the_least_it_needs() {
    let want = Fate::Sale {
        // 2026-01-31 is day 20,484 of the epoch: 20,484 x 86,400,000 + 10 x 3,600,000
        at: 1_769_853_600_000,
        op: Op::Sale,
        names: ["Ana".into(), "P1".into(), "General Category".into()],
        customer: [0, 0],
        amount: (1_990, 1),
        id: None,
    };
    assert_eq!(fate(&Schema::default(), "quantity="), want);
}

#[test]
fn what_a_record_may_say() {
    let Fate::Sale { op, names, customer, amount, .. } = fate(
        &Schema::default(),
        r#"op="cancel"; nm_category="Toys"; id_customer="C1"; price="3.99"; quantity=3; total_value=11.97"#,
    ) else {
        panic!("rejected");
    };
    let c1 = identity(b"C1");
    assert_eq!((op, names[2].as_str(), amount), (Op::Cancel, "Toys", (399, 3)));
    assert_eq!(customer, [c1 as u64, (c1 >> 64) as u64]);
    let aliases = r#"id_product=; asin="B00"; sale_date=; date=1769853600123"#;
    let Fate::Sale { at, names, .. } = fate(&Schema::default(), aliases) else { panic!("rejected") };
    assert_eq!((at, names[1].as_str()), (1_769_853_600_123, "B00"));
    // The contract's own name goes before its alias, wherever it stands.
    let both = r#"asin="B00"; id_product="P9""#;
    let Fate::Sale { names, .. } = fate(&Schema::default(), both) else { panic!("rejected") };
    assert_eq!(names[1], "P9");
}

#[test]
fn required_fields() {
    check(&[
        ("id_sale=", "missing_field(id_sale)"),
        ("id_sale=null", "missing_field(id_sale)"),
        ("id_product=", "missing_field(id_product)"),
        ("seller=", "missing_field(seller)"),
        ("price=", "missing_field(price)"),
        ("tp_payment=", "missing_field(tp_payment)"),
        ("sale_date=", "missing_field(sale_date)"),
        ("quantity=null", "sale"),
        ("op=null; nm_product=null; nm_category=null; nm_brand=null; id_customer=null; total_value=null", "sale"),
    ]);
}

#[test]
fn texts() {
    let id = |bytes: usize| format!("id_sale=\"{}\"", "x".repeat(bytes));
    // é is two bytes: 64 of them are 128 bytes
    let accents = |letters: usize| format!("seller=\"{}\"", "é".repeat(letters));
    check(&[
        (r#"id_sale="""#, "empty_field(id_sale)"),
        (r#"seller="""#, "empty_field(seller)"),
        (&id(1), "sale"),
        (&id(128), "sale"),
        (&id(129), "id_too_long(id_sale)"),
        (&accents(64), "sale"),
        (&accents(65), "id_too_long(seller)"),
        ("id_sale=5", "wrong_type(id_sale)"),
        ("id_product=true", "wrong_type(id_product)"),
        ("seller=[\"Ana\"]", "wrong_type(seller)"),
        ("nm_product=5", "wrong_type(nm_product)"),
        ("nm_category={}", "wrong_type(nm_category)"),
        ("nm_brand=false", "wrong_type(nm_brand)"),
        ("id_customer=17850", "wrong_type(id_customer)"),
        (r#"nm_product=""; nm_category=""; nm_brand=""; id_customer="""#, "sale"),
        // half a surrogate pair is no character; a whole one is
        (r#"seller="\ud83d""#, "bad_text(seller)"),
        (r#"seller="\ud83d\ude00""#, "sale"),
        (r#"tp_payment="\ud83d"; price="\ud83d""#, "bad_text(price) bad_text(tp_payment)"),
        (r#"op="sale""#, "sale"),
        (r#"op="return""#, "sale"),
        (r#"op="Sale""#, "bad_op(op)"),
        (r#"op="""#, "bad_op(op)"),
        ("op=1", "wrong_type(op)"),
        (r#"tp_payment="Bank Slip""#, "sale"),
        (r#"tp_payment="Digital Wallet""#, "sale"),
        (r#"tp_payment="pix""#, "unknown_payment(tp_payment)"),
        (r#"tp_payment="""#, "unknown_payment(tp_payment)"),
        ("tp_payment=3", "wrong_type(tp_payment)"),
        // carried without a rule, and unknown altogether
        (r#"customer_segment=5; product_rating={"stars":5}; seasonality_factor="high"; proctime=[1]; zzz=[{}]"#, "sale"),
    ]);
}

#[test]
fn money_and_numbers() {
    check(&[
        ("price=0.01", "sale"),
        ("price=0.00", "price_out_of_range(price) total_out_of_range(total_value)"),
        // 0.004 rounds to 0.00; 0.005 half to even to 0.00; 0.0051 and 0.006 to 0.01
        ("price=0.004", "price_out_of_range(price) total_out_of_range(total_value)"),
        ("price=0.005", "price_out_of_range(price) total_out_of_range(total_value)"),
        ("price=0.0051", "sale"),
        ("price=50000.00; quantity=1", "sale"),
        // 50000.004 rounds to 50000.00, 50000.006 to 50000.01
        ("price=50000.004; quantity=1", "sale"),
        ("price=50000.006; quantity=1", "price_out_of_range(price) total_out_of_range(total_value)"),
        ("price=-1", "price_out_of_range(price) total_out_of_range(total_value)"),
        ("price=1.5e1", "sale"),
        ("price=1e999999999", "price_out_of_range(price) total_out_of_range(total_value)"),
        ("price=1e-999999999", "price_out_of_range(price) total_out_of_range(total_value)"),
        (r#"price="1e1""#, "sale"),
        (r#"price=" 12.50 ""#, "sale"),
        (r#"price="12,50""#, "price_not_a_number(price)"),
        (r#"price="R$ 12""#, "price_not_a_number(price)"),
        (r#"price="""#, "price_not_a_number(price)"),
        (r#"price="NaN""#, "price_not_a_number(price)"),
        ("price=true", "wrong_type(price)"),
        ("price=[1]", "wrong_type(price)"),
        ("quantity=1", "sale"),
        ("quantity=1000", "sale"),
        ("quantity=6.0", "sale"),
        ("quantity=6e0", "sale"),
        ("quantity=0", "quantity_out_of_range(quantity) total_out_of_range(total_value)"),
        ("quantity=-3", "quantity_out_of_range(quantity) total_out_of_range(total_value)"),
        ("quantity=1001", "quantity_out_of_range(quantity)"),
        ("quantity=2.5", "quantity_not_an_integer(quantity)"),
        ("quantity=99999999999999999999", "quantity_out_of_range(quantity) total_out_of_range(total_value)"),
        (r#"quantity="2""#, "wrong_type(quantity)"),
        // 19.90 x 2 = 39.80
        ("total_value=39.80", "sale"),
        ("total_value=39.8", "sale"),
        ("total_value=3.98e1", "sale"),
        ("total_value=39.804", "sale"),
        ("total_value=39.81", "total_mismatch(total_value)"),
        ("total_value=0", "total_mismatch(total_value)"),
        (r#"total_value="39.80""#, "wrong_type(total_value)"),
        // 50.00 x 1000 = 50000.00; 50.01 x 1000 = 50010.00, given or not
        ("price=50.00; quantity=1000", "sale"),
        ("price=50.01; quantity=1000", "total_out_of_range(total_value)"),
        ("price=50.01; quantity=1000; total_value=50010", "total_out_of_range(total_value)"),
        ("price=50.01; quantity=1000; total_value=5", "total_mismatch(total_value) total_out_of_range(total_value)"),
        // without a price the total stands for itself
        (r#"price="x"; total_value=39.80"#, "price_not_a_number(price)"),
        (r#"price="x"; total_value=50000.01"#, "price_not_a_number(price) total_out_of_range(total_value)"),
    ]);
}

#[test]
fn dates() {
    check(&[
        (r#"sale_date="2026-01-31T10:00:00.123456+0000""#, "sale"),
        (r#"sale_date="2026-01-31 10:00:00""#, "sale"),
        ("sale_date=1769853600000", "sale"),
        ("sale_date=1769853600000.0", "sale"),
        ("sale_date=1769853600000.5", "bad_sale_date(sale_date)"),
        (r#"sale_date="1769853600000""#, "bad_sale_date(sale_date)"),
        (r#"sale_date="2026-02-30T10:00:00Z""#, "bad_sale_date(sale_date)"),
        (r#"sale_date="""#, "bad_sale_date(sale_date)"),
        ("sale_date=true", "wrong_type(sale_date)"),
        ("sale_date=0", "sale"),
        ("sale_date=-1", "sale_date_out_of_range(sale_date)"),
        (r#"sale_date="1969-12-31T23:59:59.999Z""#, "sale_date_out_of_range(sale_date)"),
        (r#"sale_date="1970-01-01T00:00:00Z""#, "sale"),
        // 2^50 ms is in the year 37648
        ("sale_date=1125899906842624", "sale"),
        ("sale_date=1125899906842625", "sale_date_out_of_range(sale_date)"),
        ("sale_date=1e300", "sale_date_out_of_range(sale_date)"),
    ]);
}

#[test]
fn all_faults_in_the_order_of_the_fields() {
    let worst = r#"sale_date="soon"; tp_payment="gold"; quantity=0; price=60000; id_customer=1; seller=; nm_brand=1; nm_category=1; nm_product=1; id_product=""; id_sale=7; op="x"; total_value=1"#;
    let Fate::Reject(faults) = fate(&Schema::default(), worst) else { panic!("accepted") };
    let said: Vec<String> =
        faults.iter().map(|fault| format!("{} {}: {}", fault.field.unwrap(), fault.code, fault.message)).collect();
    assert_eq!(
        said,
        [
            "op bad_op: `x` is not one of sale, cancel, return",
            "id_sale wrong_type: is a number, must be a text",
            "id_product empty_field: required, and empty",
            "nm_product wrong_type: is a number, must be a text",
            "nm_category wrong_type: is a number, must be a text",
            "nm_brand wrong_type: is a number, must be a text",
            "seller missing_field: required, and not given",
            "id_customer wrong_type: is a number, must be a text",
            "price price_out_of_range: `60000` is outside 0.01..=50000.00",
            "quantity quantity_out_of_range: `0` is outside 1..=1000",
            "tp_payment unknown_payment: `gold` is not one of PIX, Credit Card Cash, Credit Card Installments, Bank Slip, Debit, Digital Wallet",
            "sale_date bad_sale_date: `soon` is no time such as 2026-01-31T10:00:00.000Z",
            // 60000.00 x 0 = 0.00
            "total_value total_mismatch: `1` is given, price times quantity is 0.00",
            "total_value total_out_of_range: 0.00 is outside 0.01..=50000.00",
        ]
    );
}

#[test]
fn ids_tell_a_sale_from_its_cancellation() {
    let schema = Schema { keep_ids: true, ..Schema::default() };
    let id = |changes: &str| {
        let Fate::Sale { id, .. } = fate(&schema, changes) else { panic!("rejected") };
        id.unwrap()
    };
    assert_eq!(id(""), id(r#"op="sale"; seller="Rui""#));
    assert_ne!(id(""), id(r#"op="cancel""#));
    assert_ne!(id(r#"op="return""#), id(r#"op="cancel""#));
    assert_ne!(id(""), id(r#"id_sale="S2""#));
}

#[test]
fn limits_of_the_settings() {
    let mut schema = Schema::default();
    schema.limits.price = (100, 200);
    schema.limits.quantity = (5, 2_000_000);
    schema.limits.total = (1, 10_000_000_000);
    schema.limits.id_bytes = (2, 3);
    schema.limits.time = (1_769_853_600_000, 1_769_853_600_999);
    let case = |changes: &str, want: &str| {
        assert_eq!(
            codes(&schema, &format!(r#"id_sale="S1"; id_product="P1"; price=1.5; quantity=5; {changes}"#)),
            want,
            "{changes}"
        );
    };
    case("", "sale");
    case("price=0.99", "price_out_of_range(price)");
    case("price=2.01", "price_out_of_range(price)");
    case("quantity=4", "quantity_out_of_range(quantity)");
    // 1.50 x 2,000,000 = 3,000,000.00
    case("quantity=2000000", "sale");
    case(r#"id_sale="S""#, "id_too_short(id_sale)");
    case(r#"id_sale="S123""#, "id_too_long(id_sale)");
    case(r#"sale_date="2026-01-31T10:00:00.999Z""#, "sale");
    case(r#"sale_date="2026-01-31T10:00:01Z""#, "sale_date_out_of_range(sale_date)");
}

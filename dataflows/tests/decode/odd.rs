//! Odd JSON, where the scanner and serde_json must agree, and any bytes at all.

use crate::laws;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(from).prop_map(String::from)
}

/// Names as they stand in a record, some with escapes, some that nobody asks for.
fn name() -> impl Strategy<Value = String> {
    pick(&[
        "op",
        "id_sale",
        "id_product",
        "asin",
        "nm_product",
        "nm_category",
        "nm_brand",
        "seller",
        "id_customer",
        "price",
        "quantity",
        "tp_payment",
        "sale_date",
        "date",
        "total_value",
        "customer_segment",
        "discount_percentage_of_something_long",
        "",
        "x",
        "pric",
        "prices",
        "s\\u0065ller",
        "price\\ud800",
        "é",
        "a b",
    ])
}

fn value() -> impl Strategy<Value = String> {
    let number = pick(&[
        "0",
        "-0",
        "1",
        "7",
        "19.90",
        "19.9",
        "39.80",
        "1.005",
        "0.004",
        "50000.00",
        "50000.01",
        "1e2",
        "1E+2",
        "5e-1",
        "1e999999",
        "-3",
        "6.0",
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "--1",
        "0x1",
        "1000",
        "1001",
        "99999999999999999999",
        "123456789012345",
        "12345678901234.5",
        "1234.5678901234567",
        "1769853600000",
        "NaN",
        "12a",
        "1 2",
    ]);
    let text = pick(&[
        "",
        "PIX",
        "Bank Slip",
        "sale",
        "cancel",
        "return",
        "Ana",
        "São Paulo",
        "2026-01-31T10:00:00Z",
        "2026-01-31 10:00:00.123456+0000",
        "2026-02-30T10:00:00Z",
        "19.90",
        "1e2",
        " 5 ",
        "P\\\\",
        "\\\"q\\\"",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\ud83d",
        "\\x",
        "tab\there",
        "12345678",
        "1234567\\\"",
        "日本語の商品名",
        "2026-01-31T10:00:07.250Z",
        "2026-01-31T10:00:60.000Z",
        "sixteen bytes ..",
        "one more than 16.",
        "thirty-one bytes, no more of it",
        "thirty-two bytes, and no more it",
        "a text of more than thirty-two bytes, whose end is \\\" far away",
        "a text of more than thirty-two bytes: é\u{2}",
        "a,b}c{d",
        "\\/",
        "\u{7f}",
        "\u{1}",
    ]);
    prop_oneof![
        4 => number,
        6 => text.prop_map(|text| format!("\"{text}\"")),
        1 => pick(&["null", "true", "false", "nul", "True", "[]", "{}", "[1,{\"price\":2}]", "{\"a\":[\"}\"]}", "", "\"open"]),
    ]
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(String::new()), 2 => pick(&[" ", "  ", "\t", "\r", "\u{b}", "\u{a0}"])]
}

/// A good record whose fields are then left out, repeated, given odd values, shuffled and spaced oddly.
fn line() -> impl Strategy<Value = String> {
    let good = [
        ("id_sale", r#""S1""#),
        ("id_product", r#""P1""#),
        ("nm_category", r#""Toys""#),
        ("seller", r#""Ana""#),
        ("price", "19.90"),
        ("quantity", "2"),
        ("tp_payment", r#""PIX""#),
        ("sale_date", r#""2026-01-31T10:00:00.123Z""#),
        ("total_value", "39.80"),
    ];
    let good: Vec<(String, String)> = good.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let odd = prop::collection::vec((name(), value()), 0..4);
    let fields = (prop::sample::subsequence(good.clone(), 6..=good.len()), odd)
        .prop_map(|(good, odd)| [good, odd].concat())
        .prop_shuffle();
    let after = prop_oneof![8 => Just(String::new()), 2 => pick(&[" ", "}", ",", "x", "{}", "\t", "\r", "\r\r", "\u{1}"])];
    let spaced = (fields, prop::collection::vec(space(), 4), prop_oneof![9 => Just(","), 1 => Just(",,")], after);
    let object = spaced.prop_map(|(fields, s, comma, after)| {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| format!("{}\"{name}\"{}:{}{value}{}", s[0], s[1], s[2], s[3])).collect();
        format!("{{{}}}{after}", fields.join(comma))
    });
    // Now and then a character goes, comes, or the line ends early.
    let change = prop_oneof![
        6 => Just((0, "", 0.0)),
        1 => (Just(1), Just(""), 0.0..1.0),
        2 => (Just(2), prop::sample::select(&["\"", "\\", "{", "}", "[", ":", ",", "1", ".", "e", " ", "\u{1}", "é", "\t"][..]), 0.0..1.0),
        1 => (Just(3), Just(""), 0.0..1.0),
    ];
    (object, change).prop_map(|(object, (kind, character, place))| {
        let mut letters: Vec<String> = object.chars().map(String::from).collect();
        let at = (letters.len() as f64 * place) as usize;
        match kind {
            1 => drop(letters.remove(at)),
            2 => letters.insert(at, character.into()),
            3 => letters.truncate(at),
            _ => {}
        }
        letters.concat()
    })
}

/// The same cases every time; a failure is made small.
fn run<S: Strategy>(cases: u32, strategy: S, check: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let checked = |value| {
        check(value);
        Ok(())
    };
    TestRunner::new_with_rng(config, rng).run(&strategy, checked).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn odd_json_is_read_alike_by_both_readers() {
    run(4_000, prop::collection::vec(line(), 1..6), |lines| laws::hold(lines.join("\n").as_bytes()));
}

#[test]
fn any_bytes_keep_the_laws() {
    let pieces = prop::sample::select(vec![
        &b"\""[..],
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b";",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        b"\t",
        b"\0",
        b"\x1f",
        b"\xff",
        b"\xc3",
        b"\xa9",
        b"\xEF\xBB\xBF",
        b"1",
        b"-",
        b".",
        b"e",
        b"9",
        b"null",
        b"true",
        b"\"price\":",
        b"\"seller\":",
        b"S1,P1,Ana,",
        b"\\u00e9",
        b"\\ud8",
        b"{\"price\":1",
        b"\"\"",
        b"2026-01-31T10:00:00Z",
    ]);
    let mixed = prop_oneof![9 => pieces.prop_map(<[u8]>::to_vec), 1 => any::<u8>().prop_map(|byte| vec![byte])];
    run(6_000, prop::collection::vec(mixed, 0..60).prop_map(|pieces| pieces.concat()), |bytes| laws::hold(&bytes));
}

#[test]
fn bytes_that_once_broke_a_law() {
    for bytes in [&b"\xEF\xBB\xBF\xEF\xBB\xBF"[..], b"\xEF\xBB\xBF"] {
        laws::hold(bytes);
    }
}

//! Where records begin and end, and what happens to bytes that are no record.

use crate::laws::{Fate, decode};
use dataflows::decode::{Decoder, Format, HeaderError, MAX_RECORD};
use dataflows::schema::{From, Schema};
use proptest::prelude::*;
use std::sync::Arc;

const GOOD: &str =
    r#"{"id_sale":"S1","id_product":"P1","seller":"Ana","price":1,"tp_payment":"PIX","sale_date":"2026-01-31T10:00:00Z"}"#;
const HEADER: &str = "id_sale,id_product,seller,price,quantity,tp_payment,sale_date\n";

/// `start..end code` of each record, or `start..end seller amount`.
fn told(schema: &Schema, format: Format, bytes: &[u8]) -> Vec<String> {
    let all = decode(schema, format, bytes, &[]).into_iter();
    all.map(|(start, end, fate)| match fate {
        Fate::Sale { names, amount, .. } => format!("{start}..{end} {} {}x{}", names[0], amount.0, amount.1),
        Fate::Reject(faults) => format!("{start}..{end} {}: {}", faults[0].code, faults[0].message),
    })
    .collect()
}

fn json(bytes: &[u8]) -> Vec<String> {
    told(&Schema::default(), Format::Json, bytes)
}

fn csv(text: &str) -> Vec<String> {
    told(&Schema::default(), Format::Csv, text.as_bytes())
}

#[test]
fn lines_and_what_is_none() {
    let n = GOOD.len();
    assert_eq!(json(b""), [""; 0]);
    assert_eq!(json(b"\n\r\n   \n\t\n"), [""; 0]);
    assert_eq!(json(GOOD.as_bytes()), [format!("0..{n} Ana 100x1")]);
    let two = format!("{GOOD}\r\n\n{GOOD}");
    assert_eq!(json(two.as_bytes()), [format!("0..{n} Ana 100x1"), format!("{}..{} Ana 100x1", n + 3, 2 * n + 3)]);
    // A byte order mark is skipped at the beginning of the input only.
    assert_eq!(json(format!("\u{feff}{GOOD}\n").as_bytes()), [format!("3..{} Ana 100x1", n + 3)]);
    let later = json(format!("{GOOD}\n\u{feff}{GOOD}").as_bytes());
    assert_eq!(later[1], format!("{}..{} bad_json: not JSON near byte 1", n + 1, 2 * n + 4));
}

#[test]
fn what_is_no_record() {
    let cases: &[(&[u8], &str)] = &[
        (b"{", "0..1 bad_json: the record ends in the middle of its JSON"),
        (b"{\"price\":1", "0..10 bad_json: the record ends in the middle of its JSON"),
        (b"{\"price\":1.", "0..11 bad_json: not JSON near byte 11"),
        (b"{\"price\":01}", "0..12 bad_json: not JSON near byte 11"),
        (b"{\"price\":1,}", "0..12 bad_json: not JSON near byte 12"),
        (b"{'price':1}", "0..11 bad_json: not JSON near byte 2"),
        (b"{} {}", "0..5 bad_json: not JSON near byte 4"),
        (b"{\"price\":1}}", "0..12 bad_json: not JSON near byte 12"),
        (b"{\"price\":1} {\"price\":1}", "0..23 bad_json: not JSON near byte 13"),
        (b"price", "0..5 bad_json: not JSON near byte 1"),
        (b"[1,2]", "0..5 not_an_object: JSON, but not an object"),
        (b"\"sale\"", "0..6 not_an_object: JSON, but not an object"),
        (b"17", "0..2 not_an_object: JSON, but not an object"),
        (b"null", "0..4 not_an_object: JSON, but not an object"),
        (b"{\"seller\":\"\xff\"}", "0..14 bad_utf8: byte 12 is not UTF-8"),
        (b"\xff\xfe", "0..2 bad_utf8: byte 1 is not UTF-8"),
        (b"{}", "0..2 missing_field: required, and not given"),
    ];
    for (bytes, want) in cases {
        assert_eq!(json(bytes), [*want], "{}", String::from_utf8_lossy(bytes));
    }
    // Nesting is walked over, not descended into.
    let deep = format!("{{\"x\":{}{},{}", "[".repeat(100_000), "]".repeat(100_000), &GOOD[1..]);
    assert_eq!(json(deep.as_bytes()).len(), 1);
    assert!(json(deep.as_bytes())[0].ends_with("Ana 100x1"));
}

#[test]
fn the_size_of_a_record() {
    let padded = |size: usize| format!("{}{}}}", &GOOD[..GOOD.len() - 1], " ".repeat(size - GOOD.len()));
    assert_eq!(json(padded(MAX_RECORD).as_bytes()), [format!("0..{MAX_RECORD} Ana 100x1")]);
    let large = format!("{}\n{GOOD}\n", padded(MAX_RECORD + 1));
    let told = json(large.as_bytes());
    assert_eq!(told[0], format!("0..{} record_too_large: 1048577 bytes, a record may have 1048576", MAX_RECORD + 1));
    assert!(told[1].ends_with("Ana 100x1"));
}

#[test]
fn a_name_that_comes_twice_keeps_its_last_value() {
    for twice in [r#"{"price":7,"#, r#"{"price":"x","price":[],"#] {
        assert!(json(GOOD.replacen('{', twice, 1).as_bytes())[0].ends_with("Ana 100x1"), "{twice}");
    }
    assert!(json(GOOD.replace('}', r#","seller":"Rui"}"#).as_bytes())[0].ends_with("Rui 100x1"));
    assert!(json(GOOD.replace('}', r#","seller":null}"#).as_bytes())[0].contains("missing_field"));
    assert!(json(GOOD.replace('}', r#","s\u0065ller":"Rui"}"#).as_bytes())[0].ends_with("Rui 100x1"));
}

#[test]
fn csv_records() {
    let date = "2026-01-31T10:00:00Z";
    let row = |cells: &str| {
        csv(&format!("{HEADER}{cells}")).iter().map(|t| t.split_once(' ').unwrap().1.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(row(&format!("S1,P1,Ana,1.5,2,PIX,{date}\nS2,P1,Rui,2,,PIX,{date}")), ["Ana 150x2", "Rui 200x1"]);
    assert_eq!(row(&format!("\n\r\n  \nS1,P1,Ana,1.5,6.0,PIX,{date}\r\n\n")), ["Ana 150x6"]);
    // quotes: commas, doubled quotes, line ends
    assert_eq!(row(&format!("S1,P1,\"Ana, \"\"A\"\" e\r\nRui\",\"1.5\",\"2\",PIX,{date}\n")), ["Ana, \"A\" e\r\nRui 150x2"]);
    // a quote inside a cell is a character
    assert_eq!(row(&format!("S1,P1,5\" disk,1.5,2,PIX,{date}\n")), ["5\" disk 150x2"]);
    // an empty cell, quoted or not, is no value
    assert_eq!(row(&format!("S1,P1,,1.5,2,PIX,{date}\n")), ["missing_field: required, and not given"]);
    assert_eq!(row(&format!("S1,P1,\"\",1.5,2,PIX,{date}\n")), ["missing_field: required, and not given"]);
    assert_eq!(row("S1,P1,Ana,1.5,2,PIX,1769853600000\n"), ["Ana 150x2"]);
    assert_eq!(row("S1,P1,Ana\n"), ["bad_csv: 3 cells, and the header has 7"]);
    assert_eq!(row(&format!("S1,P1,Ana,1.5,2,PIX,{date},\n")), ["bad_csv: 8 cells, and the header has 7"]);
    assert_eq!(row("S1,P1,\"Ana\n"), ["bad_csv: a quote is still open at the end of the input"]);
    let spans = csv(&format!("{HEADER}\nS1,P1,\"A\nB\",1,1,PIX,{date}\r\n,,\n"));
    let start = HEADER.len() + 1;
    let end = start + format!("S1,P1,\"A\nB\",1,1,PIX,{date}").len();
    assert_eq!(spans[0], format!("{start}..{end} A\nB 100x1"));
    assert_eq!(spans[1], format!("{}..{} bad_csv: 3 cells, and the header has 7", end + 2, end + 4));
}

#[test]
fn other_delimiters() {
    for delimiter in [b';', b'\t', b'|'] {
        let text = format!("{HEADER}S1,P1,Ana,1.5,2,PIX,2026-01-31T10:00:00Z\n,,,,,,\n")
            .replace(',', &char::from(delimiter).to_string());
        let told = told(&Schema { delimiter, ..Schema::default() }, Format::Csv, text.as_bytes());
        assert!(told[0].ends_with("Ana 150x2"), "{told:?}");
        // A row of empty cells is a record, also where the delimiter is white.
        assert!(told[1].contains("missing_field"), "{told:?}");
    }
}

#[test]
fn headers() {
    let header = |text: &[u8]| Decoder::new(Arc::new(Schema::default())).header(0, text);
    assert_eq!(header(HEADER.as_bytes()), Ok(()));
    assert_eq!(header(format!("\u{feff}{}", HEADER.replace('\n', "\r\n")).as_bytes()), Ok(()));
    assert_eq!(header(b"\"id_sale\",asin, seller ,price,tp_payment,date, other , other "), Ok(()));
    assert_eq!(header(b"\xff"), Err(HeaderError::NotUtf8));
    let twice = header(b"id_sale,asin,seller,price,tp_payment,date,price");
    assert_eq!(twice.unwrap_err().to_string(), "the header has two columns called price");
    assert_eq!(
        header(b"id_sale,seller,price,tp_payment,date").unwrap_err().to_string(),
        "the header has no column for id_product: it should be called id_product or asin, and the columns are \
         id_sale, seller, price, tp_payment, date"
    );
    assert!(matches!(header(b""), Err(HeaderError::Missing { field: "id_sale", .. })));
}

/// Three columns for names, and constants for the rest.
fn three() -> Schema {
    let column = |name: &str| From::Fields(vec![name.into()]);
    let constant = |value: &str| From::Constant(value.into());
    let fields = [
        ("id_sale", constant("S1")),
        ("seller", column("x")),
        ("id_product", column("y")),
        ("nm_category", column("z")),
        ("price", constant("1")),
        ("tp_payment", constant("PIX")),
        ("sale_date", constant("0")),
    ];
    Schema { fields: fields.into(), ..Schema::default() }
}

/// What becomes of a record of the schema above, by its cells.
fn expected(cells: &[String]) -> String {
    match cells {
        [x, y, z] if !x.is_empty() && !y.is_empty() => format!("{x}|{y}|{}", if z.is_empty() { "General Category" } else { z }),
        [_, _, _] => "missing_field".into(),
        _ => format!("{} cells, and the header has 3", cells.len()),
    }
}

fn found(fate: &Fate) -> String {
    match fate {
        Fate::Sale { names, .. } => names.join("|"),
        Fate::Reject(faults) if faults[0].code == "bad_csv" => faults[0].message.clone(),
        Fate::Reject(faults) => faults[0].code.into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is written with the `csv` crate is read as it was, line ends and all.
    #[test]
    fn csv_that_was_written_is_read(cells in prop::collection::vec("[ -~é\"\",\n]{0,12}", 1..8), crlf: bool, always: bool) {
        let mut bytes = HEADER.as_bytes().to_vec();
        let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
        let end = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer = csv::WriterBuilder::new().quote_style(style).terminator(end).from_writer(&mut bytes);
        for cell in &cells {
            writer.write_record(["S1", "P1", cell, "1", "1", "PIX", "2026-01-31T10:00:00Z"]).unwrap();
        }
        drop(writer);
        let told = decode(&Schema::default(), Format::Csv, &bytes, &[]);
        let sellers: Vec<_> = told.iter().map(|(.., fate)| match fate {
            Fate::Sale { names, .. } => names[0].clone(),
            Fate::Reject(faults) => { assert_eq!(faults[0].code, "missing_field"); String::new() }
        }).collect();
        prop_assert_eq!(sellers, cells);
    }

    /// Records and cells of any text made of what matters are those that the `csv` crate finds. (With a terminator of one's
    /// own it has no notion of `\r\n`, so there is no `\r` here; blank lines it skips as we do.)
    #[test]
    fn csv_is_cut_as_by_the_csv_crate(rows in "[a\",,\n]{0,40}") {
        let ours = decode(&three(), Format::Csv, format!("x,y,z\n{rows}").as_bytes(), &[]);
        let ours: Vec<_> = ours.iter().map(|(.., fate)| found(fate)).collect();
        let mut reader = csv::ReaderBuilder::new();
        let reader = reader.has_headers(false).flexible(true).terminator(csv::Terminator::Any(b'\n')).from_reader(rows.as_bytes());
        let records = reader.into_records().map(|record| record.unwrap().iter().map(String::from).collect::<Vec<_>>());
        let mut theirs: Vec<_> = records.map(|cells| expected(&cells)).collect();
        // An open quote at the end is a fault here, and goes unnoticed there.
        if ours.last().is_some_and(|last| last.contains("still open")) {
            *theirs.last_mut().unwrap() = ours[ours.len() - 1].clone();
        }
        prop_assert_eq!(ours, theirs);
    }
}

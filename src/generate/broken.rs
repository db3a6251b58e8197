//! Records that a careless client would send: each must be refused by validation, and never stop a stream.

use super::draw::mix;

/// What is wrong with a broken record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// The record ends in the middle.
    Cut,
    /// No JSON at all.
    Text,
    /// JSON, but no object.
    Array,
    /// A required field is missing.
    Missing,
    /// The price is 0.
    FreeOfCharge,
    /// The price is below 0.
    NegativePrice,
    /// The price is past every limit.
    HugePrice,
    /// The price is a word.
    WordPrice,
    /// The quantity is 0, negative, too large or not whole.
    Quantity,
    /// A payment type that nobody knows.
    Payment,
    /// A date that no calendar has.
    NoDate,
    /// A date years ahead.
    WildDate,
    /// A total that is not price times quantity.
    Total,
    /// The seller is empty or far too long.
    Seller,
    /// An operation that nobody knows.
    Operation,
    /// Several at once.
    Several,
}

/// All of them; each is as frequent as the others.
pub(crate) const FAULTS: [Fault; 16] = [
    Fault::Cut,
    Fault::Text,
    Fault::Array,
    Fault::Missing,
    Fault::FreeOfCharge,
    Fault::NegativePrice,
    Fault::HugePrice,
    Fault::WordPrice,
    Fault::Quantity,
    Fault::Payment,
    Fault::NoDate,
    Fault::WildDate,
    Fault::Total,
    Fault::Seller,
    Fault::Operation,
    Fault::Several,
];

/// Breaks a record that [`Pen::write`](super::line::Pen::write) wrote; `salt` decides among the ways.
pub(crate) fn spoil(record: &str, fault: Fault, salt: u64) -> String {
    let salt = mix(salt);
    let one_of = |ways: &[&'static str]| ways[(salt % ways.len() as u64) as usize];
    match fault {
        Fault::Cut => {
            let mut end = 20 + (salt % (record.len() as u64 - 40)) as usize;
            while !record.is_char_boundary(end) {
                end -= 1;
            }
            record[..end].to_string()
        }
        Fault::Text => one_of(&["upstream timed out", "<html><body>502 Bad Gateway</body></html>", "NULL", "{sale}"]).to_string(),
        Fault::Array => format!("[{record}]"),
        Fault::Missing => without(record, one_of(&["id_sale", "id_product", "seller", "price", "tp_payment", "sale_date"])),
        Fault::FreeOfCharge => with(record, "price", "0.00"),
        Fault::NegativePrice => {
            let (start, end) = value(record, "price");
            with(record, "price", &format!("-{}", &record[start..end]))
        }
        Fault::HugePrice => with(record, "price", one_of(&["99999999.99", "50000.01", "1e12"])),
        Fault::WordPrice => with(record, "price", one_of(&[r#""N/A""#, r#""free""#, r#""R$ 49,90""#, r#""""#, "null", "true"])),
        Fault::Quantity => with(record, "quantity", one_of(&["0", "-2", "1001", "1.5", r#""two""#])),
        Fault::Payment => with(record, "tp_payment", one_of(&[r#""Cheque""#, r#""Points""#, r#""Barter""#, r#""""#, "3"])),
        Fault::NoDate => with(
            record,
            "sale_date",
            one_of(&[r#""31/02/2026 25:61""#, r#""2026-13-45T10:00:00Z""#, r#""yesterday""#, r#""""#, "-5"]),
        ),
        Fault::WildDate => {
            let (start, end) = value(record, "sale_date");
            let ahead = one_of(&["2099", "2062", "2126"]);
            with(record, "sale_date", &format!("\"{ahead}{}", &record[start + 5..end]))
        }
        Fault::Total => {
            let (start, end) = value(record, "total_value");
            with(record, "total_value", &format!("1{}", &record[start..end]))
        }
        Fault::Seller if salt.is_multiple_of(2) => with(record, "seller", r#""""#),
        Fault::Seller => with(record, "seller", &format!("\"{}\"", "Loja ".repeat(40))),
        Fault::Operation => with(record, "op", one_of(&[r#""refund""#, r#""SALE!""#, r#""""#])),
        Fault::Several => {
            let record = with(record, "price", "0");
            let record = with(&record, "quantity", "-1");
            without(&with(&record, "tp_payment", r#""Shells""#), "seller")
        }
    }
}

/// Where the value of a field stands; written values hold neither `,"` nor `}`.
fn value(record: &str, field: &str) -> (usize, usize) {
    let key = format!("\"{field}\":");
    let start = record.find(&key).map_or(record.len(), |at| at + key.len());
    let rest = &record[start..];
    (start, start + rest.find(",\"").or(rest.find('}')).unwrap_or(rest.len()))
}

fn with(record: &str, field: &str, new: &str) -> String {
    let (start, end) = value(record, field);
    format!("{}{new}{}", &record[..start], &record[end..])
}

/// Without a field; not for the last one.
fn without(record: &str, field: &str) -> String {
    let (start, end) = value(record, field);
    format!("{}{}", &record[..start - field.len() - 3], &record[(end + 1).min(record.len())..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"op":"sale","id_sale":"a-1","id_product":"B000000001","seller":"Casa Ipê","price":10.00,"quantity":2,"total_value":20.00,"tp_payment":"PIX","sale_date":"2026-01-05T12:00:00.000Z","sales_channel":"Website"}"#;

    #[test]
    fn each_fault_does_what_it_says() {
        let spoilt = |fault, salt| spoil(GOOD, fault, salt);
        for fault in FAULTS {
            for salt in 0..40 {
                let record = spoilt(fault, salt);
                assert_ne!(record, GOOD, "{fault:?}");
                assert!(!record.contains('\n'));
                let json = serde_json::from_str::<serde_json::Value>(&record);
                match fault {
                    Fault::Cut => assert!(json.is_err(), "{record}"),
                    Fault::Text => assert!(!json.is_ok_and(|v| v.is_object()), "{record}"),
                    Fault::Array => assert!(json.unwrap().is_array()),
                    Fault::Missing => assert_eq!(json.unwrap().as_object().unwrap().len(), 9, "{record}"),
                    _ => assert!(json.unwrap().is_object(), "{record}"),
                }
            }
        }
        assert!(spoilt(Fault::Total, 0).contains(r#""total_value":120.00"#));
        assert!(spoilt(Fault::WildDate, 0).contains(r#"-01-05T12:00:00.000Z""#));
        assert!(spoilt(Fault::NegativePrice, 0).contains(r#""price":-10.00"#));
    }
}

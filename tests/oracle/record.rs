//! A raw record of a test, and the bytes by which an input carries it.

use super::json;

/// What a record says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    Sale,
    Cancel,
    Return,
}

impl Op {
    fn name(self) -> &'static str {
        match self {
            Op::Sale => "sale",
            Op::Cancel => "cancel",
            Op::Return => "return",
        }
    }
}

/// The payment types of the contract.
pub const PAYMENTS: [&str; 6] = ["PIX", "Credit Card Cash", "Credit Card Installments", "Bank Slip", "Debit", "Digital Wallet"];

/// A record that keeps all rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub op: Op,
    pub id_sale: String,
    pub product: String,
    pub category: String,
    pub seller: String,
    pub customer: Option<String>,
    /// Price of one unit in cents.
    pub price: i64,
    pub quantity: i64,
    /// Event time in milliseconds.
    pub at: i64,
    pub payment: &'static str,
}

impl Record {
    /// Price times quantity in cents.
    pub fn cents(&self) -> i64 {
        self.price * self.quantity
    }

    /// +1 for a sale, -1 for its cancellation, 0 for a return, which enters no sum of sales.
    pub fn sign(&self) -> i64 {
        match self.op {
            Op::Sale => 1,
            Op::Cancel => -1,
            Op::Return => 0,
        }
    }

    /// As a line of NDJSON. Price and date alternate between the spellings that the contract allows.
    fn ndjson(&self) -> String {
        let price = json::money(i128::from(self.price));
        let mut fields = vec![
            ("id_sale", json::string(&self.id_sale)),
            ("id_product", json::string(&self.product)),
            ("nm_category", json::string(&self.category)),
            ("seller", json::string(&self.seller)),
            ("price", if self.at % 2 == 0 { price } else { json::string(&price) }),
            ("quantity", self.quantity.to_string()),
            ("tp_payment", json::string(self.payment)),
            ("sale_date", if self.at % 3 == 0 { self.at.to_string() } else { json::string(&json::time(self.at)) }),
        ];
        if self.op != Op::Sale {
            fields.insert(0, ("op", json::string(self.op.name())));
        }
        if let Some(customer) = &self.customer {
            fields.push(("id_customer", json::string(customer)));
        }
        json::object(&fields)
    }

    /// As a line of CSV under [`CSV_HEADER`]. A customer that is not given is an empty field.
    fn csv(&self) -> String {
        let quoted = |s: &str| {
            if s.contains([',', '"', '\n']) { format!("\"{}\"", s.replace('"', "\"\"")) } else { s.to_string() }
        };
        [
            self.op.name().to_string(),
            quoted(&self.id_sale),
            quoted(&self.product),
            quoted(&self.category),
            quoted(&self.seller),
            quoted(self.customer.as_deref().unwrap_or("")),
            json::money(i128::from(self.price)),
            self.quantity.to_string(),
            self.payment.to_string(),
            json::time(self.at),
        ]
        .join(",")
    }
}

/// The header of the CSV inputs.
pub const CSV_HEADER: &str = "op,id_sale,id_product,nm_category,seller,id_customer,price,quantity,tp_payment,sale_date";

/// A record that breaks rules.
#[derive(Clone, Debug)]
pub enum Broken {
    /// Cut off in the middle.
    HalfJson,
    /// Bytes that are no text; its dead letter carries them in base64.
    NotText,
    /// The price is 0, and nothing else is wrong.
    FreePrice(Record),
    /// Price 0 and quantity 1001: two errors.
    FreeAndTooMany(Record),
}

/// What stands in one line of an input.
#[derive(Clone, Debug)]
pub enum Line {
    Good(Record),
    Broken(Broken),
    /// A blank line, which is no record.
    Blank,
}

impl Line {
    /// The bytes without the line end. CSV knows only broken records that have all fields.
    fn bytes(&self, csv: bool) -> Vec<u8> {
        let text = |r: &Record| if csv { r.csv() } else { r.ndjson() };
        match self {
            Line::Good(r) => text(r).into_bytes(),
            Line::Broken(Broken::HalfJson) => br#"{"id_sale": "half", "price":"#.to_vec(),
            Line::Broken(Broken::NotText) => b"{\"id_sale\": \"\xff\xfe\"}".to_vec(),
            Line::Broken(Broken::FreePrice(r)) => text(&Record { price: 0, ..r.clone() }).into_bytes(),
            Line::Broken(Broken::FreeAndTooMany(r)) => text(&Record { price: 0, quantity: 1_001, ..r.clone() }).into_bytes(),
            Line::Blank => vec![],
        }
    }

    /// The error codes that validation must give, in the order of the contract's fields. What else is wrong with a record
    /// in consequence (a price of 0 makes a total of 0) is left open.
    pub fn codes(&self) -> Vec<&'static str> {
        match self {
            Line::Broken(Broken::HalfJson) => vec!["bad_json"],
            Line::Broken(Broken::FreePrice(_)) => vec!["price_out_of_range"],
            Line::Broken(Broken::FreeAndTooMany(_)) => vec!["price_out_of_range", "quantity_out_of_range"],
            Line::Broken(Broken::NotText) | Line::Good(_) | Line::Blank => vec![],
        }
    }
}

/// One input. Shown as its text.
#[derive(Clone)]
pub struct Input {
    /// As named on the command line; ends in `.csv` or `.ndjson`.
    pub source: String,
    /// Whether its last line has a line end.
    pub ends_line: bool,
    pub lines: Vec<Line>,
}

/// A record as it lies in an input: the offset of its first byte, and its bytes without the line end.
#[derive(Clone, Debug)]
pub struct Laid {
    pub offset: u64,
    pub bytes: Vec<u8>,
    pub line: Line,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:\n{}", self.source, String::from_utf8_lossy(&self.lay().0))
    }
}

impl Input {
    /// An NDJSON input of good records.
    pub fn of(source: &str, records: impl IntoIterator<Item = Record>) -> Input {
        Input { source: source.into(), ends_line: true, lines: records.into_iter().map(Line::Good).collect() }
    }

    /// All its bytes, and where each record lies in them.
    pub fn lay(&self) -> (Vec<u8>, Vec<Laid>) {
        let csv = self.source.ends_with(".csv");
        let (mut bytes, mut laid) = (vec![], vec![]);
        if csv {
            bytes.extend_from_slice(CSV_HEADER.as_bytes());
            bytes.push(b'\n');
        }
        for line in &self.lines {
            let text = line.bytes(csv);
            if !matches!(line, Line::Blank) {
                laid.push(Laid { offset: bytes.len() as u64, bytes: text.clone(), line: line.clone() });
            }
            bytes.extend_from_slice(&text);
            bytes.push(b'\n');
        }
        if !self.ends_line && !self.lines.is_empty() {
            bytes.pop();
        }
        (bytes, laid)
    }
}

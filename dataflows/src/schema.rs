//! How foreign records map onto the contract's fields: names, constants, number formats, templates, limits.

use chrono_tz::Tz;
use std::collections::BTreeMap;

/// The contract's input fields, in the order in which faults are reported.
pub const FIELDS: [&str; 20] = [
    "op",
    "id_sale",
    "id_product",
    "nm_product",
    "nm_category",
    "nm_brand",
    "seller",
    "id_customer",
    "price",
    "quantity",
    "tp_payment",
    "sale_date",
    "total_value",
    "customer_segment",
    "seasonality_factor",
    "discount_percentage",
    "product_rating",
    "seller_region",
    "sales_channel",
    "proctime",
];

/// Where the value of a field comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// A field of the record; the first of these names that is present counts.
    Fields(Vec<String>),
    /// The same value for every record.
    Constant(String),
    /// A template: literal text with `{name}` for a field of the record and `{_record}` for its offset in the input.
    Template(String),
}

/// Limits of validation, inclusive; money in cents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Price of one unit.
    pub price: (i64, i64),
    /// Units of one sale.
    pub quantity: (i64, i64),
    /// Price times quantity.
    pub total: (i64, i64),
    /// Bytes of an id or a seller's name.
    pub id_bytes: (usize, usize),
    /// Event times with a tick, milliseconds since the Unix epoch.
    pub time: (i64, i64),
}

impl Default for Limits {
    fn default() -> Self {
        Limits { price: (1, 5_000_000), quantity: (1, 1_000), total: (1, 5_000_000), id_bytes: (1, 128), time: (0, 1 << 50) }
    }
}

/// How bytes become a sale.
#[derive(Clone, Debug, PartialEq)]
pub struct Schema {
    /// For each contract field that is mapped, where it comes from. A field that is not in the map is read under its own
    /// name and its alias (`asin` for `id_product`, `date` for `sale_date`).
    pub fields: BTreeMap<&'static str, From>,
    /// A negative quantity is a return of that many units.
    pub negative_quantity_is_return: bool,
    /// chrono format strings tried in order for a `sale_date` that is not RFC 3339, e.g. `%Y-%m-%d %H:%M:%S`.
    pub date_formats: Vec<String>,
    /// The zone of a time that names none.
    pub zone: Tz,
    /// The accepted values of `tp_payment`.
    pub payments: Vec<String>,
    /// The character between the fields of a CSV record.
    pub delimiter: u8,
    /// The limits.
    pub limits: Limits,
    /// Fill `Decoded::ids`.
    pub keep_ids: bool,
}

impl Default for Schema {
    fn default() -> Self {
        let payments = ["PIX", "Credit Card Cash", "Credit Card Installments", "Bank Slip", "Debit", "Digital Wallet"];
        Schema {
            fields: BTreeMap::new(),
            negative_quantity_is_return: false,
            date_formats: vec![],
            zone: Tz::UTC,
            payments: payments.map(String::from).to_vec(),
            delimiter: b',',
            limits: Limits::default(),
            keep_ids: false,
        }
    }
}

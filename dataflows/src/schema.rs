//! How foreign records map onto the contract's fields: names, constants, number formats, templates, limits.

use crate::decode::parts;
use crate::validate::date_items;
use chrono_tz::Tz;
use std::collections::BTreeMap;
use thiserror::Error;

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
    /// The same value for every record, as text (`1` serves a quantity).
    Constant(String),
    /// A template: literal text with `{name}` for a field of the record and `{_record}` for its offset in the input. When one
    /// of its fields has no value, the template has none.
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
    /// name and its alias (`asin` for `id_product`, `date` for `sale_date`). A mapped field is somebody else's: its scalars are
    /// taken by what they say, be they written as JSON numbers or as strings, and an empty one is none.
    pub fields: BTreeMap<&'static str, From>,
    /// A negative quantity is a return of that many units, in records that name no `op`.
    pub negative_quantity_is_return: bool,
    /// chrono format strings tried in order for a `sale_date` that is not RFC 3339, e.g. `%d/%m/%Y %H:%M`. A time that looks
    /// like RFC 3339 but names no zone is tried with these first.
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
    /// Fill `Decoded::carried` with the name of the customer.
    pub keep_customers: bool,
    /// Fill `Decoded::carried` with the id of the sale and the fields that are only carried, as members of a JSON object.
    pub keep_carried: bool,
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
            keep_customers: false,
            keep_carried: false,
        }
    }
}

/// A schema that nothing can be decoded with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct SchemaError(pub String);

impl Schema {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// In words for a person: names a field that the contract does not have, a template or date format that cannot be read, a
    /// delimiter that would be ambiguous, or limits that no sale can keep or that a sale cannot hold.
    pub fn check(&self) -> Result<(), SchemaError> {
        self.fields()?;
        for format in &self.date_formats {
            date_items(format).map_err(SchemaError)?;
        }
        let error = |problem: String| Err(SchemaError(problem));
        if self.payments.is_empty() {
            return error("payments must name at least one".into());
        }
        if !self.delimiter.is_ascii() || matches!(self.delimiter, b'"' | b'\n' | b'\r') {
            return error("the delimiter must be one ASCII character, and neither a quote nor a line end".into());
        }
        let limits = &self.limits;
        let amounts = [("price", limits.price), ("quantity", limits.quantity)];
        for (name, (low, high)) in amounts {
            if low < 1 || high > i64::from(u32::MAX) {
                return error(format!("the limits of {name} must lie in 1..={} (money in cents)", u32::MAX));
            }
        }
        let ids = (limits.id_bytes.0 as i64, limits.id_bytes.1 as i64);
        for (name, (low, high)) in amounts.into_iter().chain([("total", limits.total), ("time", limits.time), ("id_bytes", ids)])
        {
            if low > high {
                return error(format!("the limits of {name} leave nothing: {low} is more than {high}"));
            }
        }
        Ok(())
    }

    fn fields(&self) -> Result<(), SchemaError> {
        for (field, from) in &self.fields {
            if !FIELDS.contains(field) {
                return Err(SchemaError(format!("{field} is not a field of a sale")));
            }
            let problem = match from {
                From::Fields(names) if names.is_empty() || names.iter().any(String::is_empty) => Some("needs a name".into()),
                From::Fields(_) | From::Constant(_) => None,
                From::Template(template) => parts(template).err(),
            };
            if let Some(problem) = problem {
                return Err(SchemaError(format!("{field}: {problem}")));
            }
        }
        Ok(())
    }
}

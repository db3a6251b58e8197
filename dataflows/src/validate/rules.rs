//! One function a rule; each says what it found, or adds a fault.

use super::date::{BadDate, Dates};
use super::money::{cents, scaled, show};
use crate::decode::record::{Field, Kind, Record};
use crate::sale::{Fault, Op};
use crate::schema::{FIELDS, Schema};
use std::sync::Arc;

/// The category of a record that names none.
const GENERAL: &str = "General Category";

/// A record that keeps all rules; names are still text.
pub(crate) struct Valid<'r> {
    pub op: Op,
    pub id: &'r str,
    pub product: &'r str,
    pub category: &'r str,
    pub seller: &'r str,
    pub customer: &'r str,
    pub price: u32,
    pub quantity: u32,
    pub at: i64,
    pub payment: u8,
}

/// Judges records by the settings.
pub(crate) struct Validator {
    schema: Arc<Schema>,
    dates: Dates,
    /// The latest date that the next record may have.
    pub latest: i64,
}

/// Faults in the order in which they were found. No memory as long as there is none.
#[derive(Default)]
pub(super) struct Faults(pub(super) Vec<Fault>);

impl Faults {
    #[cold]
    pub(super) fn add(&mut self, field: Field, code: &'static str, message: String) {
        self.0.push(Fault { code, field: Some(FIELDS[field as usize]), message });
    }

    /// Notes why a value is not of the kind that its field wants.
    #[cold]
    pub(super) fn kind(&mut self, field: Field, kind: Kind, wanted: &str) {
        let found = match kind {
            Kind::Absent => return self.add(field, "missing_field", "required, and not given".into()),
            Kind::Broken => return self.add(field, "bad_text", "an escape in it is no character".into()),
            Kind::Text | Kind::Cell => "a text",
            Kind::Number => "a number",
            Kind::Bool => "true or false",
            Kind::Nested => "an array or an object",
        };
        self.add(field, "wrong_type", format!("is {found}, must be {wanted}"));
    }
}

/// What was found, short enough for a message.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}...`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// Whether an amount is allowed, and fits a sale.
#[inline]
fn within(value: i64, (low, high): (i64, i64)) -> bool {
    low <= value && value <= high && u32::try_from(value).is_ok()
}

/// How many units, and whether a negative quantity made the record a return.
#[derive(Clone, Copy)]
struct Units {
    number: i64,
    returned: bool,
}

impl Validator {
    pub fn new(schema: Arc<Schema>) -> Validator {
        let dates = Dates::new(&schema);
        Validator { schema, dates, latest: i64::MAX }
    }

    /// All rules, in the order of the contract's fields.
    #[inline]
    pub fn check<'r>(&mut self, record: &Record<'r>) -> Result<Valid<'r>, Vec<Fault>> {
        let faults = &mut Faults::default();
        let op = op(record, faults);
        let id = self.name(record, Field::Id, faults);
        let product = self.name(record, Field::Product, faults);
        carried(record, Field::ProductName, faults);
        let category = text(record, Field::Category, faults);
        carried(record, Field::Brand, faults);
        let seller = self.name(record, Field::Seller, faults);
        let customer = text(record, Field::Customer, faults);
        let price = self.price(record, faults);
        let units = self.quantity(record, faults);
        let payment = self.payment(record, faults);
        let at = self.date(record, faults);
        self.total(record, price, units, faults);
        match (price, units, at) {
            (Some(price), Some(units), Some(at)) if faults.0.is_empty() => Ok(Valid {
                op: if units.returned { Op::Return } else { op },
                id,
                product,
                category: if category.is_empty() { GENERAL } else { category },
                seller,
                customer,
                // Both are within limits, or there would be a fault.
                price: price as u32,
                quantity: units.number as u32,
                at,
                payment,
            }),
            _ => Err(std::mem::take(&mut faults.0)),
        }
    }

    /// A required text of limited length.
    #[inline]
    pub(super) fn name<'r>(&self, record: &Record<'r>, field: Field, faults: &mut Faults) -> &'r str {
        let (least, most) = self.schema.limits.id_bytes;
        match record.get(field) {
            (Kind::Text, "") => faults.add(field, "empty_field", "required, and empty".into()),
            (Kind::Text | Kind::Cell, name) => {
                let length = name.len();
                if length < least {
                    faults.add(field, "id_too_short", format!("{length} bytes, must be at least {least}"));
                } else if length > most {
                    faults.add(field, "id_too_long", format!("{length} bytes, must be at most {most}"));
                }
                return name;
            }
            (kind, _) => faults.kind(field, kind, "a text"),
        }
        ""
    }

    #[inline]
    fn price(&self, record: &Record, faults: &mut Faults) -> Option<i64> {
        let price = match record.get(Field::Price) {
            (Kind::Number | Kind::Text | Kind::Cell, text) => match cents(text) {
                Some(price) => price,
                None => {
                    faults.add(Field::Price, "price_not_a_number", format!("{} is no decimal number", short(text)));
                    return None;
                }
            },
            (kind, _) => {
                faults.kind(Field::Price, kind, "a number");
                return None;
            }
        };
        let limits = self.schema.limits.price;
        if !within(price, limits) {
            faults.add(Field::Price, "price_out_of_range", range(record, Field::Price, limits));
        }
        Some(price)
    }

    #[inline]
    fn quantity(&self, record: &Record, faults: &mut Faults) -> Option<Units> {
        let number = match record.get(Field::Quantity) {
            (Kind::Absent, _) => 1,
            (Kind::Number | Kind::Cell, text) => match whole(text) {
                Some((number, true)) => number,
                Some(_) => {
                    faults.add(Field::Quantity, "quantity_not_an_integer", format!("{} has a fraction", short(text)));
                    return None;
                }
                None => {
                    faults.add(Field::Quantity, "quantity_not_a_number", format!("{} is no decimal number", short(text)));
                    return None;
                }
            },
            (kind, _) => {
                faults.kind(Field::Quantity, kind, "an integer");
                return None;
            }
        };
        let returned = number < 0 && self.schema.negative_quantity_is_return && record.get(Field::Op).0 == Kind::Absent;
        let units = Units { number: if returned { number.saturating_neg() } else { number }, returned };
        let (low, high) = self.schema.limits.quantity;
        if !within(units.number, (low, high)) {
            let found = short(record.get(Field::Quantity).1);
            faults.add(Field::Quantity, "quantity_out_of_range", format!("{found} is outside {low}..={high}"));
        }
        Some(units)
    }

    #[inline]
    fn payment(&self, record: &Record, faults: &mut Faults) -> u8 {
        match record.get(Field::Payment) {
            (Kind::Text | Kind::Cell, payment) => {
                if let Some(place) = self.schema.payments.iter().position(|known| known == payment) {
                    return place.min(255) as u8;
                }
                let known = self.schema.payments.join(", ");
                faults.add(Field::Payment, "unknown_payment", format!("{} is not one of {known}", short(payment)));
            }
            (kind, _) => faults.kind(Field::Payment, kind, "a text"),
        }
        0
    }

    #[inline]
    pub(super) fn date(&mut self, record: &Record, faults: &mut Faults) -> Option<i64> {
        let field = Field::Date;
        let (kind, text) = record.get(field);
        let read = match kind {
            Kind::Text => self.dates.parse(text),
            Kind::Number => millis(text),
            // A table cannot say whether it means a number: what is a date is read as one first.
            Kind::Cell => self.dates.parse(text).or_else(|bad| millis(text).map_err(|_| bad)),
            kind => {
                faults.kind(field, kind, "a text or an integer");
                return None;
            }
        };
        match read {
            Ok(at) => {
                let (first, last) = self.schema.limits.time;
                if !(first..=last).contains(&at) {
                    let message = format!("{} is outside {first}..={last} ms since 1970", short(text));
                    faults.add(field, "sale_date_out_of_range", message);
                } else if at > self.latest {
                    let message = format!("{} is too far ahead of the broker's time", short(text));
                    faults.add(field, "future_sale_date", message);
                }
                Some(at)
            }
            Err(BadDate::Unreadable) => {
                faults.add(field, "bad_sale_date", format!("{} is no time such as 2026-01-31T10:00:00.000Z", short(text)));
                None
            }
            Err(BadDate::Skipped) => {
                let zone = self.schema.zone.name();
                let message = format!("{} does not exist in {zone}: the clocks were put forward over it", short(text));
                faults.add(field, "bad_sale_date", message);
                None
            }
        }
    }

    #[inline]
    fn total(&self, record: &Record, price: Option<i64>, units: Option<Units>, faults: &mut Faults) {
        let field = Field::Total;
        let given = match record.get(field) {
            (Kind::Absent, _) => None,
            (Kind::Number | Kind::Cell, text) => match cents(text) {
                None => {
                    faults.add(field, "total_not_a_number", format!("{} is no decimal number", short(text)));
                    None
                }
                // The total of a return that a negative quantity told is negative too, or not, as the shop likes.
                Some(total) if units.is_some_and(|units| units.returned) => Some(total.saturating_abs()),
                total => total,
            },
            (kind, _) => {
                faults.kind(field, kind, "a number");
                None
            }
        };
        let computed = price.zip(units).map(|(price, units)| price.saturating_mul(units.number));
        if let (Some(given), Some(computed)) = (given, computed)
            && given != computed
        {
            let (found, wanted) = (short(record.get(field).1), show(computed));
            faults.add(field, "total_mismatch", format!("{found} is given, price times quantity is {wanted}"));
        }
        let (low, high) = self.schema.limits.total;
        if let Some(total) = computed.or(given).filter(|total| !(low..=high).contains(total)) {
            let message = format!("{} is outside {}..={}", show(total), show(low), show(high));
            faults.add(field, "total_out_of_range", message);
        }
    }
}

fn range(record: &Record, field: Field, (low, high): (i64, i64)) -> String {
    format!("{} is outside {}..={}", short(record.get(field).1), show(low), show(high))
}

/// A text that may be left out.
#[inline]
fn text<'r>(record: &Record<'r>, field: Field, faults: &mut Faults) -> &'r str {
    match record.get(field) {
        (Kind::Absent | Kind::Text | Kind::Cell, text) => text,
        (kind, _) => {
            faults.kind(field, kind, "a text");
            ""
        }
    }
}

/// A text that nobody looks at.
#[inline]
fn carried(record: &Record, field: Field, faults: &mut Faults) {
    match record.slots[field as usize].kind {
        Kind::Absent | Kind::Text | Kind::Cell => {}
        kind => faults.kind(field, kind, "a text"),
    }
}

#[inline]
fn op(record: &Record, faults: &mut Faults) -> Op {
    match record.get(Field::Op) {
        (Kind::Absent, _) | (Kind::Text | Kind::Cell, "sale") => return Op::Sale,
        (Kind::Text | Kind::Cell, "cancel") => return Op::Cancel,
        (Kind::Text | Kind::Cell, "return") => return Op::Return,
        (Kind::Text | Kind::Cell, op) => {
            faults.add(Field::Op, "bad_op", format!("{} is not one of sale, cancel, return", short(op)));
        }
        (kind, _) => faults.kind(Field::Op, kind, "a text"),
    }
    Op::Sale
}

/// A number without its fraction, and whether there was none.
#[inline]
pub(super) fn whole(text: &str) -> Option<(i64, bool)> {
    match text.as_bytes() {
        &[a @ b'0'..=b'9'] => Some((i64::from(a - b'0'), true)),
        _ => scaled(text, 0).map(|s| (s.value, s.exact)),
    }
}

/// Milliseconds since the epoch, as a number.
fn millis(text: &str) -> Result<i64, BadDate> {
    whole(text).filter(|&(_, exact)| exact).map(|(at, _)| at).ok_or(BadDate::Unreadable)
}

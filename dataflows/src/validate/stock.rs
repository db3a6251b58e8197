//! Rules for a record of the stock: `{id_product, stock, at}`.
//!
//! `id_product` and `at` keep the rules of a sale's `id_product` and `sale_date`; `stock` is a whole number of units, 0 or more. They
//! are read in the slots of `id_product`, `quantity` and `sale_date`; faults name them as the record does.

use super::rules::{Faults, Valid, Validator, short, whole};
use crate::decode::record::{Field, Kind, Record};
use crate::sale::{Fault, Op};

/// More units than this in stock are a mistake.
const MOST: i64 = 2_000_000_000;

/// What a field of the contract is called in a record of the stock.
pub(crate) fn stock_field(field: &'static str) -> &'static str {
    match field {
        "quantity" => "stock",
        "sale_date" => "at",
        other => other,
    }
}

impl Validator {
    /// All rules of a record of the stock.
    pub fn check_stock<'r>(&mut self, record: &Record<'r>) -> Result<Valid<'r>, Vec<Fault>> {
        let faults = &mut Faults::default();
        let product = self.name(record, Field::Product, faults);
        let units = units(record, faults);
        let at = self.date(record, faults);
        match (units, at) {
            (Some(units), Some(at)) if faults.0.is_empty() => Ok(Valid {
                op: Op::Stock,
                id: product,
                product,
                category: "",
                seller: "",
                customer: "",
                price: 0,
                quantity: units as u32,
                payment: 0,
                at,
            }),
            _ => {
                let faults = std::mem::take(&mut faults.0).into_iter();
                Err(faults.map(|fault| Fault { field: fault.field.map(stock_field), ..fault }).collect())
            }
        }
    }
}

fn units(record: &Record, faults: &mut Faults) -> Option<i64> {
    let field = Field::Quantity;
    let number = match record.get(field) {
        (Kind::Number | Kind::Cell, text) => match whole(text) {
            Some((number, true)) => number,
            Some(_) => {
                faults.add(field, "stock_not_an_integer", format!("{} has a fraction", short(text)));
                return None;
            }
            None => {
                faults.add(field, "stock_not_a_number", format!("{} is no decimal number", short(text)));
                return None;
            }
        },
        (kind, _) => {
            faults.kind(field, kind, "an integer");
            return None;
        }
    };
    if !(0..=MOST).contains(&number) {
        faults.add(field, "stock_out_of_range", format!("{number} is outside 0..={MOST}"));
    }
    Some(number)
}

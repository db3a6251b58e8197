//! The contract's rules: from values to a sale, or to everything that is wrong with it.
//!
//! A record is refused with *all* of its faults, in the order of the contract's fields, so that whoever mends a feed mends it
//! once. The codes below are stable: alerts and dead-letter queries are written against them.

mod date;
mod money;
mod rules;
mod stock;

pub(crate) use date::items as date_items;
pub(crate) use rules::{Valid, Validator};
pub(crate) use stock::stock_field;

/// Every code that decoding and validation give, and what it says. `future_sale_date` is also the clock's.
///
/// Readings of the contract, where it leaves room:
/// - `null` and, in CSV and in fields that the settings map, an empty value are the same as no value. An empty `id_customer` or
///   `nm_category` is none in any case.
/// - Ranges are judged on cents after rounding half to even: 0.004 is 0.00, and out of range; 50000.004 is 50000.00.
/// - The total is judged whenever price and quantity can be read, also when they are out of range themselves: a price of 0.00
///   is `price_out_of_range` and `total_out_of_range`.
/// - The fields that are only carried (`customer_segment`, ...) have no rule and break none.
pub const CODES: [(&str, &str); 27] = [
    // The whole record.
    ("record_too_large", "longer than 1 MiB"),
    ("bad_utf8", "not UTF-8"),
    ("bad_json", "not JSON, or cut off"),
    ("not_an_object", "JSON, but not an object"),
    ("bad_csv", "more or fewer cells than the header, or an open quote"),
    // Any field.
    ("missing_field", "required, and not given"),
    ("empty_field", "required, and given as an empty text"),
    ("wrong_type", "a number where a text belongs, an object, ..."),
    ("bad_text", "an escape in the text is no character"),
    // `id_sale`, `id_product`, `seller`.
    ("id_too_short", "fewer bytes than allowed"),
    ("id_too_long", "more bytes than allowed"),
    // One field each.
    ("bad_op", "`op` is not sale, cancel or return"),
    ("price_not_a_number", "`price` is a text that is no decimal number"),
    ("price_out_of_range", "`price` in cents is out of range"),
    ("quantity_not_a_number", "`quantity` is a text that is no decimal number"),
    ("quantity_not_an_integer", "`quantity` is a number with a fraction"),
    ("quantity_out_of_range", "`quantity` is out of range"),
    ("unknown_payment", "`tp_payment` is not one of the accepted ones"),
    ("bad_sale_date", "`sale_date` cannot be read, is a number with a fraction, or a local time that the clocks skipped"),
    ("sale_date_out_of_range", "`sale_date` is a time that has no tick"),
    ("total_not_a_number", "`total_value` is a text that is no decimal number"),
    ("total_mismatch", "`total_value` is not price times quantity"),
    ("total_out_of_range", "price times quantity is out of range, or `total_value` when they are unknown"),
    // Records of the stock; their `at` is judged like a `sale_date`, by the same codes.
    ("stock_not_a_number", "`stock` is a text that is no decimal number"),
    ("stock_not_an_integer", "`stock` is a number with a fraction"),
    ("stock_out_of_range", "`stock` is below 0 or above 2,000,000,000"),
    ("future_sale_date", "`sale_date` is too far ahead: of the broker's time, or of its input, which the clock finds out"),
];

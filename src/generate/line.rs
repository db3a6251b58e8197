//! Writes a sale as JSON. The parts that do not change (products, sellers, the day) are rendered once.

use super::catalogue::catalogue;
use super::draw::mix;
use super::settings::DAY;
use super::world::{Segment, World};
use std::fmt::Write;

/// What a line says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    /// Goods were sold.
    Sale,
    /// The sale never happened.
    Cancel,
    /// Goods came back.
    Return,
}

/// One line of a basket, small enough to wait in large numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    /// Event time, milliseconds since the Unix epoch.
    pub(crate) at: i64,
    /// Number of the basket in the stream.
    pub(crate) basket: u64,
    /// Number of the customer; means nothing for a guest.
    pub(crate) customer: u64,
    /// Index into the catalogue.
    pub(crate) product: u32,
    /// Index into the sellers.
    pub(crate) seller: u32,
    /// Price of one unit in cents.
    pub(crate) price: u32,
    /// Units.
    pub(crate) quantity: u16,
    /// Season of the category in thousandths.
    pub(crate) season: u16,
    /// Number of the line in its basket.
    pub(crate) number: u16,
    /// Discount in percent.
    pub(crate) discount: u8,
    /// Index into [`PAYMENTS`].
    pub(crate) payment: u8,
    /// Index into [`CHANNELS`].
    pub(crate) channel: u8,
    /// The buyer's segment.
    pub(crate) segment: Segment,
    /// What happened.
    pub(crate) op: Op,
}

/// Payment types of the contract.
pub(crate) const PAYMENTS: [&str; 6] =
    ["PIX", "Credit Card Cash", "Credit Card Installments", "Bank Slip", "Debit", "Digital Wallet"];
/// Where sales are made.
pub(crate) const CHANNELS: [&str; 5] = ["Mobile App", "Website", "Social Commerce", "Physical Store", "Call Center"];

/// The rendered parts.
pub(crate) struct Pen {
    products: Vec<String>,
    ratings: Vec<String>,
    sellers: Vec<String>,
    regions: Vec<&'static str>,
    tag: String,
    day: i64,
    date: String,
}

impl Pen {
    /// For one shop; ids of different seeds differ by their first part.
    pub(crate) fn new(seed: u64, world: &World) -> Self {
        let products = catalogue().iter().map(|p| {
            let (id, name, category, brand) = (p.id, p.name, p.category, p.brand);
            format!(r#""id_product":"{id}","nm_product":"{name}","nm_category":"{category}","nm_brand":"{brand}""#)
        });
        Pen {
            products: products.collect(),
            ratings: catalogue().iter().map(|p| format!("{}.{}", p.rating / 10, p.rating % 10)).collect(),
            sellers: world.sellers.iter().map(|s| format!(r#","seller":"{}""#, s.name)).collect(),
            regions: world.sellers.iter().map(|s| s.region).collect(),
            tag: format!("{:06x}", mix(seed) >> 40),
            day: i64::MIN,
            date: String::new(),
        }
    }

    /// Appends one record, without a line end.
    pub(crate) fn write(&mut self, line: &Line, out: &mut String) {
        out.push_str(match line.op {
            Op::Sale => r#"{"op":"sale","id_sale":""#,
            Op::Cancel => r#"{"op":"cancel","id_sale":""#,
            Op::Return => r#"{"op":"return","id_sale":""#,
        });
        out.push_str(&self.tag);
        out.push('-');
        digits(out, line.basket, 9);
        out.push('-');
        digits(out, u64::from(line.number), 1);
        out.push_str("\",");
        out.push_str(&self.products[line.product as usize]);
        out.push_str(&self.sellers[line.seller as usize]);
        if line.segment != Segment::Guest {
            out.push_str(",\"id_customer\":\"C");
            digits(out, line.customer, 7);
            out.push('"');
        }
        out.push_str(",\"price\":");
        hundredths(out, u64::from(line.price));
        out.push_str(",\"quantity\":");
        digits(out, u64::from(line.quantity), 1);
        out.push_str(",\"total_value\":");
        hundredths(out, u64::from(line.price) * u64::from(line.quantity));
        out.push_str(",\"tp_payment\":\"");
        out.push_str(PAYMENTS[usize::from(line.payment)]);
        out.push_str("\",\"sale_date\":\"");
        self.time(line.at, out);
        out.push_str(match line.segment {
            Segment::Vip => r#"","customer_segment":"VIP""#,
            Segment::Frequent => r#"","customer_segment":"Frequent""#,
            Segment::Regular => r#"","customer_segment":"Regular""#,
            Segment::New => r#"","customer_segment":"New""#,
            Segment::Guest => r#"","customer_segment":"Guest""#,
        });
        out.push_str(",\"seasonality_factor\":");
        digits(out, u64::from(line.season / 1_000), 1);
        out.push('.');
        digits(out, u64::from(line.season % 1_000), 3);
        out.push_str(",\"discount_percentage\":");
        digits(out, u64::from(line.discount), 1);
        out.push_str(",\"product_rating\":");
        out.push_str(&self.ratings[line.product as usize]);
        out.push_str(",\"seller_region\":\"");
        out.push_str(self.regions[line.seller as usize]);
        out.push_str("\",\"sales_channel\":\"");
        out.push_str(CHANNELS[usize::from(line.channel)]);
        out.push_str("\"}");
    }

    /// A time such as `2026-01-31T10:00:00.000Z`.
    fn time(&mut self, at: i64, out: &mut String) {
        let day = at.div_euclid(DAY);
        if day != self.day {
            self.day = day;
            self.date = date(day);
        }
        out.push_str(&self.date);
        let millis = at.rem_euclid(DAY) as u64;
        for (mark, value, width) in [
            ('T', millis / 3_600_000, 2),
            (':', millis / 60_000 % 60, 2),
            (':', millis / 1_000 % 60, 2),
            ('.', millis % 1_000, 3),
        ] {
            out.push(mark);
            digits(out, value, width);
        }
        out.push('Z');
    }
}

/// A time such as `2026-01-31T10:00:00.000Z`.
pub(crate) fn rfc3339(at: i64) -> String {
    let millis = at.rem_euclid(DAY);
    let (hour, minute, second) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{:03}Z", date(at.div_euclid(DAY)), millis % 1_000)
}

/// The date of a day since the epoch: civil calendar from a count of days, with years that begin in March.
fn date(day: i64) -> String {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let mut text = String::with_capacity(10);
    write!(text, "{:04}-{month:02}-{day:02}", year + era * 400 + i64::from(month <= 2)).expect("strings take all");
    text
}

/// A number with at least `width` digits.
#[inline]
fn digits(out: &mut String, mut value: u64, width: usize) {
    let mut buffer = [b'0'; 20];
    let mut start = buffer.len();
    while value > 0 || buffer.len() - start < width {
        start -= 1;
        buffer[start] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend(buffer[start..].iter().map(|&digit| char::from(digit)));
}

/// Cents as a number with two decimals.
#[inline]
fn hundredths(out: &mut String, cents: u64) {
    digits(out, cents / 100, 1);
    out.push('.');
    digits(out, cents % 100, 2);
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, SecondsFormat};

    #[test]
    fn times_agree_with_chrono() {
        for at in [0, 951_782_399_999, 951_782_400_000, 1_709_164_800_001, 1_767_614_400_000, 4_102_444_799_999] {
            let expected = DateTime::from_timestamp_millis(at).unwrap().to_rfc3339_opts(SecondsFormat::Millis, true);
            assert_eq!(rfc3339(at), expected);
        }
        for day in (0..60_000).step_by(13) {
            let expected = DateTime::from_timestamp(day * 86_400, 0).unwrap().format("%Y-%m-%d").to_string();
            assert_eq!(date(day), expected);
        }
    }

    #[test]
    fn numbers() {
        let mut out = String::new();
        digits(&mut out, 0, 1);
        digits(&mut out, 42, 4);
        out.push(' ');
        hundredths(&mut out, 5);
        out.push(' ');
        hundredths(&mut out, 284_750);
        assert_eq!(out, "00042 0.05 2847.50");
    }
}

//! Writes a sale as JSON. The parts that do not change (products, sellers) are rendered once.

use super::catalogue::catalogue;
use super::draw::mix;
use super::world::{Segment, World};
use dataflows::row::text;

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
        }
    }

    /// Appends one record, without a line end.
    pub(crate) fn write(&self, line: &Line, out: &mut String) {
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
        time(line.at, out);
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
}

/// A time such as `2026-01-31T10:00:00.000Z`.
pub(crate) fn rfc3339(at: i64) -> String {
    let mut out = String::new();
    time(at, &mut out);
    out
}

#[inline]
fn time(at: i64, out: &mut String) {
    out.push_str(std::str::from_utf8(&text::time_bytes(at)).expect("a time is ASCII"));
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
    out.push_str(std::str::from_utf8(&buffer[start..]).expect("digits are ASCII"));
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

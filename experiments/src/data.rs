//! Generated sales: a function of the [`Data`] alone, written once into a file and used by all runs.
//!
//! This is a generator of its own, and not the product's, because a benchmark wants what a demonstration does not: a steady
//! rate, ten thousand sellers, a share of late records that is known to the permille, and nothing that is rejected. Sellers
//! and products follow Zipf's law; products and their categories come from the catalogue. A record has some 295 bytes.
//!
//! Records arrive up to 1.9 s after their event time, within the slack of 2 s, so that none is late. A late one arrives 0.5 s
//! behind the slack and up to 4 s more, or, every other one, up to 50 s more. A cancellation arrives 1.9 s after the event time of
//! its sale, or at once when the sale is late.

use anyhow::{Context, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use vitrine::generate::catalogue::{Product, catalogue};

/// 2026-01-31T10:00:00Z
const START: i64 = 1_769_853_600_000;
/// Sellers, unless another number is asked for.
pub const SELLERS: u64 = 10_000;
const JITTER: u64 = 1_900;
const SLACK: i64 = 2_000;
const PAYMENTS: [&str; 6] = ["PIX", "Credit Card Cash", "Credit Card Installments", "Bank Slip", "Debit", "Digital Wallet"];

/// Where generated data goes.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/experiments")
}

/// Which data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Data")]
pub struct Data {
    /// Sales
    #[arg(long, default_value_t = 5_000_000, value_name = "N")]
    pub sales: u64,
    /// Minutes of event time over which they are spread
    #[arg(long, default_value_t = 150, value_name = "N")]
    pub minutes: u64,
    /// Late sales, in per cent
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    pub late: u64,
    /// Cancelled sales, in per cent
    #[arg(long, default_value_t = 0, value_name = "PERCENT")]
    pub cancelled: u64,
    /// Name customers, so many, and count their orders
    #[arg(long, default_value_t = 0, num_args = 0..=1, default_missing_value = "200000", value_name = "N")]
    pub customers: u64,
    /// Sellers
    #[arg(long, default_value_t = SELLERS, value_name = "N")]
    pub sellers: u64,
}

impl Data {
    /// The file with this data in a folder; written now if it is not there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn file(&self, folder: &Path) -> Result<PathBuf> {
        let Data { sales, minutes, late, cancelled, customers, sellers } = self;
        let of = |name: &str, n: u64, usual: u64| if n == usual { String::new() } else { format!("-{name}{n}") };
        let with = of("customers", *customers, 0) + &of("sellers", *sellers, SELLERS);
        let path = folder.join(format!("sales-{sales}-{minutes}m-late{late}-cancelled{cancelled}{with}.ndjson"));
        if !path.exists() {
            std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
            let unfinished = path.with_extension("part");
            let file = File::create(&unfinished).with_context(|| format!("writing {}", unfinished.display()))?;
            let mut out = BufWriter::with_capacity(1 << 20, file);
            self.write(&mut out)?;
            out.flush()?;
            std::fs::rename(&unfinished, &path)?;
        }
        Ok(path)
    }

    /// Writes the records in the order of arrival.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        let mut random = Random(20_260_131);
        let (sellers, products) = (Zipf::new(self.sellers as usize, &mut random), Zipf::new(catalogue().len(), &mut random));
        let mut waiting: BinaryHeap<Reverse<(i64, u64, Record)>> = BinaryHeap::new();
        let mut line = String::new();
        for number in 0..self.sales {
            let at = START + (number * self.minutes * 60_000 / self.sales) as i64;
            while waiting.peek().is_some_and(|Reverse((arrival, ..))| *arrival <= at) {
                waiting.pop().map_or(Ok(()), |Reverse((.., record))| put(&record, &mut line, out))?;
            }
            let record = Record {
                cancel: false,
                number,
                at,
                seller: sellers.draw(&mut random) as u32,
                product: products.draw(&mut random) as u32,
                customer: (self.customers > 0).then(|| random.below(self.customers)),
                discount: random.below(21) as u32,
                quantity: [1, 1, 1, 1, 1, 2, 2, 3, 4, 5][random.below(10) as usize],
                payment: random.below(6) as u32,
            };
            let late = random.below(100) < self.late;
            let behind = if random.below(2) == 0 { 4_000 } else { 50_000 };
            let arrival = if late { at + SLACK + 500 + random.below(behind) as i64 } else { at + random.below(JITTER) as i64 };
            waiting.push(Reverse((arrival, 2 * number, record)));
            if random.below(100) < self.cancelled {
                let arrival = arrival.max(at + JITTER as i64);
                waiting.push(Reverse((arrival, 2 * number + 1, Record { cancel: true, ..record })));
            }
        }
        while let Some(Reverse((.., record))) = waiting.pop() {
            put(&record, &mut line, out)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    cancel: bool,
    number: u64,
    at: i64,
    seller: u32,
    product: u32,
    customer: Option<u64>,
    discount: u32,
    quantity: u32,
    payment: u32,
}

fn put(record: &Record, line: &mut String, out: &mut impl Write) -> Result<()> {
    line.clear();
    record.write(&catalogue()[record.product as usize], line)?;
    Ok(out.write_all(line.as_bytes())?)
}

impl Record {
    fn write(&self, product: &Product, line: &mut String) -> std::fmt::Result {
        let op = if self.cancel { "cancel" } else { "sale" };
        let Product { id, name, category, brand, list_price, .. } = product;
        write!(line, r#"{{"op":"{op}","id_sale":"s{:09}","id_product":"{id}","nm_product":"{name}""#, self.number)?;
        write!(line, r#","nm_category":"{category}","nm_brand":"{brand}","seller":"seller-{:05}""#, self.seller)?;
        if let Some(customer) = self.customer {
            write!(line, r#","id_customer":"C{customer:07}""#)?;
        }
        let most = 5_000_000 / i64::from(self.quantity);
        let price = (list_price * i64::from(100 - self.discount) / 100).clamp(1, most);
        write!(line, r#","price":{}.{:02},"quantity":{}"#, price / 100, price % 100, self.quantity)?;
        let seconds = self.at.div_euclid(1_000);
        let (day, second) = (31 + (seconds - START / 1_000 + 36_000) / 86_400, (seconds - START / 1_000 + 36_000) % 86_400);
        // The data begins on the last day of January; a run of several days goes on in February.
        let (month, day) = if day > 31 { (2, day - 31) } else { (1, day) };
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let (payment, millis) = (PAYMENTS[self.payment as usize], self.at.rem_euclid(1_000));
        write!(
            line,
            r#","tp_payment":"{payment}","sale_date":"2026-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z""#
        )?;
        line.push_str("}\n");
        Ok(())
    }
}

/// SplitMix64: small, and the same for ever.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

/// The k-th of n comes in proportion to 1/k, and which one is the k-th is shuffled.
struct Zipf {
    upto: Vec<u64>,
    who: Vec<usize>,
}

impl Zipf {
    fn new(n: usize, random: &mut Random) -> Zipf {
        let mut sum = 0;
        let upto = (1..=n as u64).map(|k| {
            sum += (1 << 40) / k;
            sum
        });
        let upto = upto.collect();
        let mut who: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            who.swap(i, random.below(i as u64 + 1) as usize);
        }
        Zipf { upto, who }
    }

    fn draw(&self, random: &mut Random) -> usize {
        let at = random.below(self.upto.last().copied().unwrap_or(1));
        self.who[self.upto.partition_point(|x| *x <= at)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::decode::{Decoder, Format};
    use dataflows::dictionary::Dictionaries;
    use dataflows::sale::Op;

    fn decoded(data: &Data) -> (usize, dataflows::sale::Decoded) {
        let mut bytes = vec![];
        data.write(&mut bytes).unwrap();
        let plan = crate::job::Job::R4.plan(true, &[]).unwrap();
        let (length, mut names) = (bytes.len(), Dictionaries::default());
        (length, Decoder::new(crate::job::schema(&plan)).block(Format::Json, 0, bytes, 0, 0, length, &mut names))
    }

    #[test]
    fn all_records_are_valid_and_of_the_usual_length() {
        let (bytes, all) = decoded(&Data { sales: 5_000, minutes: 3, late: 5, cancelled: 1, customers: 0, sellers: SELLERS });
        assert_eq!(all.rejects, vec![]);
        let cancelled = all.sales.iter().filter(|s| s.op == Op::Cancel).count();
        assert!((20..100).contains(&cancelled) && all.sales.len() == 5_000 + cancelled);
        assert!((270..320).contains(&(bytes / all.sales.len())), "{}", bytes / all.sales.len());
        assert!(all.sales.iter().all(|s| s.customer == [0, 0]));
    }

    #[test]
    fn nothing_is_late_unless_it_was_asked_for() {
        for late in [0, 5] {
            let (_, all) =
                decoded(&Data { sales: 20_000, minutes: 10, late, cancelled: 1, customers: 200_000, sellers: SELLERS });
            let mut largest = i64::MIN;
            let behind = all.sales.iter().filter(|s| {
                largest = largest.max(s.at);
                s.at < largest - SLACK
            });
            let behind = behind.count();
            assert!(if late == 0 { behind == 0 } else { (800..1_300).contains(&behind) }, "{behind}");
        }
    }
}

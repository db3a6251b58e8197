//! A record as what it adds to the aggregates of its seller, category and product.

use super::delta::Lump;
use super::tally::{CategoryTally, Count, SellerTally};
use crate::feature::ln_fixed;
use crate::sale::{Op, Sale};

/// How many logarithms are remembered.
const LOGS: u32 = 1 << 14;

/// Logarithms of prices, remembered: prices repeat. The greatest of them is below 2^25; no price is 0.
pub struct Logs(Vec<(u32, i32)>);

impl Default for Logs {
    fn default() -> Logs {
        Logs(vec![(0, 0); LOGS as usize])
    }
}

impl Logs {
    #[inline]
    fn place(price: u32) -> usize {
        (price.wrapping_mul(0x9E37_79B9) >> (32 - LOGS.ilog2())) as usize
    }

    /// Reads what [`Signed::of`] will read, and gives a number that means nothing.
    #[inline]
    pub fn touch(&self, price: u32) -> u32 {
        self.0[Logs::place(price)].0
    }

    #[inline]
    fn of(&mut self, price: u32) -> i64 {
        let i = Logs::place(price);
        if self.0[i].0 != price {
            self.0[i] = (price, ln_fixed(price) as i32);
        }
        self.0[i].1.into()
    }
}

/// A sale as what it adds to each class; a cancellation is negative. A return adds to the lump only.
pub struct Signed {
    /// To its seller.
    pub seller: SellerTally,
    /// To its category.
    pub category: CategoryTally,
    /// To its product.
    pub product: Count,
}

impl Signed {
    /// Of a record, whose share in the sums over all goes to `lump`; `None` for what no class counts.
    #[inline]
    pub fn of(sale: &Sale, logs: &mut Logs, lump: &mut Lump) -> Option<Signed> {
        let (units, cents) = (i64::from(sale.quantity), sale.cents());
        let sign = match sale.op {
            Op::Sale => 1,
            Op::Cancel => -1,
            Op::Stock => return None,
            Op::Return => {
                lump.sums[3] += units;
                lump.sums[4] += cents;
                return None;
            }
        };
        let (units, cents) = (sign * units, sign * cents);
        lump.sums[0] += sign;
        lump.sums[1] += units;
        lump.sums[2] += cents;
        let ln = logs.of(sale.price);
        let anonymous = if sale.customer == [0, 0] { sign } else { 0 };
        Some(Signed {
            seller: SellerTally { sales: sign, units, cents, anonymous },
            category: CategoryTally {
                sales: sign,
                units,
                cents,
                ln: sign * ln,
                ln2: i128::from(sign) * i128::from(ln) * i128::from(ln),
            },
            product: Count(sign),
        })
    }
}

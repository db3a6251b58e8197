//! What detectors need of each sale by itself, and not as a sum: told to the owner of its product and of its category.
//!
//! Sums of a pane forget which price was paid and by whom. Where a detector needs that, the fold also tells each sale of a
//! closed pane to the owners, as a row of a [`Delta`]. These messages are not in the journal: the stages that take them reach
//! back further than it does, and deposit what they keep in the checkpoint.

use super::delta::Delta;
use super::told::Told;
use crate::dictionary::Dictionaries;
use crate::feature::price::{ln4, ln4_cents};
use crate::plan::Plan;
use crate::sale::{Op, Sale};
use serde::{Deserialize, Serialize};

/// A sale, as the owner of its product hears of it; or what is in stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductFact {
    /// Identity of the category.
    pub category: [u64; 2],
    /// Logarithm of the price, see [`ln4`].
    pub ln: i32,
    /// Units, less those of a cancellation; of a record of the stock, the units there are.
    pub units: i32,
    /// 1 for a sale, -1 for a cancellation, 0 for a record of the stock.
    pub sales: i32,
}

/// A sale, as the owner of its category hears of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryFact {
    /// Identity of the customer, `[0, 0]` without one.
    pub customer: [u64; 2],
    /// Price times quantity, in cents.
    pub cents: i64,
    /// Logarithm of it, see [`ln4_cents`].
    pub amount_ln: i32,
    /// Logarithm of the price.
    pub price_ln: i32,
    /// 1 for a sale, -1 for a cancellation.
    pub sales: i32,
}

/// All facts that leave when a tick closes.
#[derive(Default)]
pub struct Spoken {
    /// To the owners of products.
    pub products: Vec<Delta<ProductFact>>,
    /// To the owners of categories.
    pub categories: Vec<Delta<CategoryFact>>,
}

/// Logarithms of prices, remembered: prices repeat.
struct Logs(Vec<(u32, i32)>);

impl Logs {
    #[inline]
    fn of(&mut self, price: u32) -> i32 {
        let i = (price.wrapping_mul(0x9E37_79B9) >> 20) as usize;
        if self.0[i].0 != price {
            self.0[i] = (price, ln4(price));
        }
        self.0[i].1
    }
}

/// Tells each sale to the owners of its product and its category. See the [module](self).
pub struct Facts {
    products: Told,
    categories: Told,
    logs: Logs,
}

impl Facts {
    /// `me`, `peers`: this worker and how many there are; `None` when nobody wants facts.
    pub fn new(plan: &Plan, me: usize, peers: usize) -> Option<Facts> {
        let hold = super::delta::hold(plan);
        let told = || Told::new(me, peers, hold);
        plan.signals.enabled.then(|| Facts { products: told(), categories: told(), logs: Logs(vec![(0, ln4(0)); 4096]) })
    }

    /// Tells sales that were learned at tick `s`: those of pane `s`, or `late` ones of the panes that `pane` says.
    pub fn tell(&mut self, s: u32, sales: &[Sale], late: Option<&Plan>, names: &Dictionaries, out: &mut Spoken) {
        if sales.is_empty() {
            return;
        }
        let (mut products, mut categories) = (self.products.blank(s), self.categories.blank(s));
        for sale in sales {
            let sign = match sale.op {
                Op::Sale => 1,
                Op::Cancel => -1,
                Op::Stock => 0,
                Op::Return => continue,
            };
            let pane = late.map(|plan| plan.pane(sale.at));
            let ln = self.logs.of(sale.price);
            let category = names.categories.key(sale.category);
            let units = sale.quantity as i32;
            let fact = ProductFact {
                category: [category as u64, (category >> 64) as u64],
                ln,
                units: if sign < 0 { -units } else { units },
                sales: sign,
            };
            put(self.products.to(&mut products, sale.product, s, &names.products), sale.product, pane, fact);
            if sign == 0 {
                continue;
            }
            let cents = sale.cents();
            let amount_ln = if sale.quantity == 1 { ln } else { ln4_cents(cents) };
            let fact = CategoryFact { customer: sale.customer, cents, amount_ln, price_ln: ln, sales: sign };
            put(self.categories.to(&mut categories, sale.category, s, &names.categories), sale.category, pane, fact);
        }
        self.products.send(products, &mut out.products);
        self.categories.send(categories, &mut out.categories);
    }

    /// An id of a class is forgotten: 1 is categories, 2 products.
    pub fn forget(&mut self, class: usize, id: u32) {
        match class {
            1 => self.categories.forget(id),
            2 => self.products.forget(id),
            _ => (),
        }
    }
}

fn put<V>(to: &mut Delta<V>, id: u32, pane: Option<u32>, fact: V) {
    to.ids.push(id);
    to.panes.extend(pane);
    to.tallies.push(fact);
}

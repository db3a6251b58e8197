//! What readers tell the owners of profiles: each sale once to every owner of its seller, product, category and customer.
//!
//! Unlike the aggregates of [`pane`](crate::pane), a fact goes out as soon as its record is released, under the tick at which it
//! will be learned, and the owner keeps it until then. Keys are the low halves of their identities: two keys of one class fall
//! together with a probability of about n^2 / 2^65, 3e-8 for a million keys. Facts are not in the journal: the stages that take
//! them deposit their whole state.

use serde::{Deserialize, Serialize};

/// The classes of keys, as indices and as bits.
pub mod class {
    /// `seller_features`
    pub const SELLER: usize = 0;
    /// `product_features`
    pub const PRODUCT: usize = 1;
    /// `category_features`
    pub const CATEGORY: usize = 2;
    /// `customer_features`
    pub const CUSTOMER: usize = 3;
    /// How many there are.
    pub const COUNT: usize = 4;
}

/// One record: a sale, its cancellation or a return; or what was in stock, told to the owner of the product alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fact {
    /// Event time, milliseconds since the Unix epoch. First, so that facts are ordered by it.
    pub at: i64,
    /// Keys by [`class`]; 0 for no customer.
    pub keys: [u64; class::COUNT],
    /// Which record this is, for its scoring vector: see [`Ticket`].
    pub ticket: u64,
    /// Price of one unit in cents.
    pub price: u32,
    /// Units.
    pub quantity: u32,
    /// 1 for a sale, -1 for a cancellation, 0 for a return and for what was in stock.
    pub sign: i8,
    /// `tp_payment` by its place in the settings.
    pub payment: u8,
    /// For which classes the receiver owns the key, as bits.
    pub roles: u8,
    /// Whether it says how many units of the product were in stock, and was no sale.
    pub stock: bool,
}

impl Fact {
    /// Price times quantity, negative for a cancellation, nothing for a return.
    #[inline]
    pub fn cents(&self) -> i64 {
        i64::from(self.sign) * self.amount()
    }

    /// Price times quantity.
    #[inline]
    pub fn amount(&self) -> i64 {
        i64::from(self.price) * i64::from(self.quantity)
    }

    /// Units, negative for a cancellation, nothing for a return.
    #[inline]
    pub fn units(&self) -> i64 {
        i64::from(self.sign) * i64::from(self.quantity)
    }

    /// Lines: 1, -1 for a cancellation, 0 for a return.
    #[inline]
    pub fn lines(&self) -> i64 {
        self.sign.into()
    }

    /// 1 for a return.
    #[inline]
    pub fn returns(&self) -> i64 {
        i64::from(self.sign == 0 && !self.stock)
    }
}

/// Lines, units, cents and returns of some records.
pub fn sums(facts: &[Fact]) -> [i64; 4] {
    facts.iter().fold([0; 4], |[lines, units, cents, returns], f| {
        [lines + f.lines(), units + f.units(), cents + f.cents(), returns + f.returns()]
    })
}

/// Sums of one category over one hour, told to all workers: what is said of the population.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The category.
    pub category: u64,
    /// Hours since the Unix epoch.
    pub hour: u32,
    /// Sales less cancellations.
    pub n: i64,
    /// Returns.
    pub returns: i64,
    /// Sum of the logarithms of the amounts, see [`ln_fixed`](crate::feature::ln_fixed).
    pub ln: i64,
    /// Sum of their squares.
    pub ln2: i128,
    /// Sales less cancellations by step of the price, see [`step`](super::population::step).
    pub prices: Vec<(u16, i32)>,
    /// Units sold less those cancelled. This and the next are told where the stock is known.
    pub units: i64,
    /// Sales less cancellations by product.
    pub products: Vec<(u64, i32)>,
}

/// Sales of one way of payment in one pane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paid {
    /// `tp_payment` by its place in the settings.
    pub payment: u8,
    /// The pane of the features.
    pub pane: u32,
    /// Sales less cancellations, and their cents.
    pub sums: [i64; 2],
}

/// What a reader tells one worker of the records that are learned at one tick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Told {
    /// The worker.
    pub to: u32,
    /// The tick at which they are learned, a multiple of the slide.
    pub s: u32,
    /// By class: what keys are called, before or with their first use.
    pub names: [Vec<(u64, String)>; class::COUNT],
    /// The records.
    pub facts: Vec<Fact>,
    /// The names of the customers of those records that have one and come with that role, one after the other, and where each
    /// ends.
    pub customers: (String, Vec<u32>),
    /// Of the population; the same for all workers.
    pub lots: Vec<Lot>,
    /// Of the ways of payment; the same for all workers.
    pub paid: Vec<Paid>,
}

impl Told {
    /// Adds the name of the customer of the next record that has the role.
    pub fn customer(&mut self, name: &str) {
        self.customers.0.push_str(name);
        self.customers.1.push(self.customers.0.len() as u32);
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.lots.is_empty() && self.paid.is_empty() && self.names.iter().all(Vec::is_empty)
    }
}

/// A sale that waits for its scoring vector, on the worker that read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ticket {
    /// The tick at which it is learned.
    pub s: u32,
    /// As in its [`Fact`].
    pub ticket: u64,
    /// Event time.
    pub at: i64,
    /// Index of the input, and offset in it.
    pub place: (u32, u64),
    /// The payment, for the velocities of its kind.
    pub payment: u8,
    /// Members of the row that are known already, as JSON.
    pub text: String,
}

/// Where scoring vectors are put together: the worker that made the ticket.
pub fn home(ticket: u64, peers: usize) -> usize {
    (ticket >> 48) as usize % peers
}

/// The worker that owns a key.
#[inline]
pub fn owner(key: u64, peers: usize) -> usize {
    (((key >> 32) * peers as u64) >> 32) as usize
}

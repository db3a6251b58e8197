//! What readers tell owners: the aggregates of one system tick, in columns, with keys as the sender's own dense ids.
//!
//! Protocol, between one sender and one owner:
//! 1. Messages are made in the order of `s`, and the owner applies them in that order.
//! 2. `names` tells the owner what an id of the sender means, before the first use of the id, again when the id has come to
//!    mean another name, and again when the sender has not used it for [`hold`] / 2 ticks.
//! 3. The owner keeps a name at least [`hold`] ticks after it was last spoken of. So an id that the sender does not explain is
//!    always known.

use crate::plan::Plan;
use serde::{Deserialize, Serialize};

/// Rows of one class of keys from one sender for one owner, learned at tick `s`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Delta<V> {
    /// The worker that owns the keys.
    pub to: u32,
    /// The worker that read the sales.
    pub from: u32,
    /// The system tick.
    pub s: u32,
    /// Ids and what they mean.
    pub names: Vec<(u32, String)>,
    /// The sender's ids.
    pub ids: Vec<u32>,
    /// The pane of each row; empty when all are of pane `s`.
    pub panes: Vec<u32>,
    /// The sums of each row.
    pub tallies: Vec<V>,
    /// Sales by customer; only from sellers, and only where orders are counted.
    pub customers: Vec<Customer>,
}

/// Sales of a seller to a customer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Customer {
    /// The sender's id of the seller.
    pub id: u32,
    /// The pane.
    pub pane: u32,
    /// Sales less cancellations.
    pub sales: i32,
    /// Identity of the customer.
    pub customer: [u64; 2],
}

/// Sums over all sales that one worker learned at tick `s` of a pane.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Lump {
    /// The system tick.
    pub s: u32,
    /// The pane; `s` when on time.
    pub pane: u32,
    /// Sales, units, cents, returned units, returned cents; then released, rejected, bad time.
    pub sums: [i64; 8],
}

/// Amounts of sales, for the biggest one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AmountDelta {
    /// The worker that owns the amounts.
    pub to: u32,
    /// The system tick.
    pub s: u32,
    /// Sales on time, in cents.
    pub plus: Vec<u32>,
    /// (pane, cents, sign) of all others.
    pub odd: Vec<(u32, u32, i8)>,
}

/// How long an owner remembers a name that nobody speaks of, in ticks: longer than any pane of it is kept.
pub fn hold(plan: &Plan) -> u32 {
    let windows = plan.windows.iter().map(|w| w.size + w.lateness + 2 * w.slide);
    let f = &plan.features;
    let features = f.hour + f.lateness + 2 * f.minute.max(f.slide);
    windows.chain([features]).max().unwrap_or(1).saturating_mul(2)
}

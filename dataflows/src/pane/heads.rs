//! Who bought where: what the counting of baskets needs of each sale, told to the owner of its customer and of its seller.
//!
//! A basket is a distinct customer of a pane, so the whole shop and the categories are counted where all of a customer's sales
//! meet, and sellers where all of a seller's do. Keys travel as identities, not as ids: nobody has to remember what an id of a
//! sender means for as long as a profile lasts. Names go to worker 0, once from each reader that uses them.
//! Like other facts these are not in the journal; the stages behind them deposit what they keep.

use super::told::owner_of;
use crate::dictionary::{Dictionaries, Dictionary};
use crate::plan::{Plan, ceil};
use crate::row::event::Level;
use crate::sale::{Op, Sale};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The low and the high half of a 128-bit identity.
pub type Identity = [u64; 2];

/// Lines of one customer, seller, category and pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Head {
    /// `[0, 0]` when the sale names no customer.
    pub customer: Identity,
    /// The seller.
    pub seller: Identity,
    /// The category.
    pub category: Identity,
    /// The end of its pane, a multiple of the detectors' slide.
    pub pane: u32,
    /// Sales less cancellations.
    pub lines: i32,
}

/// What one reader tells one owner of what it learned at a tick.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Heads {
    /// The worker that it is for.
    pub to: u32,
    /// The system tick.
    pub s: u32,
    /// Sales of customers that this worker owns, and of none.
    pub customers: Vec<Head>,
    /// Sales of sellers that this worker owns.
    pub sellers: Vec<Head>,
    /// To worker 0: what identities are called.
    pub names: Vec<(Level, Identity, String)>,
    /// To worker 0, of live inputs: input, pane, sales that came.
    pub arrived: Vec<(u32, u32, i64)>,
}

/// An identity in halves.
pub fn halves(key: u128) -> Identity {
    [key as u64, (key >> 64) as u64]
}

/// The worker that owns an identity.
pub fn owner(key: Identity, peers: usize) -> u32 {
    owner_of(u128::from(key[1]) << 64 | u128::from(key[0]), peers as u64)
}

impl Head {
    /// The worker that counts it for the shop and its category: the customer's, and without a customer the category's.
    pub fn counted_by(&self, peers: usize) -> u32 {
        owner(if self.customer == [0, 0] { self.category } else { self.customer }, peers)
    }
}

/// Tells owners. See the [module](self).
pub struct Crier {
    step: u32,
    lateness: u32,
    peers: usize,
    /// By id of sellers and categories: worker 0 knows the name.
    known: [Vec<bool>; 2],
    /// Sales of live inputs that wait for their tick: by tick, input and pane.
    pub arrived: BTreeMap<(u32, u32, u32), i64>,
}

impl Crier {
    /// `None` when nobody counts baskets.
    pub fn new(plan: &Plan, peers: usize) -> Option<Crier> {
        let detect = &plan.detect;
        let crier =
            || Crier { step: detect.step, lateness: detect.lateness, peers, known: Default::default(), arrived: BTreeMap::new() };
        detect.enabled.then(crier)
    }

    /// Takes note of the sales of a block that came from a live input when tick `s` was open.
    pub fn arrive(&mut self, plan: &Plan, input: u32, s: u32, sales: &[Sale]) {
        for sale in sales.iter().filter(|sale| sale.op == Op::Sale) {
            let pane = plan.pane(sale.at);
            let (learned, pane) = (pane.max(s), ceil(pane, self.step));
            if pane.saturating_add(self.lateness) >= learned {
                *self.arrived.entry((learned, input, pane)).or_default() += 1;
            }
        }
    }

    /// Tells the sales that were learned at tick `s`. Those of panes beyond the lateness count for nobody.
    pub fn tell(&mut self, plan: &Plan, s: u32, sales: &[Sale], names: &Dictionaries, out: &mut Vec<Heads>) {
        let mut messages: Vec<Heads> = (0..self.peers as u32).map(|to| Heads { to, s, ..Heads::default() }).collect();
        for sale in sales {
            let lines = match sale.op {
                Op::Sale => 1,
                Op::Cancel => -1,
                Op::Return | Op::Stock => continue,
            };
            let pane = ceil(plan.pane(sale.at), self.step);
            if pane.saturating_add(self.lateness) < s {
                continue;
            }
            self.name(0, Level::Seller, sale.seller, &names.sellers, &mut messages[0]);
            self.name(1, Level::Category, sale.category, &names.categories, &mut messages[0]);
            let (seller, category) = (halves(names.sellers.key(sale.seller)), halves(names.categories.key(sale.category)));
            let head = Head { customer: sale.customer, seller, category, pane, lines };
            messages[head.counted_by(self.peers) as usize].customers.push(head);
            messages[owner(seller, self.peers) as usize].sellers.push(head);
        }
        while let Some(first) = self.arrived.first_entry().filter(|first| first.key().0 <= s) {
            let ((_, input, pane), sales) = first.remove_entry();
            messages[0].arrived.push((input, pane, sales));
        }
        out.extend(
            messages
                .into_iter()
                .filter(|m| !m.customers.is_empty() || !m.sellers.is_empty() || !m.names.is_empty() || !m.arrived.is_empty()),
        );
    }

    #[inline]
    fn name(&mut self, class: usize, level: Level, id: u32, names: &Dictionary, to: &mut Heads) {
        let (known, id) = (&mut self.known[class], id as usize);
        if known.get(id).is_some_and(|known| *known) {
            return;
        }
        known.resize(known.len().max(id + 1), false);
        known[id] = true;
        to.names.push((level, halves(names.key(id as u32)), names.name(id as u32).to_string()));
    }

    /// An id comes to mean something else: of sellers (0) or categories (1).
    pub fn forget(&mut self, class: usize, id: u32) {
        if let Some(known) = self.known.get_mut(class).and_then(|known| known.get_mut(id as usize)) {
            *known = false;
        }
    }
}

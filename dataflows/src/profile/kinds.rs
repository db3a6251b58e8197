//! What the four kinds of profiles have in common.

use super::env::Env;
use super::fact::{Fact, class};
use super::sums::Sums;
use super::{category, customer, product, seller};
use crate::edge::Table;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is known of a key.
pub trait Profile: Default + 'static {
    /// As it stands in a checkpoint.
    type Saved: Serialize + DeserializeOwned;
    /// Its class.
    const CLASS: usize;
    /// Its table.
    const TABLE: Table;
    /// Takes a record.
    fn add(&mut self, fact: &Fact, env: &Env);
    /// Whether there is a row at `e`. The records of `late`, the oldest first, are known; they came too late for all rows before.
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool;
    /// The looks at which time alone may change what a record of a pane says.
    fn due(pane: u32, env: &Env) -> [u32; 3] {
        [pane + 1 + env.hour; 3]
    }
    /// The columns of the table as of `e`.
    fn look(&mut self, e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>);
    /// Vectors as of `e` will be asked for.
    fn begin(&mut self, _e: u32, _env: &Env, _pad: &mut Sums) {}
    /// The columns that a sale takes from this class, after [`Profile::begin`].
    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>);
    /// Takes a record between two vectors.
    fn enter(&mut self, fact: &Fact, _e: u32, env: &Env, _pad: &mut Sums) {
        self.add(fact, env);
    }
    /// Forgets what no look from `e` on can need.
    fn forget(&mut self, e: u32, env: &Env);
    /// Whether nothing is known of it any more.
    fn idle(&self) -> bool {
        false
    }
    /// What a checkpoint holds.
    fn save(&self) -> Self::Saved;
    /// As it was saved.
    fn restore(saved: Self::Saved) -> Self;
}

impl Profile for seller::Seller {
    type Saved = seller::Saved;
    const CLASS: usize = class::SELLER;
    const TABLE: Table = Table::SellerFeatures;
    fn add(&mut self, fact: &Fact, env: &Env) {
        self.add(fact, env);
    }
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        self.changed(e, late, env)
    }
    fn look(&mut self, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, env.instant(e), env, out);
    }
    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, fact.at, env, out);
    }
    fn forget(&mut self, e: u32, env: &Env) {
        self.forget(e, env);
    }
    fn save(&self) -> seller::Saved {
        self.save()
    }
    fn restore(saved: seller::Saved) -> Self {
        Self::restore(saved)
    }
}

impl Profile for product::Product {
    type Saved = product::Saved;
    const CLASS: usize = class::PRODUCT;
    const TABLE: Table = Table::ProductFeatures;
    fn add(&mut self, fact: &Fact, env: &Env) {
        self.add(fact, env);
    }
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        self.changed(e, late, env)
    }
    fn look(&mut self, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, env.instant(e), env, out);
    }
    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, fact.at, env, out);
        product::Product::score(self, fact, e, env, out);
    }
    fn forget(&mut self, e: u32, env: &Env) {
        self.forget(e, env);
    }
    fn save(&self) -> product::Saved {
        self.save()
    }
    fn restore(saved: product::Saved) -> Self {
        Self::restore(saved)
    }
}

impl Profile for category::Category {
    type Saved = category::Saved;
    const CLASS: usize = class::CATEGORY;
    const TABLE: Table = Table::CategoryFeatures;
    fn due(pane: u32, env: &Env) -> [u32; 3] {
        Self::due(pane, env)
    }
    fn add(&mut self, fact: &Fact, env: &Env) {
        self.add(fact, env);
    }
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        self.changed(e, late, env)
    }
    fn look(&mut self, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.cells(e, env, out);
    }
    /// As of the beginning of the sale's pane: a category is looked at once for all of its sales.
    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, _pad: &mut Sums, out: &mut Vec<i64>) {
        self.scored(e.min(env.pane(fact.at)), env, out);
    }
    fn forget(&mut self, e: u32, env: &Env) {
        self.forget(e, env);
    }
    fn save(&self) -> category::Saved {
        self.save()
    }
    fn restore(saved: category::Saved) -> Self {
        Self::restore(saved)
    }
}

impl Profile for customer::Customer {
    type Saved = customer::Customer;
    const CLASS: usize = class::CUSTOMER;
    const TABLE: Table = Table::CustomerFeatures;
    fn add(&mut self, fact: &Fact, _env: &Env) {
        self.add(fact);
    }
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool {
        self.changed(e, late, env)
    }
    fn look(&mut self, e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>) {
        self.sum(e, env, pad);
        pad.cells(env.instant(e), env, out);
    }
    fn begin(&mut self, e: u32, env: &Env, pad: &mut Sums) {
        self.sum(e, env, pad);
    }
    fn score(&mut self, fact: &Fact, _e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>) {
        pad.cells(fact.at, env, out);
        pad.score(fact, env, out);
    }
    fn enter(&mut self, fact: &Fact, e: u32, env: &Env, pad: &mut Sums) {
        self.add(fact);
        pad.add(fact, env);
        pad.last = self.last(env.instant(e));
    }
    fn forget(&mut self, e: u32, env: &Env) {
        self.forget(e, env);
    }
    fn idle(&self) -> bool {
        self.idle()
    }
    fn save(&self) -> customer::Customer {
        self.clone()
    }
    fn restore(saved: customer::Customer) -> Self {
        saved
    }
}

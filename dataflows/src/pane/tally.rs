//! What is summed for a key in a pane, by class of key.

use crate::group::{CategoryGroup, SellerGroup};
use differential_dataflow::ExchangeData;
use differential_dataflow::difference::{Abelian, IsZero};
use serde::{Deserialize, Serialize};

/// Integer sums of a key in a pane: a commutative group.
pub trait Tally: Copy + Default + PartialEq + ExchangeData {
    /// The form in which features of this class enter differential.
    type Group: ExchangeData + Abelian + Default + IsZero;
    /// Sales less cancellations.
    fn sales(&self) -> i64;
    /// Adds.
    fn add(&mut self, other: &Self);
    /// As a difference.
    fn group(&self) -> Self::Group;
    /// So many orders as a difference; zero for classes that count none.
    fn orders(n: i64) -> Self::Group;
    /// What the trend needs of a pane: sales and cents; `None` for classes without a trend.
    fn trend(&self) -> Option<(i64, i64)>;
    /// Sums over minutes as a difference; zero for classes without a trend.
    fn minutes(sales: i64, s0: i128, s1: i128, s2: i128) -> Self::Group;
    /// Whether nothing is summed.
    #[inline]
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Sums of a seller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SellerTally {
    /// Sales less cancellations.
    pub sales: i64,
    /// Units.
    pub units: i64,
    /// Cents.
    pub cents: i64,
    /// Of the sales, those that name no customer: each is an order of its own.
    pub anonymous: i64,
}

impl Tally for SellerTally {
    type Group = SellerGroup;
    #[inline]
    fn sales(&self) -> i64 {
        self.sales
    }
    #[inline]
    fn add(&mut self, o: &Self) {
        self.sales += o.sales;
        self.units += o.units;
        self.cents += o.cents;
        self.anonymous += o.anonymous;
    }
    fn group(&self) -> SellerGroup {
        SellerGroup([self.sales, self.units, self.cents, self.anonymous])
    }
    fn orders(n: i64) -> SellerGroup {
        SellerGroup([0, 0, 0, n])
    }
    fn trend(&self) -> Option<(i64, i64)> {
        None
    }
    fn minutes(_: i64, _: i128, _: i128, _: i128) -> SellerGroup {
        SellerGroup::default()
    }
}

/// Sums of a category.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CategoryTally {
    /// Sales less cancellations.
    pub sales: i64,
    /// Units.
    pub units: i64,
    /// Cents.
    pub cents: i64,
    /// Sum of the logarithms of prices in fixed point, see [`crate::feature::ln_fixed`].
    pub ln: i64,
    /// Sum of their squares.
    pub ln2: i128,
}

impl Tally for CategoryTally {
    type Group = CategoryGroup;
    #[inline]
    fn sales(&self) -> i64 {
        self.sales
    }
    #[inline]
    fn add(&mut self, o: &Self) {
        self.sales += o.sales;
        self.units += o.units;
        self.cents += o.cents;
        self.ln += o.ln;
        self.ln2 += o.ln2;
    }
    fn group(&self) -> CategoryGroup {
        CategoryGroup([self.sales.into(), self.units.into(), self.cents.into(), self.ln.into(), self.ln2, 0, 0, 0, 0])
    }
    fn orders(_: i64) -> CategoryGroup {
        CategoryGroup::default()
    }
    fn trend(&self) -> Option<(i64, i64)> {
        Some((self.sales, self.cents))
    }
    fn minutes(sales: i64, s0: i128, s1: i128, s2: i128) -> CategoryGroup {
        CategoryGroup([0, 0, 0, 0, 0, sales.into(), s0, s1, s2])
    }
}

/// Sales of a product, and of any key where only its presence counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Count(pub i64);

impl Tally for Count {
    type Group = isize;
    #[inline]
    fn sales(&self) -> i64 {
        self.0
    }
    #[inline]
    fn add(&mut self, o: &Self) {
        self.0 += o.0;
    }
    fn group(&self) -> isize {
        self.0 as isize
    }
    fn orders(_: i64) -> isize {
        0
    }
    fn trend(&self) -> Option<(i64, i64)> {
        None
    }
    fn minutes(_: i64, _: i128, _: i128, _: i128) -> isize {
        0
    }
}

//! Aggregates that ride in the difference type: Abelian groups of integers.
//!
//! Consolidation adds them up, so that no order of addition shows, and a retraction is a negation. Floats are derived from
//! them once, at the edge.

use differential_dataflow::difference::{Abelian, IsZero, Monoid, Multiply, Semigroup};
use serde::{Deserialize, Serialize};

macro_rules! group {
    ($(#[$doc:meta])* $name:ident, $element:ty, $n:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub [$element; $n]);

        impl Default for $name {
            fn default() -> Self {
                $name([0; $n])
            }
        }
        impl IsZero for $name {
            #[inline]
            fn is_zero(&self) -> bool {
                self.0.iter().all(|x| *x == 0)
            }
        }
        impl Semigroup for $name {
            #[inline]
            fn plus_equals(&mut self, other: &Self) {
                for (a, b) in self.0.iter_mut().zip(&other.0) {
                    *a += *b;
                }
            }
        }
        impl Monoid for $name {
            fn zero() -> Self {
                Self::default()
            }
        }
        impl Abelian for $name {
            #[inline]
            fn negate(&mut self) {
                for a in &mut self.0 {
                    *a = -*a;
                }
            }
        }
        impl Multiply<isize> for $name {
            type Output = Self;
            #[inline]
            fn multiply(mut self, by: &isize) -> Self {
                for a in &mut self.0 {
                    *a *= *by as $element;
                }
                self
            }
        }
    };
}

group!(
    /// Sums of a global window, by [`slot`].
    Totals, i64, 11
);
group!(
    /// Sums of a seller over an hour: sales, units, cents, orders.
    SellerGroup, i64, 4
);
group!(
    /// Sums of a category over half an hour: sales, units, cents, ln, ln squared; and over thirty whole minutes: sales,
    /// S0, S1, S2 (see [`crate::feature`]).
    CategoryGroup, i128, 9
);

/// Slots of [`Totals`].
pub mod slot {
    /// Sales less cancellations.
    pub const SALES: usize = 0;
    /// Units.
    pub const UNITS: usize = 1;
    /// Cents.
    pub const CENTS: usize = 2;
    /// Units that came back.
    pub const RETURNED_UNITS: usize = 3;
    /// Cents that came back.
    pub const RETURNED_CENTS: usize = 4;
    /// Records released in the window's ticks.
    pub const RELEASED: usize = 5;
    /// Of them rejected.
    pub const REJECTED: usize = 6;
    /// Of them with a date in the future or too late.
    pub const BAD_TIME: usize = 7;
    /// Distinct sellers.
    pub const SELLERS: usize = 8;
    /// Distinct categories.
    pub const CATEGORIES: usize = 9;
    /// Distinct products.
    pub const PRODUCTS: usize = 10;
}

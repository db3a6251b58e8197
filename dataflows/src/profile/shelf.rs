//! What is known of the stock of a product: the last records of it, and what was sold since each.
//!
//! A record speaks of the end of its pane, as it does for `stock_depletion`: what is sold in later panes goes off. So whatever
//! comes late, a sale, a cancellation or the record itself, what is left is a sum that is exact. Of the records of one pane the
//! newest counts, of those of one instant the smallest.
//!
//! Memory: 32 bytes for the newest record before the looks that may still be asked for, and for each pane with a record since.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    pane: u32,
    at: i64,
    units: i64,
    /// Units sold in later panes.
    gone: i64,
}

/// See the [module](self).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf(Vec<Record>);

impl Shelf {
    /// So many units were there at a time; in the panes after it `gone` of them were sold already.
    pub fn count(&mut self, pane: u32, at: i64, units: i64, gone: i64) {
        match self.0.binary_search_by_key(&pane, |r| r.pane) {
            Ok(i) => {
                let known = &mut self.0[i];
                if (at, -units) > (known.at, -known.units) {
                    (known.at, known.units) = (at, units);
                }
            }
            Err(i) => self.0.insert(i, Record { pane, at, units, gone }),
        }
    }

    /// Units were sold in a pane, or cancelled.
    pub fn sell(&mut self, pane: u32, units: i64) {
        self.0.iter_mut().filter(|r| r.pane < pane).for_each(|r| r.gone += units);
    }

    /// The units left at the beginning of the pane `e`; `after` were sold in it and later. `None` without a record.
    pub fn left(&self, e: u32, after: i64) -> Option<i64> {
        let last = self.0.iter().rev().find(|r| r.pane < e)?;
        Some((last.units - (last.gone - after)).max(0))
    }

    /// Whether there is a record in a pane.
    pub fn counted(&self, pane: u32) -> bool {
        self.0.iter().any(|r| r.pane == pane)
    }

    /// No look before `e` will be asked for.
    pub fn forget(&mut self, e: u32) {
        let needed = self.0.partition_point(|r| r.pane < e).saturating_sub(1);
        self.0.drain(..needed);
    }
}

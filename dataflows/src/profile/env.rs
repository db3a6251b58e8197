//! What the profiles of all keys have in common: how time is cut, the population, and tables of the formulas.
//!
//! Panes are numbered from the Unix epoch: pane k holds `[k, k + 1)` slides of the features. A look as of `e` sees the panes
//! before `e`. A horizon H on panes of a grain g begins at the pane that holds `e - H`: exactly H back where g is the slide.

use super::population::{Population, Sums};
use crate::feature::hours::Kernel;
use crate::feature::vector::Tables;
use crate::plan::Plan;

/// Milliseconds in a minute, five minutes, an hour, a day.
pub const MINUTE: i64 = 60_000;
/// See [`MINUTE`].
pub const FIVE: i64 = 300_000;
/// See [`MINUTE`].
pub const HOUR: i64 = 3_600_000;
/// See [`MINUTE`].
pub const DAY: i64 = 86_400_000;

/// See the [module](self).
#[derive(Debug)]
pub struct Env {
    /// Milliseconds between two `as_of`.
    pub slide: i64,
    /// How many slides back a row is still revised.
    pub reach: u32,
    /// Panes in an hour.
    pub hour: u32,
    /// Whether distinct orders are counted.
    pub orders: bool,
    /// The lead time of the stock, in hours.
    pub lead: f64,
    /// What all customers do.
    pub population: Population,
    /// For hours of the day.
    pub kernel: Kernel,
    /// For the customers' vectors.
    pub tables: Tables,
    /// Room to work in.
    pub prices: Vec<(i32, u32)>,
}

impl Env {
    /// Nothing is known yet.
    pub fn new(plan: &Plan) -> Env {
        let slide = i64::from(plan.features.slide) * plan.tick;
        Env {
            slide,
            reach: plan.features.lateness / plan.features.slide,
            hour: (HOUR / slide) as u32,
            orders: plan.features.orders,
            lead: plan.signals.spec.lead_time as f64 / HOUR as f64,
            population: Population::default(),
            kernel: Kernel::default(),
            tables: Tables::default(),
            prices: vec![],
        }
    }

    /// The pane of an event time.
    #[inline]
    pub fn pane(&self, at: i64) -> u32 {
        at.div_euclid(self.slide) as u32
    }

    /// The instant of a look.
    #[inline]
    pub fn instant(&self, e: u32) -> i64 {
        i64::from(e) * self.slide
    }

    /// The first pane of grain `grain` within a horizon of a look.
    #[inline]
    pub fn from(&self, e: u32, horizon: i64, grain: i64) -> u32 {
        (self.instant(e) - horizon).max(0).div_euclid(grain) as u32
    }

    /// The whole hours that a look counts on: those that ended at least the allowed lateness ago.
    #[inline]
    pub fn whole_hours(&self, e: u32) -> u32 {
        (self.instant(e.saturating_sub(self.reach)) / HOUR) as u32
    }

    /// The population as a look sees it.
    pub fn sums(&self, e: u32) -> &Sums {
        self.population.at(self.whole_hours(e))
    }

    /// Panes before this one do not change any more when `e` is the next look: no record of them is taken.
    #[inline]
    pub fn done(&self, e: u32) -> u32 {
        e.saturating_sub(self.hour + self.reach + 2)
    }
}

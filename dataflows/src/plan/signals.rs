//! Settings of the detectors that look at single sales: prices, tickets, orders, the stock.

/// Thresholds and spans of these detectors; times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalSpec {
    /// Whether they run.
    pub enabled: bool,
    /// A price whose second nearest among the product's own last prices is this far away, as a logarithm, is a warning.
    pub price_warn: f64,
    /// From here on it is an alert.
    pub price_alert: f64,
    /// `revenue_surge` when the mean log ticket lies so many standard errors above its usual value.
    pub ticket_z: f64,
    /// `large_order` when the log of an amount lies so many standard deviations above the category's mean, until its tail is known.
    pub large_order_z: f64,
    /// `category_trend` when p is below 10 to the minus this ...
    pub trend_decades: f64,
    /// ... and the change within 30 min is at least this fraction.
    pub trend_change: f64,
    /// Whether the stock is known.
    pub stock: bool,
    /// `stock_depletion` when the stock runs out within this time ...
    pub lead_time: i64,
    /// ... with at least this probability.
    pub stockout_probability: f64,
}

impl Default for SignalSpec {
    fn default() -> Self {
        SignalSpec {
            enabled: false,
            price_warn: 0.5,
            price_alert: 1.2,
            ticket_z: 5.0,
            large_order_z: 8.0,
            trend_decades: 4.0,
            trend_change: 0.15,
            stock: false,
            lead_time: 3_600_000,
            stockout_probability: 0.9,
        }
    }
}

/// The detectors in ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Signals {
    /// Whether they run.
    pub enabled: bool,
    /// Distance between two looks.
    pub slide: u32,
    /// How long after it a look still takes late records: 60 s.
    pub lateness: u32,
    /// Ticks in a day.
    pub day: u32,
    /// Thresholds and spans as given.
    pub spec: SignalSpec,
}

/// Distance between two looks, in milliseconds.
pub const SLIDE: i64 = super::detect::SLIDE;

/// How long after a look it still takes late records, in milliseconds.
pub const LATENESS: i64 = 60_000;

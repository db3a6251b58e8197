//! What a stream of generated sales looks like, as numbers.

use super::kind::{Kind, Shape};

/// Milliseconds of a minute.
pub(crate) const MINUTE: i64 = 60_000;
/// Milliseconds of a day.
pub(crate) const DAY: i64 = 24 * 60 * MINUTE;

/// Which incidents are injected.
#[derive(Clone, Debug, PartialEq)]
pub enum Incidents {
    /// None.
    Off,
    /// At random: starts are uniform over each day, magnitudes and durations are those of the evaluation protocol.
    Scattered {
        /// Attempts a day, spread evenly over [`Settings::kinds`]; spikes, drops and surges count twice, once for the whole shop.
        /// One that finds no place free of relatives is dropped.
        per_day: u32,
        /// No incident starts earlier than this many milliseconds after the first sale.
        after: i64,
        /// Least distance in milliseconds between incidents of the same family (series, ancestor, descendant).
        gap: i64,
    },
    /// A fixed round that repeats every fifteen minutes: spike, surge, drop, seller burst, price error, all strong.
    /// Made to be seen; too close together to be used for an evaluation.
    Demo,
}

/// Version of what the generator makes of its settings: a number of an evaluation names it. 1 had steps only, and none of the
/// kinds that are off by default; it made the same records of the settings that it knew. 2 made the same records as 3, and its
/// labels gave wrong prices the decades of one sale in `decades_60` even where less than one is expected within a minute.
pub const VERSION: u32 = 3;

/// The noise that moves the rates slowly, by the law of its shocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tails {
    /// Normal shocks: Ornstein-Uhlenbeck.
    Normal,
    /// Student shocks with 3 degrees of freedom and the same variance: long calm, then a jump.
    Student,
}

impl Tails {
    /// As settings call it.
    pub fn name(self) -> &'static str {
        match self {
            Tails::Normal => "normal",
            Tails::Student => "student",
        }
    }
}

/// Everything that decides a stream of generated sales. Equal settings give equal bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The only source of randomness.
    pub seed: u64,
    /// Sales (records with op `sale`, not counting redeliveries and broken records); `None` never ends.
    pub sales: Option<u64>,
    /// Milliseconds after which the stream ends; `None` never.
    pub span: Option<i64>,
    /// Sellers. Sixteen have names of their own; further names are composed.
    pub sellers: usize,
    /// The most popular categories of the catalogue, up to all 248.
    pub categories: usize,
    /// Customers who come back; new customers come on top.
    pub customers: u32,
    /// Mean sale lines a minute, over a whole week.
    pub rate: f64,
    /// Event time at which the stream begins, milliseconds since the Unix epoch.
    pub start: i64,
    /// The shop's clock against UTC in minutes; the daily and weekly season follow it.
    pub utc_offset: i64,
    /// Multiplies the daily and weekly season in logarithms: 0 is flat, 1 as designed.
    pub season: f64,
    /// Multiplies the standard deviations of the slow noise: 0 is none, 2 is twice as much.
    pub noise: f64,
    /// Variance over mean of line counts: baskets hold several lines.
    pub clumping: f64,
    /// Law of the shocks of the slow noise.
    pub tails: Tails,
    /// Share of baskets that draw another one in the same category within minutes, which may draw another: bursts that feed on
    /// themselves. The mean rate stays as set.
    pub excitement: f64,
    /// By how many hours (standard deviation) the day of each category moves from week to week.
    pub season_drift: f64,
    /// Clocks go forward by an hour this many milliseconds after the start; 0 is never.
    pub dst_after: i64,
    /// Exponent of the sellers' shares: the seller of rank r sells in proportion to r^-exponent.
    pub seller_zipf: f64,
    /// Share of sales whose units are multiplied by a Pareto variable with the exponent `pareto_alpha`.
    pub pareto: f64,
    /// See `pareto`.
    pub pareto_alpha: f64,
    /// Multiplies `late`, `cancels` and `duplicates`.
    pub disorder: f64,
    /// Delivery takes up to this many milliseconds, uniformly.
    pub jitter: i64,
    /// Share of baskets that come late, and the mean extra delay in milliseconds (exponential).
    pub late: f64,
    /// See `late`.
    pub late_mean: i64,
    /// Share of sales that are cancelled, uniformly within `cancel_within` milliseconds.
    pub cancels: f64,
    /// See `cancels`.
    pub cancel_within: i64,
    /// Share of sales of which goods come back, after an exponential time with this mean in milliseconds. Far sooner
    /// than in a real shop, so that streams of hours hold some.
    pub returns: f64,
    /// See `returns`.
    pub return_mean: i64,
    /// Share of sales that are delivered a second time, byte for byte.
    pub duplicates: f64,
    /// Broken records per sale, on top of the sales.
    pub broken: f64,
    /// Share of baskets without `id_customer`.
    pub guests: f64,
    /// Injected incidents.
    pub incidents: Incidents,
    /// What is scattered, in turn.
    pub kinds: Vec<Kind>,
    /// How spikes and drops grow and fade, each as often as the others.
    pub shapes: Vec<Shape>,
    /// How many customers a seller burst comes from, each number as often as the others; empty: one to three.
    pub burst_customers: Vec<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            seed: 1,
            sales: Some(100_000),
            span: None,
            sellers: 16,
            categories: 248,
            customers: 20_000,
            rate: 600.0,
            start: 1_767_614_400_000, // Monday, 2026-01-05T12:00:00Z, 9 o'clock in São Paulo.
            utc_offset: -180,
            season: 1.0,
            noise: 1.0,
            clumping: 1.5,
            tails: Tails::Normal,
            excitement: 0.0,
            season_drift: 0.0,
            dst_after: 0,
            seller_zipf: 1.05,
            pareto: 0.0,
            pareto_alpha: 2.5,
            disorder: 1.0,
            jitter: 1_000,
            late: 0.02,
            late_mean: 20_000,
            cancels: 0.005,
            cancel_within: 10 * MINUTE,
            returns: 0.01,
            return_mean: 60 * MINUTE,
            duplicates: 0.002,
            broken: 0.003,
            guests: 0.02,
            incidents: Incidents::Scattered { per_day: 24, after: 15 * MINUTE, gap: 60 * MINUTE },
            kinds: Kind::USUAL.to_vec(),
            shapes: vec![Shape::Step],
            burst_customers: vec![],
        }
    }
}

impl Settings {
    /// A lively shop with an incident every few minutes, for a demonstration; it never ends.
    pub fn demo() -> Self {
        Settings {
            sales: None,
            rate: 900.0,
            late: 0.03,
            cancels: 0.01,
            cancel_within: MINUTE,
            return_mean: 3 * MINUTE,
            incidents: Incidents::Demo,
            ..Settings::default()
        }
    }

    /// A scenario of the evaluation protocol: a CI-sized shop without broken records, all kinds of incidents and hard negatives,
    /// all shapes, from the end of the warm-up on. It never ends.
    pub fn protocol(seed: u64, warm_up: i64) -> Self {
        Settings {
            seed,
            sales: None,
            sellers: 300,
            categories: 15,
            start: 1_767_582_000_000, // Monday, 2026-01-05T03:00:00Z, midnight in São Paulo.
            broken: 0.0,
            pareto: 0.01,
            incidents: Incidents::Scattered { per_day: 120, after: warm_up, gap: 60 * MINUTE },
            kinds: Kind::ALL.to_vec(),
            shapes: vec![Shape::Step, Shape::Ramp, Shape::Triangle],
            burst_customers: vec![1, 3, 30],
            ..Settings::default()
        }
    }

    /// The same under laws that no detector here assumes: shocks with heavy tails, baskets that excite others, a day that moves
    /// from week to week, clocks that go forward, incidents that fade, more disorder.
    pub fn stress(seed: u64, warm_up: i64) -> Self {
        Settings {
            tails: Tails::Student,
            excitement: 0.25,
            season_drift: 0.4,
            dst_after: warm_up + 3 * DAY,
            disorder: 2.0,
            shapes: Shape::ALL.to_vec(),
            ..Settings::protocol(seed, warm_up)
        }
    }

    /// Says what is wrong with these settings, the first thing found.
    pub fn check(&self) -> Result<(), BadSetting> {
        let within = |setting, what, value: f64, low: f64, high: f64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(BadSetting { setting, what, value, low, high }),
        };
        let number = |setting, value, low, high| within(setting, setting, value, low, high);
        number("sellers", self.sellers as f64, 1.0, 100_000.0)?;
        number("categories", self.categories as f64, 1.0, 248.0)?;
        number("customers", f64::from(self.customers), 1.0, 1e9)?;
        number("rate", self.rate, 1e-3, 1e8)?;
        number("start", self.start as f64, 0.0, 4_102_444_800_000.0)?;
        number("utc_offset_minutes", self.utc_offset as f64, -1_080.0, 1_080.0)?;
        number("season", self.season, 0.0, 2.0)?;
        number("noise", self.noise, 0.0, 5.0)?;
        number("clumping", self.clumping, 1.0, 50.0)?;
        number("seller_zipf", self.seller_zipf, 0.0, 5.0)?;
        number("excitement", self.excitement, 0.0, 0.8)?;
        number("season_drift", self.season_drift, 0.0, 6.0)?;
        number("pareto_alpha", self.pareto_alpha, 0.5, 100.0)?;
        number("disorder", self.disorder, 0.0, 50.0)?;
        let delays = [
            ("jitter", self.jitter),
            ("late_mean", self.late_mean),
            ("cancel_within", self.cancel_within),
            ("return_mean", self.return_mean),
            ("dst_after", self.dst_after),
        ];
        for (setting, delay) in delays {
            number(setting, delay as f64, 0.0, 366.0 * DAY as f64)?;
        }
        let shares = [
            ("late", self.late),
            ("cancels", self.cancels),
            ("returns", self.returns),
            ("duplicates", self.duplicates),
            ("pareto", self.pareto),
            ("broken", self.broken),
            ("guests", self.guests),
        ];
        for (setting, share) in shares {
            number(setting, share, 0.0, 1.0)?;
        }
        let multiplied = [
            ("late times disorder", self.late * self.disorder),
            ("cancels times disorder, and returns", self.cancels * self.disorder + self.returns),
            ("duplicates times disorder", self.duplicates * self.disorder),
        ];
        for (what, share) in multiplied {
            within("disorder", what, share, 0.0, 1.0)?;
        }
        number("incident_shapes", self.shapes.len() as f64, 1.0, 100.0)?;
        for &customers in &self.burst_customers {
            number("burst_customers", f64::from(customers), 1.0, 10_000.0)?;
        }
        if let Incidents::Scattered { per_day, after, gap } = self.incidents {
            number("incidents_per_day", f64::from(per_day), 0.0, 10_000.0)?;
            number("incidents_after", after as f64, 0.0, 1e12)?;
            number("incidents_gap", gap as f64, 0.0, DAY as f64)?;
        }
        Ok(())
    }
}

/// A setting that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{what} is {value}, allowed is {low} to {high}")]
pub struct BadSetting {
    /// Its key in the section `[generate]`.
    pub setting: &'static str,
    /// What is out of range: the setting itself, or what it makes of others.
    pub what: &'static str,
    /// The value of that.
    pub value: f64,
    /// The least value allowed.
    pub low: f64,
    /// The greatest value allowed.
    pub high: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_pass_and_nonsense_is_named() {
        assert_eq!(Settings::default().check(), Ok(()));
        assert_eq!(Settings::demo().check(), Ok(()));
        let bad = [
            (Settings { rate: f64::NAN, ..Settings::default() }, "rate is NaN, allowed is 0.001 to 100000000"),
            (Settings { sellers: 0, ..Settings::default() }, "sellers is 0, allowed is 1 to 100000"),
            (Settings { late: 1.5, ..Settings::default() }, "late is 1.5, allowed is 0 to 1"),
        ];
        for (settings, message) in bad {
            assert_eq!(settings.check().unwrap_err().to_string(), message);
        }
    }
}

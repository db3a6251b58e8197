//! What is computed: ticks, windows, features, gates and event rules, already resolved.
//!
//! A [`Plan`] cannot be invalid: [`Plan::new`] checks a [`Spec`] once, and nothing after it asks again. All spans of time are
//! in **ticks** here; a tick is the greatest common divisor of the slides in use.

pub(crate) mod detect;
mod profiles;
mod signals;

pub use detect::{Announced, Detect, DetectSpec, SLIDE};
pub use profiles::{ProfileSpec, Profiles};
pub use signals::{SignalSpec, Signals};

use thiserror::Error;

/// A window definition as settings give it; times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSpec {
    /// As it appears in the `window` column, e.g. `60s/30s`.
    pub name: String,
    /// Length, a multiple of `slide`.
    pub size: i64,
    /// Distance between two window ends.
    pub slide: i64,
    /// How long after its end a window still takes late records.
    pub lateness: i64,
    /// Whether `biggest_sale` is kept (4 bytes for each sale inside the window).
    pub biggest: bool,
}

/// The features as settings give them; times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureSpec {
    /// Whether any feature row is made.
    pub enabled: bool,
    /// Distance between two `as_of`; divides a minute.
    pub slide: i64,
    /// How long after `as_of` a row still takes late records.
    pub lateness: i64,
    /// Whether `seller_orders_last_1h` is kept (it remembers (customer, minute) pairs for an hour).
    pub orders: bool,
}

/// Which window an event compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// One slide earlier when SIZE <= 2 SLIDE, else one size earlier: the one of `growth_pct`.
    Auto,
    /// One slide earlier.
    Slide,
    /// One size earlier.
    Size,
    /// The mean of the last N windows that lie one size apart.
    Mean(u32),
}

/// Thresholds of the growth rules.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSpec {
    /// Whether events are raised at all.
    pub enabled: bool,
    /// Names of the window definitions on which events are raised; empty means all.
    pub windows: Vec<String>,
    /// What a window is compared with.
    pub reference: Reference,
    /// `activity_spike` when sales grow by at least this many per cent.
    pub spike_pct: f64,
    /// `activity_drop` when sales fall by at least this many per cent (a positive number).
    pub drop_pct: f64,
    /// `revenue_surge` when revenue grows by at least this many per cent.
    pub revenue_pct: f64,
    /// Whether suppressed events are written to the `suppressed` table.
    pub write_suppressed: bool,
}

/// Quality gates: a window that fails one raises no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gates {
    /// `total_sales` must reach this.
    pub min_sales: i64,
    /// `total_revenue` must reach this, in cents.
    pub min_revenue: i64,
    /// `active_sellers` must reach this.
    pub min_sellers: i64,
    /// `schema` fails above this share of rejected records, in parts per thousand.
    pub max_rejected_permille: i64,
    /// `timestamp` fails above this share of `future_sale_date` and `too_late` records, in parts per thousand.
    pub max_bad_time_permille: i64,
}

/// The cooldown policy; times in milliseconds of event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CooldownSpec {
    /// The first and least quiet time.
    pub quiet: i64,
    /// The greatest quiet time.
    pub max_quiet: i64,
    /// After this long without a detection the quiet time starts over.
    pub reset: i64,
}

/// All that a [`Plan`] is made from; times in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The windows, in the order of the settings.
    pub windows: Vec<WindowSpec>,
    /// The features.
    pub features: FeatureSpec,
    /// How far the watermark stays behind the largest event time.
    pub max_out_of_orderness: i64,
    /// Tick zero; event times before it are rejected. The Unix epoch unless a tick is shorter than a second.
    pub origin: i64,
    /// Horizon of deduplication in milliseconds; 0 is off.
    pub deduplicate: i64,
    /// Quality gates.
    pub gates: Gates,
    /// Event rules.
    pub events: EventSpec,
    /// Cooldown policy.
    pub cooldown: CooldownSpec,
    /// Detectors of counts.
    pub detect: DetectSpec,
    /// Detectors that look at single sales.
    pub signals: SignalSpec,
    /// Features that look back further than an hour, and scoring vectors.
    pub profiles: ProfileSpec,
}

impl Default for Spec {
    fn default() -> Self {
        let window = |name: &str, size, slide, lateness| WindowSpec { name: name.into(), size, slide, lateness, biggest: true };
        Spec {
            windows: vec![window("60s/30s", 60_000, 30_000, 60_000), window("15m/1s", 900_000, 1_000, 5_000)],
            features: FeatureSpec { enabled: true, slide: 30_000, lateness: 60_000, orders: true },
            max_out_of_orderness: 2_000,
            origin: 0,
            deduplicate: 0,
            gates: Gates {
                min_sales: 5,
                min_revenue: 10_000,
                min_sellers: 2,
                max_rejected_permille: 100,
                max_bad_time_permille: 100,
            },
            events: EventSpec {
                enabled: true,
                windows: vec![],
                reference: Reference::Auto,
                spike_pct: 50.0,
                drop_pct: 50.0,
                revenue_pct: 50.0,
                write_suppressed: false,
            },
            cooldown: CooldownSpec { quiet: 30_000, max_quiet: 240_000, reset: 600_000 },
            detect: DetectSpec::default(),
            signals: SignalSpec::default(),
            profiles: ProfileSpec::default(),
        }
    }
}

/// A window definition in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// As in the `window` column.
    pub name: String,
    /// Length in ticks.
    pub size: u32,
    /// Distance between two ends in ticks.
    pub slide: u32,
    /// Allowed lateness in ticks, rounded up.
    pub lateness: u32,
    /// Whether `biggest_sale` is kept.
    pub biggest: bool,
}

impl Window {
    /// Distance in ticks to the window that `growth_pct` compares with: a slide, or a size when SIZE > 2 SLIDE.
    pub fn reference(&self) -> u32 {
        if self.size > 2 * self.slide { self.size } else { self.slide }
    }
}

/// The features in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// Whether any feature row is made.
    pub enabled: bool,
    /// Distance between two `as_of`.
    pub slide: u32,
    /// Allowed lateness.
    pub lateness: u32,
    /// Ticks in an hour, in 30 minutes, in a minute.
    pub hour: u32,
    /// Ticks in 30 minutes.
    pub half_hour: u32,
    /// Ticks in a minute.
    pub minute: u32,
    /// Whether `seller_orders_last_1h` is kept.
    pub orders: bool,
}

/// Settings that cannot be computed with.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum PlanError {
    /// No window and no feature.
    #[error("nothing to compute: give at least one window, or switch the features on")]
    Empty,
    /// A window that does not fit together.
    #[error("window {name}: {problem}")]
    Window {
        /// Its name.
        name: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// Features that do not fit together.
    #[error("features: {0}")]
    Features(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What is computed, in ticks. See [`Plan::new`].
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Milliseconds in a tick.
    pub tick: i64,
    /// Milliseconds since the Unix epoch at tick zero.
    pub origin: i64,
    /// Milliseconds that the watermark stays behind.
    pub slack: i64,
    /// Deduplication horizon in milliseconds; 0 is off.
    pub deduplicate: i64,
    /// The windows, in the order of the settings.
    pub windows: Vec<Window>,
    /// The features.
    pub features: Features,
    /// Quality gates.
    pub gates: Gates,
    /// Event rules.
    pub events: EventSpec,
    /// Cooldown policy.
    pub cooldown: CooldownSpec,
    /// Detectors of counts.
    pub detect: Detect,
    /// Detectors that look at single sales.
    pub signals: Signals,
    /// Features that look back further than an hour, and scoring vectors.
    pub profiles: Profiles,
}

/// The greatest tick of an event time (with ticks of a second from the Unix epoch: in the year 2097), and the longest span:
/// their sum does not overflow.
const LAST_TICK: u32 = u32::MAX - (1 << 28);
const LONGEST: u32 = 1 << 26;

/// The most ends of a window definition that are kept to be revised and compared with.
const MOST_ENDS: i64 = 1 << 20;

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Plan {
    /// Checks a [`Spec`] and converts it to ticks.
    ///
    /// # Errors
    /// When a size is not a multiple of its slide, a span is not positive or too long, two windows share a name, the feature
    /// slide does not divide a minute, or a tick shorter than a second comes without an origin.
    pub fn new(spec: &Spec) -> Result<Plan, PlanError> {
        if spec.windows.is_empty() && !spec.features.enabled {
            return Err(PlanError::Empty);
        }
        let mut tick = if spec.features.enabled { spec.features.slide } else { 0 };
        for (i, w) in spec.windows.iter().enumerate() {
            let bad = |problem: String| Err(PlanError::Window { name: w.name.clone(), problem });
            if w.slide <= 0 || w.size <= 0 {
                return bad("size and slide must be positive".into());
            }
            if w.size % w.slide != 0 {
                return bad(format!("the size ({} ms) must be a multiple of the slide ({} ms)", w.size, w.slide));
            }
            if w.lateness < 0 {
                return bad("allowed_lateness must not be negative".into());
            }
            if spec.windows[..i].iter().any(|o| o.name == w.name) {
                return bad("it is listed twice".into());
            }
            tick = gcd(tick, w.slide);
        }
        if spec.detect.enabled {
            tick = gcd(tick, detect::SLIDE);
            if !(spec.detect.false_alarms.is_finite() && spec.detect.false_alarms > 0.0) {
                return Err(PlanError::Other("[detect] false_alarms must be positive".into()));
            }
        }
        if spec.signals.enabled {
            tick = gcd(tick, signals::SLIDE);
        }
        if spec.features.enabled && (spec.features.slide <= 0 || 60_000 % spec.features.slide != 0) {
            return Err(PlanError::Features(format!("the slide ({} ms) must divide a minute", spec.features.slide)));
        }
        if spec.features.lateness < 0 || spec.max_out_of_orderness < 0 || spec.deduplicate < 0 {
            return Err(PlanError::Other("lateness, max_out_of_orderness and deduplicate must not be negative".into()));
        }
        if tick < 1_000 && spec.origin == 0 {
            return Err(PlanError::Other(format!(
                "a tick of {tick} ms reaches only {} days: say from when with [time] origin",
                i64::from(LAST_TICK) * tick / 86_400_000
            )));
        }
        if spec.profiles.any() {
            profiles::check(&spec.features).map_err(PlanError::Features)?;
        }
        for w in &spec.windows {
            let longest = match spec.events.reference {
                Reference::Mean(n) => w.size.saturating_mul(i64::from(n)),
                _ => w.size,
            };
            let problem = if longest.max(w.lateness) / tick > i64::from(LONGEST) {
                format!(
                    "it spans more than {LONGEST} ticks of {tick} ms, its lateness and the windows that events compare with included"
                )
            } else if (longest + w.lateness) / w.slide > MOST_ENDS {
                format!(
                    "more than {MOST_ENDS} of its ends would have to be kept: take a longer slide or fewer windows to compare with"
                )
            } else {
                continue;
            };
            return Err(PlanError::Window { name: w.name.clone(), problem });
        }
        if spec.features.lateness / tick > i64::from(LONGEST) {
            return Err(PlanError::Features(format!("the lateness spans more than {LONGEST} ticks of {tick} ms")));
        }
        let ticks = |ms: i64| ((ms + tick - 1) / tick).clamp(0, i64::from(LONGEST)) as u32;
        // Window ends are aligned to the Unix epoch, so the origin must be too.
        let all = spec.windows.iter().map(|w| w.slide).chain([60_000, spec.features.slide.max(1)]);
        let align = all.fold(tick, |a, b| (a / gcd(a, b)).saturating_mul(b));
        let origin = spec.origin.div_euclid(align) * align;
        if (spec.origin - origin) / tick > i64::from(LONGEST) {
            return Err(PlanError::Other(format!(
                "no tick of {tick} ms shortly before [time] origin is an end of all slides: they differ too much"
            )));
        }
        let windows = spec.windows.iter().map(|w| Window {
            name: w.name.clone(),
            size: ticks(w.size),
            slide: ticks(w.slide),
            lateness: ticks(w.lateness),
            biggest: w.biggest,
        });
        Ok(Plan {
            tick,
            origin,
            slack: spec.max_out_of_orderness,
            deduplicate: spec.deduplicate,
            windows: windows.collect(),
            features: Features {
                enabled: spec.features.enabled,
                slide: ticks(spec.features.slide).max(1),
                lateness: ticks(spec.features.lateness),
                hour: ticks(3_600_000),
                half_hour: ticks(1_800_000),
                minute: ticks(60_000),
                orders: spec.features.orders,
            },
            gates: spec.gates.clone(),
            events: spec.events.clone(),
            cooldown: spec.cooldown.clone(),
            detect: Detect {
                enabled: spec.detect.enabled,
                step: ticks(detect::SLIDE).max(1),
                lateness: ticks(detect::LATENESS),
                h: detect::threshold(spec.detect.false_alarms),
                spec: spec.detect.clone(),
            },
            signals: Signals {
                enabled: spec.signals.enabled,
                slide: ticks(signals::SLIDE).max(1),
                lateness: ticks(signals::LATENESS),
                day: ticks(86_400_000),
                spec: spec.signals.clone(),
            },
            profiles: spec.profiles,
        })
    }

    /// The pane of an event time, named by its end: `floor(t / tick) + 1`, counted from the origin. 0 for what is earlier.
    #[inline]
    pub fn pane(&self, at: i64) -> u32 {
        ((at - self.origin).div_euclid(self.tick) + 1).clamp(0, i64::from(LAST_TICK)) as u32
    }

    /// The watermark tick for a largest event time: `floor((t - slack) / tick)`, counted from the origin.
    #[inline]
    pub fn watermark(&self, largest: i64) -> u32 {
        (largest.saturating_sub(self.slack).saturating_sub(self.origin).div_euclid(self.tick)).clamp(0, i64::from(LAST_TICK))
            as u32
    }

    /// Milliseconds since the Unix epoch at which tick `t` lies.
    #[inline]
    pub fn millis(&self, t: u32) -> i64 {
        self.origin + i64::from(t) * self.tick
    }

    /// The first and last event time that have a tick, in milliseconds since the Unix epoch.
    pub fn reach(&self) -> (i64, i64) {
        (self.origin, self.origin.saturating_add(i64::from(LAST_TICK) * self.tick))
    }

    /// The least pane whose records still count somewhere when the watermark is `w`: a record is `too_late` when its pane
    /// is smaller. An instance that ends at E takes records as long as `E + lateness > w`; the last instance of a pane
    /// `p` ends at `ceil(p, slide) + size - slide`.
    pub fn least_pane(&self, w: u32) -> u32 {
        let least = |size: u32, slide: u32, lateness: u32| {
            // the least E with E + lateness > w, E a multiple of slide; then the least p with ceil(p) + size - slide >= E
            let e = (i64::from(w) - i64::from(lateness)).div_euclid(i64::from(slide)) * i64::from(slide) + i64::from(slide);
            (e - i64::from(size) + 1).max(0) as u32
        };
        let f = &self.features;
        let windows = self.windows.iter().map(|d| least(d.size, d.slide, d.lateness));
        let features = f.enabled.then(|| least(f.hour, f.slide, f.lateness));
        let d = &self.detect;
        let detect = d.enabled.then(|| least(d.step, d.step, d.lateness));
        let g = &self.signals;
        let signals = g.enabled.then(|| least(g.slide, g.slide, g.lateness));
        windows.chain(features).chain(detect).chain(signals).min().unwrap_or(0)
    }
}

/// `t` rounded up to a multiple of `slide`.
#[inline]
pub fn ceil(t: u32, slide: u32) -> u32 {
    t.div_ceil(slide) * slide
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(size: i64, slide: i64, change: impl FnOnce(&mut Spec)) -> Result<Plan, PlanError> {
        let window = WindowSpec { name: "w".into(), size, slide, lateness: 0, biggest: true };
        let mut spec = Spec { windows: vec![window], ..Spec::default() };
        change(&mut spec);
        Plan::new(&spec)
    }

    const DAY: i64 = 86_400_000;

    #[test]
    fn spans_that_ticks_cannot_count_are_refused() {
        assert!(plan(DAY, 3_600_000, |_| ()).is_ok());
        assert!(plan(DAY, 1, |s| s.origin = 1_769_853_600_000).is_err(), "86,400,000 ticks");
        assert!(plan(1_000 * DAY, 1_000, |_| ()).is_err());
        assert!(plan(900_000, 1_000, |s| s.events.reference = Reference::Mean(1_000_000)).is_err());
        assert!(plan(900_000, 1_000, |s| s.windows[0].lateness = i64::MAX / 2).is_err());
        assert!(plan(900_000, 1_000, |s| s.features.lateness = i64::MAX / 2).is_err());
    }

    #[test]
    fn features_that_are_off_need_no_slide() {
        let plan = plan(60_000, 30_000, |s| (s.features.enabled, s.features.slide) = (false, 0)).expect("a plan");
        assert_eq!((plan.tick, plan.features.slide), (30_000, 1));
    }

    /// The watermark goes as far as the dates do.
    #[test]
    fn the_watermark_does_not_stop_before_the_last_date() {
        let plan = Plan::new(&Spec::default()).expect("a plan");
        let (_, last) = plan.reach();
        assert_eq!(plan.pane(last) - plan.watermark(last + plan.slack), 0);
        let in_2090 = 3_786_912_000_000;
        assert_eq!(plan.pane(in_2090) - plan.watermark(in_2090), 3);
    }

    // 60s/30s with ticks of 1 s and lateness 60 s: an instance takes records while E + 60 > W.
    // W = 200: E >= 141, the least end is 150; it holds the panes 91..=150. An hour of features reaches further back.
    #[test]
    fn the_least_pane_is_the_first_of_the_least_end() {
        let off = plan(60_000, 1_000, |s| s.features.enabled = false).expect("a plan");
        assert_eq!(off.least_pane(200), 201 - 59);
        let window = |s: &mut Spec| (s.windows[0].lateness, s.features.enabled) = (60_000, false);
        let coarse = plan(60_000, 30_000, window).expect("a plan");
        // ticks of 30 s: size 2, slide 1, lateness 2. W = 10: E + 2 > 10, E = 9 holds the panes 8 and 9.
        assert_eq!((coarse.tick, coarse.least_pane(10)), (30_000, 8));
    }
}

//! What is computed, in the oracle's own words: times in milliseconds as the settings give them, ticks derived here.
//!
//! It repeats a part of the engine's plan on purpose: a slip in one of the two shows as a difference.

/// Milliseconds in a minute and in an hour.
pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 3_600_000;

/// A window definition.
#[derive(Clone, Debug)]
pub struct Window {
    pub name: String,
    pub size: i64,
    pub slide: i64,
    pub lateness: i64,
}

/// Which window an event compares with.
#[derive(Clone, Copy, Debug)]
pub enum Reference {
    /// As `growth_pct`: a slide earlier, or a size earlier when SIZE > 2 SLIDE.
    Auto,
    /// The mean of the last N windows that lie one size apart.
    Mean(i64),
}

/// The thresholds of the quality gates; money in cents, shares in thousandths.
#[derive(Clone, Debug)]
pub struct Gates {
    pub sales: i64,
    pub revenue: i64,
    pub sellers: i64,
    pub rejected: i64,
    pub bad_time: i64,
}

/// The growth rules; percentages in thousandths of a per cent.
#[derive(Clone, Debug)]
pub struct Events {
    pub reference: Reference,
    pub spike: i64,
    pub drop: i64,
    pub revenue: i64,
}

/// The cooldown.
#[derive(Clone, Debug)]
pub struct Cooldown {
    pub quiet: i64,
    pub most: i64,
    pub reset: i64,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Params {
    pub windows: Vec<Window>,
    /// Slide and lateness of the features.
    pub features: (i64, i64),
    /// `max_out_of_orderness`.
    pub slack: i64,
    pub max_drift: i64,
    pub max_jump: i64,
    /// Horizon of deduplication; 0 is off.
    pub deduplicate: i64,
    pub epoch_bytes: u64,
    pub gates: Gates,
    pub events: Events,
    pub cooldown: Cooldown,
    /// Whether the profiles and scores are computed, which the oracle knows nothing of.
    pub profiles: bool,
    /// Whether counts, prices, tickets and the stock are judged, which the oracle does not do.
    pub detect: bool,
    /// The lines of one more input, which says what is in stock; empty without one.
    pub stock: String,
}

/// A window definition, or one of the features, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub size: i64,
    pub slide: i64,
    pub lateness: i64,
}

/// `x` rounded up to a multiple of `g`.
pub fn up(x: i64, g: i64) -> i64 {
    let mut y = x.div_euclid(g) * g;
    while y < x {
        y += g;
    }
    y
}

impl Default for Params {
    fn default() -> Self {
        let window = |name: &str, size, slide, lateness| Window { name: name.into(), size, slide, lateness };
        Params {
            windows: vec![window("60s/30s", MINUTE, 30_000, MINUTE), window("15m/1s", 15 * MINUTE, 1_000, 5_000)],
            features: (30_000, MINUTE),
            slack: 2_000,
            max_drift: MINUTE,
            max_jump: 24 * HOUR,
            deduplicate: 0,
            epoch_bytes: 1 << 20,
            gates: Gates { sales: 5, revenue: 10_000, sellers: 2, rejected: 100, bad_time: 100 },
            events: Events { reference: Reference::Auto, spike: 50_000, drop: 50_000, revenue: 50_000 },
            cooldown: Cooldown { quiet: 30_000, most: 240_000, reset: 600_000 },
            profiles: false,
            detect: false,
            stock: String::new(),
        }
    }
}

impl Params {
    /// One window definition that is not among the defaults, given in seconds.
    pub fn window(size: i64, slide: i64, lateness: i64) -> Window {
        Window { name: format!("{size}s/{slide}s"), size: size * 1000, slide: slide * 1000, lateness: lateness * 1000 }
    }

    /// The greatest span that divides all slides.
    pub fn tick(&self) -> i64 {
        let slides = || self.windows.iter().map(|w| w.slide).chain([self.features.0]);
        let least = slides().min().expect("the features have a slide");
        (1..=least).rev().find(|t| slides().all(|s| s % t == 0)).expect("1 divides everything")
    }

    /// A span of milliseconds in ticks, rounded up.
    pub fn ticks(&self, ms: i64) -> i64 {
        up(ms, self.tick()) / self.tick()
    }

    /// The pane of an event time, named by its end.
    pub fn pane(&self, at: i64) -> i64 {
        at.div_euclid(self.tick()) + 1
    }

    /// The watermark tick when the inputs have come to `largest`.
    pub fn watermark(&self, largest: i64) -> i64 {
        (largest - self.slack).div_euclid(self.tick()).max(0)
    }

    /// A window definition in ticks.
    pub fn span(&self, w: usize) -> Span {
        let w = &self.windows[w];
        Span { size: self.ticks(w.size), slide: self.ticks(w.slide), lateness: self.ticks(w.lateness) }
    }

    /// A feature with this horizon, in ticks.
    pub fn feature(&self, horizon: i64) -> Span {
        Span { size: self.ticks(horizon), slide: self.ticks(self.features.0), lateness: self.ticks(self.features.1) }
    }
}

impl Span {
    /// The ends in which a record of pane `p` counts when it is released under watermark `w`: the first that still takes
    /// anything, and the last that holds it; none when the first is past the last. The first is not cut off there: what
    /// looks at more than `size`, as the whole minutes of a trend do, takes the record from the same end on.
    ///
    /// ```text
    /// size 6, slide 3, pane 4         ends 6 and 9 hold it:  (0..6] (3..9]
    /// lateness 3, w = 8               6 + 3 = 9 > 8          counts in 6 and 9
    ///             w = 9               6 + 3 = 9 is not > 9   counts in 9 only
    ///             w = 20              18 + 3 = 21 > 20       counts in none; the first to take anything is 18
    /// ```
    pub fn ends(&self, p: i64, w: i64) -> (i64, i64) {
        let holds = up(p, self.slide);
        (holds.max(up(w + 1 - self.lateness, self.slide)), holds + self.size - self.slide)
    }

    /// When the definition learns of a record of pane `p` that is released under watermark `w`.
    pub fn learned(&self, p: i64, w: i64) -> i64 {
        up(p, self.slide).max(up(w + 1, self.slide))
    }

    /// The oldest end that may be said again at `s`.
    pub fn oldest(&self, s: i64) -> i64 {
        s - up(self.lateness, self.slide)
    }
}

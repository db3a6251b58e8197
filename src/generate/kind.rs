//! What can happen, and how it grows and fades: the vocabulary of settings and labels.

/// What an incident does. What stands under [`Kind::hard`] must raise nothing but what it is called after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sales of the shop or of a category are `size` times as many.
    Spike,
    /// The same, with a size below 1.
    Drop,
    /// Units of each line are `size` times as many; as many lines as ever.
    Surge,
    /// `size` more lines a minute at one seller, from `count` customers.
    Burst,
    /// A product's price is `size` times what it should be, for `count` extra sales.
    PriceError,
    /// Sales of a category grow to `size` times as many in the first half of the time, and stay there for the second.
    Trend,
    /// A product has `size` units left, and they run out.
    Stock,
    /// Nothing is sold anywhere.
    Outage,
    /// Like a spike, over hours, and announced in the calendar.
    Announced,
    /// One order that is as large as orders can be, at one seller.
    Whale,
    /// A share `size` of what was sold from 65 to 5 minutes before is cancelled while it lasts.
    Storm,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 11] = [
        Kind::Spike,
        Kind::Drop,
        Kind::Surge,
        Kind::Burst,
        Kind::PriceError,
        Kind::Trend,
        Kind::Stock,
        Kind::Outage,
        Kind::Announced,
        Kind::Whale,
        Kind::Storm,
    ];

    /// Those of the first version, which stay the default.
    pub const USUAL: [Kind; 5] = [Kind::Spike, Kind::Drop, Kind::Surge, Kind::Burst, Kind::PriceError];

    /// As settings call it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Spike => "spike",
            Kind::Drop => "drop",
            Kind::Surge => "surge",
            Kind::Burst => "burst",
            Kind::PriceError => "price_error",
            Kind::Trend => "trend",
            Kind::Stock => "stock",
            Kind::Outage => "outage",
            Kind::Announced => "announced",
            Kind::Whale => "whale",
            Kind::Storm => "storm",
        }
    }

    /// As labels call it: the type of event that should find it, where there is one.
    pub fn label(self) -> &'static str {
        match self {
            Kind::Spike => "activity_spike",
            Kind::Drop => "activity_drop",
            Kind::Surge => "revenue_surge",
            Kind::Burst => "seller_burst",
            Kind::PriceError => "price_error",
            Kind::Trend => "category_trend",
            Kind::Stock => "stock_depletion",
            Kind::Outage => "feed_outage",
            Kind::Announced => "announced_sale",
            Kind::Whale => "large_order",
            Kind::Storm => "retraction_storm",
        }
    }

    /// Whether the number of sales changes in proportion.
    pub(crate) fn scales(self) -> bool {
        matches!(self, Kind::Spike | Kind::Drop | Kind::Trend | Kind::Outage | Kind::Announced)
    }

    /// Whether it is a hard negative.
    pub fn hard(self) -> bool {
        matches!(self, Kind::Announced | Kind::Whale | Kind::Storm)
    }
}

/// How an incident grows and fades between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All of it at once, until the end.
    Step,
    /// From nothing, in proportion to time, to all of it at the end.
    Ramp,
    /// To all of it in the middle, and back.
    Triangle,
    /// All of it at once, then fading by e^-3 until the end. No shape of the protocol: it belongs to the stress scenarios.
    Decay,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 4] = [Shape::Step, Shape::Ramp, Shape::Triangle, Shape::Decay];

    /// As settings and labels call it.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Step => "step",
            Shape::Ramp => "ramp",
            Shape::Triangle => "triangle",
            Shape::Decay => "decay",
        }
    }

    /// How much of it is in force after a share of its time.
    pub(crate) fn strength(self, share: f64) -> f64 {
        match self {
            Shape::Step => 1.0,
            Shape::Ramp => share,
            Shape::Triangle => 1.0 - (2.0 * share - 1.0).abs(),
            Shape::Decay => libm::exp(-3.0 * share),
        }
    }

    /// Milliseconds of full strength that the best-placed window holds, of an incident that lasts `duration`.
    pub(crate) fn mass(self, window: f64, duration: f64) -> f64 {
        let inside = window.min(duration);
        match self {
            Shape::Step => inside,
            Shape::Ramp | Shape::Triangle => inside * (1.0 - inside / (2.0 * duration)),
            Shape::Decay => duration / 3.0 * -libm::expm1(-3.0 * inside / duration),
        }
    }
}

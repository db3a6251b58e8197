//! A row of the `events` table, and what its id is made of.

use crate::plan::Plan;
use crate::row::text;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What an event says happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Far more sales than in the reference window.
    ActivitySpike,
    /// Far fewer sales than in the reference window.
    ActivityDrop,
    /// Far more revenue than in the reference window, or a ticket far above its usual value.
    RevenueSurge,
    /// A seller sells far more than expected, to many buyers.
    SellerSpike,
    /// A seller sells far more than expected, to a few buyers.
    FraudLikeBurst,
    /// A category leaves its season for good: half an hour in one direction.
    CategoryTrend,
    /// A price far away from the product's own.
    PriceAnomaly,
    /// Stock that will probably run out within the lead time.
    StockDepletion,
    /// A single order out of all proportion.
    LargeOrder,
    /// A drop that may be nothing but inputs that are silent or lag.
    FeedIncomplete,
}

impl Kind {
    /// Those of the growth rules, in the order in which one window raises them.
    pub const GROWTH: [Kind; 3] = [Kind::ActivitySpike, Kind::ActivityDrop, Kind::RevenueSurge];

    /// As it stands in `type`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::ActivitySpike => "activity_spike",
            Kind::ActivityDrop => "activity_drop",
            Kind::RevenueSurge => "revenue_surge",
            Kind::SellerSpike => "seller_spike",
            Kind::FraudLikeBurst => "fraud_like_burst",
            Kind::CategoryTrend => "category_trend",
            Kind::PriceAnomaly => "price_anomaly",
            Kind::StockDepletion => "stock_depletion",
            Kind::LargeOrder => "large_order",
            Kind::FeedIncomplete => "feed_incomplete",
        }
    }

    /// The first words of the message.
    pub fn title(self) -> &'static str {
        match self {
            Kind::ActivitySpike => "Activity spike",
            Kind::ActivityDrop => "Activity drop",
            Kind::RevenueSurge => "Revenue surge",
            Kind::SellerSpike => "Seller spike",
            Kind::FraudLikeBurst => "Burst of few buyers",
            Kind::CategoryTrend => "Category trend",
            Kind::PriceAnomaly => "Price anomaly",
            Kind::StockDepletion => "Stock running out",
            Kind::LargeOrder => "Large order",
            Kind::FeedIncomplete => "Feed incomplete",
        }
    }
}

/// How much an event matters, in the words that alert routing trees use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at today.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// As it stands in `severity`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

/// Whose sales an event speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// The whole shop; its key is [`Level::WHOLE`].
    Global,
    /// A category.
    Category,
    /// A seller.
    Seller,
    /// A product.
    Product,
}

impl Level {
    /// The key of the whole shop.
    pub const WHOLE: &'static str = "all";

    /// As it stands in `level`.
    pub fn name(self) -> &'static str {
        match self {
            Level::Global => "global",
            Level::Category => "category",
            Level::Seller => "seller",
            Level::Product => "product",
        }
    }
}

/// What the cooldown keeps apart: events of one subject share a quiet time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The column `type`.
    pub kind: Kind,
    /// The column `level`.
    pub level: Level,
    /// The column `key`.
    pub key: String,
}

impl Subject {
    /// The whole shop.
    pub fn whole(kind: Kind) -> Subject {
        Subject { kind, level: Level::Global, key: Level::WHOLE.into() }
    }
}

/// Which way a value left what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Above it.
    Up,
    /// Below it.
    Down,
}

impl Direction {
    /// As it stands in `direction`.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Up => "up",
            Direction::Down => "down",
        }
    }
}

/// A number of an event, which knows how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Figure {
    /// An integer.
    Count(i64),
    /// Cents, written with two decimals.
    Cents(i64),
    /// Millionths, written with six decimals.
    Millionths(i64),
}

/// An event identity: the first 16 bytes of a SHA-256.
pub type EventId = [u8; 16];

/// A row of the `events` table; `source`, `config` and `engine` of the lineage are in [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// See [`event_id`].
    pub id: EventId,
    /// Type, level and key.
    pub subject: Subject,
    /// How much it matters.
    pub severity: Severity,
    /// Index of the definition in the plan, or [`SCAN`].
    pub window: u8,
    /// Start of the window, milliseconds since the Unix epoch.
    pub start: i64,
    /// End of the window.
    pub end: i64,
    /// Counts the rows of this id; the first is 0.
    pub revision: u32,
    /// What was found.
    pub value: Figure,
    /// What the reference made one expect; `None` only in a retraction whose ground is gone.
    pub expected: Option<Figure>,
    /// How many times the threshold was reached, in millionths.
    pub score: i64,
    /// Growth of the value against what was expected, in millionths of a per cent.
    pub growth_pct: Option<i64>,
    /// One line for a person.
    pub message: String,
    /// What else stands out in the window.
    pub insights: Vec<String>,
    /// Detections of the subject that were suppressed since the last event that was sent.
    pub suppressed_since_last: u64,
    /// The quiet time that now begins, in milliseconds; `None` for a retraction, which begins none.
    pub cooldown: Option<i64>,
    /// The event that this one takes back.
    pub retracts: Option<EventId>,
    /// First and last epoch that released the records known at `learned`.
    pub bindings: (u64, u64),
    /// When this was learned, as milliseconds since the Unix epoch: the watermark of the lineage.
    pub learned: i64,
    /// The rule that decided.
    pub rule: String,
}

/// What has become of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// The score has reached the threshold.
    Opened,
    /// It has risen by a whole step since.
    Escalated,
    /// It has been below half of the threshold for five minutes.
    Closed,
}

impl State {
    /// As it stands in `state`.
    pub fn name(self) -> &'static str {
        match self {
            State::Opened => "opened",
            State::Escalated => "escalated",
            State::Closed => "closed",
        }
    }
}

/// A row of the `episodes` table: what an event says, and of which episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// What has become of it; `None` when a correction took it back.
    pub state: Option<State>,
    /// Which way.
    pub direction: Direction,
    /// Since when it is open: the start of the window that opened it.
    pub opened: i64,
    /// When it was at half of the threshold last; known once it is closed.
    pub ended: Option<i64>,
    /// Its id, and what is known of the window of this row. Nothing is suppressed here, and nothing retracted.
    pub event: Event,
}

/// Where events come from: the part of the lineage that is the same for all of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// What was read: a topic, files.
    pub source: String,
    /// Names the settings in force.
    pub config: String,
    /// Names the program and its version.
    pub engine: String,
}

/// Stands for the window of the statistical detectors, which look at several lengths up to 15 minutes every 15 s. There are
/// fewer definitions than this.
pub const SCAN: u8 = u8::MAX;

/// The column `window`.
pub fn window_name(plan: &Plan, window: u8) -> &str {
    plan.windows.get(usize::from(window)).map_or("15m/15s", |window| &window.name)
}

/// The id of an event: the first 16 bytes of SHA-256 over type, level, key, window, window end and rule, written as a JSON
/// array without spaces, so that anyone can compute it again:
/// `["activity_spike","global","all","60s/30s","2026-01-31T10:01:00.000Z","growth/total_sales/slide"]`.
///
/// No revision is in it: what a correction says of an event is said under the same id.
pub fn event_id(plan: &Plan, subject: &Subject, window: u8, end: i64, rule: &str) -> EventId {
    let mut text = Vec::with_capacity(160);
    text.push(b'[');
    for part in [subject.kind.name(), subject.level.name(), &subject.key, window_name(plan, window)] {
        text::string(part, &mut text);
        text.push(b',');
    }
    text::quoted_time(end, &mut text);
    text.push(b',');
    text::string(rule, &mut text);
    text.push(b']');
    let hash = Sha256::digest(&text);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    id
}

/// The id of the event that takes back the one of the same arguments: that of the rule `RULE/retraction`. It too carries no
/// revision; when an event comes, goes, comes and goes again, the second retraction is revision 1 of the first.
pub fn retraction_id(plan: &Plan, subject: &Subject, window: u8, end: i64, rule: &str) -> EventId {
    event_id(plan, subject, window, end, &format!("{rule}/retraction"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Spec;

    #[test]
    fn an_id_is_the_hash_of_a_readable_array() {
        let plan = Plan::new(&Spec::default()).unwrap();
        let subject = Subject::whole(Kind::ActivitySpike);
        let text = r#"["activity_spike","global","all","60s/30s","2026-01-31T10:01:00.000Z","growth/total_sales/slide"]"#;
        let (end, rule) = (1_769_853_660_000, "growth/total_sales/slide");
        let id = event_id(&plan, &subject, 0, end, rule);
        assert_eq!(id, Sha256::digest(text)[..16]);
        // printf '%s' '["activity_spike",...]' | sha256sum | cut -c1-32
        let mut hex = vec![];
        text::hex(&id, &mut hex);
        assert_eq!(String::from_utf8(hex).unwrap(), "cbbdbecc8edfddd19c9cc8e136336582");
        let others = [
            event_id(&plan, &Subject::whole(Kind::ActivityDrop), 0, end, rule),
            event_id(&plan, &subject, 1, end, rule),
            event_id(&plan, &subject, 0, end + 1, rule),
            event_id(&plan, &subject, 0, end, "growth/total_sales/size"),
            retraction_id(&plan, &subject, 0, end, rule),
        ];
        assert!(others.iter().all(|other| *other != id));
    }
}

//! How good a detector is: its alerts against the labels of what really happened.
//!
//! Precision and recall of alerts are easy to flatter: by credit for the length of overlap, by counting every window of an event,
//! by looking only at what the cooldown let through. So the rule that says which alert hits which event stands in one short file
//! ([`matching`]), what is neither right nor wrong is counted by itself and once more as wrong, and every share comes with an
//! interval. Nothing here knows how a detector works, and nothing of it is used by one.

pub mod read;
pub mod matching;
pub mod interval;
pub mod tally;
pub mod report;

/// A label: what was injected, or what must raise nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Unique in its stream.
    pub id: String,
    /// What should find it; canonical, see [`canonical`].
    pub kind: String,
    /// `global`, `category`, `seller` or `product`.
    pub level: String,
    /// `all`, or the name.
    pub key: String,
    /// Whether something rises.
    pub up: bool,
    /// First moment, milliseconds since the Unix epoch.
    pub start: i64,
    /// First moment after it.
    pub end: i64,
    /// As the label gives it.
    pub magnitude: f64,
    /// d'.
    pub distance: f64,
    /// D in decades, at the best scale.
    pub decades: f64,
    /// D at 60 s.
    pub decades_60: f64,
    /// Whether all of it was there at once: what grows cannot be seen at its start.
    pub step: bool,
    /// Only its own kind may come of it, and nothing must.
    pub hard: bool,
    /// Ancestors and descendants as (level, key); `None` when the label does not say: then all of other levels are.
    pub family: Option<std::collections::BTreeSet<(String, String)>>,
}

/// An alert: something that called a person, or would have without the cooldown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// What it says happened; canonical, see [`canonical`].
    pub kind: String,
    /// `global`, `category`, `seller` or `product`.
    pub level: String,
    /// `all`, or the name.
    pub key: String,
    /// Whether something rises, where it says so.
    pub up: Option<bool>,
    /// End of its window, milliseconds since the Unix epoch.
    pub at: i64,
    /// When it left, on the clock of event time, where that is known.
    pub emitted: Option<i64>,
}

/// The stream that the labels are of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Version of the generator, where it is generated.
    pub generator: Option<u64>,
    /// Its seed.
    pub seed: Option<u64>,
    /// Alerts before this moment are not judged.
    pub from: i64,
    /// Nor those after this one.
    pub until: i64,
    /// Series that were watched.
    pub series: Option<u64>,
}

/// What is judged as one: a stream and what was said of it.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// The stream.
    pub stream: Stream,
    /// What happened in it, in order of time.
    pub labels: Vec<Label>,
    /// Alerts before the cooldown, in order of time.
    pub before: Vec<Alert>,
    /// Alerts that were sent, in order of time.
    pub after: Vec<Alert>,
    /// Alerts that were held back.
    pub suppressed: u64,
    /// Alerts that were taken back later; they called somebody all the same, and count.
    pub retracted: u64,
}

/// The kind that labels and alerts share. Several detectors may find one kind of event, and a label may be named otherwise than
/// the event that answers it.
pub fn canonical(kind: &str, level: &str) -> String {
    let shared = match (kind, level) {
        ("fraud_like_burst" | "seller_spike" | "activity_spike", "seller") => "seller_burst",
        ("price_anomaly", _) => "price_error",
        ("stock_out" | "stockout" | "stock_running_out" | "stock_low", _) => "stock_depletion",
        ("feed_incomplete", _) => "feed_outage",
        (own, _) => own,
    };
    shared.into()
}

/// Whether a kind says by itself that something falls or rises.
pub fn direction(kind: &str) -> Option<bool> {
    match kind {
        "activity_spike" | "revenue_surge" | "seller_burst" | "large_order" => Some(true),
        "activity_drop" | "feed_outage" | "stock_depletion" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests;

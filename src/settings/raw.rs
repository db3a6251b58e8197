//! The settings as they are written: one struct a section, one field a key of `default.toml`.
//!
//! Nothing is optional here, because every default stands in `default.toml`; a key that is missing there is a bug that the
//! first test finds.

use super::value::{Count, Instant, Mapping, Money, Number, Percent, Range, Size, Span, Texts, Windows};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// Window definitions.
    pub windows: Windows,
    /// `[time]`
    pub time: Time,
    /// `[features]`
    pub features: Features,
    /// `[scores]`
    pub scores: Scores,
    /// `[gates]`
    pub gates: Gates,
    /// `[events]`
    pub events: Events,
    /// `[detect]`
    pub detect: Detect,
    /// `[signals]`
    pub signals: Signals,
    /// `[stock]`
    pub stock: Stock,
    /// `[cooldown]`
    pub cooldown: Cooldown,
    /// `[ingest]`
    pub ingest: Ingest,
    /// `[replay]`
    pub replay: Replay,
    /// `[http]`
    pub http: Http,
    /// `[kafka]`
    pub kafka: Kafka,
    /// `[checkpoint]`
    pub checkpoint: Checkpoint,
    /// `[sinks]`
    pub sinks: Sinks,
    /// `[generate]`
    pub generate: Generate,
    /// `[schema]`
    pub schema: Schema,
}

/// `[time]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Time {
    pub zone: String,
    pub max_out_of_orderness: Span,
    pub allowed_lateness: Span,
    pub max_future: Span,
    pub max_jump: Span,
    pub max_drift: Span,
    pub idle_timeout: Span,
    pub advance_when_idle: bool,
    pub origin: Instant,
}

/// `[features]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Features {
    pub enabled: bool,
    pub slide: Span,
    pub allowed_lateness: Span,
    pub seller_orders: bool,
    pub all: bool,
    pub products: bool,
    pub customers: bool,
}

/// `[scores]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Scores {
    pub enabled: bool,
}

/// `[gates]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Gates {
    pub total_sales: Count,
    pub total_revenue: Money,
    pub active_sellers: Count,
    pub max_rejected_pct: Percent,
    pub max_bad_timestamp_pct: Percent,
}

/// `[events]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Events {
    pub enabled: bool,
    pub windows: Texts,
    pub reference: String,
    pub activity_spike_pct: Percent,
    pub activity_drop_pct: Percent,
    pub revenue_surge_pct: Percent,
    pub write_suppressed: bool,
}

/// `[detect]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Detect {
    pub enabled: bool,
    pub levels: Texts,
    pub false_alarms: Number,
    pub calendar: Texts,
}

/// `[signals]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Signals {
    pub enabled: bool,
    pub price_warn: Number,
    pub price_alert: Number,
    pub ticket_z: Number,
    pub large_order_z: Number,
    pub trend_decades: Number,
    pub trend_pct: Percent,
    pub lead_time: Span,
    pub stockout_probability: Number,
}

/// `[stock]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Stock {
    pub file: String,
    pub topic: String,
}

/// `[cooldown]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Cooldown {
    pub quiet: Span,
    pub max_quiet: Span,
    pub reset: Span,
}

/// `[ingest]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Ingest {
    pub deduplicate: String,
}

/// `[replay]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Replay {
    pub epoch_bytes: Size,
}

/// `[http]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Http {
    pub listen: String,
    pub ready_lag: Span,
    pub live_stall: Span,
    pub serve_features: bool,
    pub forget_after: Span,
    pub max_age: String,
    pub feature_services: Texts,
}

/// `[kafka]`. Secrets are not among these: see [`Effective::secret`](super::layer::Effective::secret).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Kafka {
    pub brokers: Texts,
    pub topic: String,
    pub group: String,
    pub job: String,
    pub prefix: String,
    pub partitions: Count,
    pub replication: Count,
    pub create_topics: bool,
    pub keep_bindings: Span,
    pub delivery: String,
    pub security: String,
    pub mechanism: String,
    pub username: String,
    pub password_file: String,
    pub ca_file: String,
    pub cert_file: String,
    pub key_file: String,
    pub key_password_file: String,
    pub oauth_token_url: String,
    pub oauth_client_id: String,
    pub oauth_client_secret_file: String,
    pub oauth_scope: String,
    /// Absent when nothing is passed on.
    #[serde(default)]
    pub properties: BTreeMap<String, toml::Value>,
}

/// `[checkpoint]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Checkpoint {
    pub every: Span,
}

/// `[sinks]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Sinks {
    pub kafka: bool,
    pub webhook: Webhook,
}

/// `[sinks.webhook]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Webhook {
    pub url: String,
    pub url_file: String,
    pub timeout: Span,
    pub queue: Count,
    pub headers: Texts,
    pub authorization_file: String,
}

/// `[generate]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Generate {
    pub seed: Count,
    pub scenario: String,
    pub sellers: Count,
    pub categories: Count,
    pub customers: Count,
    pub rate: Number,
    pub start: Instant,
    pub utc_offset_minutes: Count,
    pub season: Number,
    pub noise: Number,
    pub clumping: Number,
    pub tails: String,
    pub excitement: Number,
    pub season_drift: Number,
    pub dst_after: Span,
    pub pareto: Number,
    pub pareto_alpha: Number,
    pub disorder: Number,
    pub seller_zipf: Number,
    pub jitter: Span,
    pub late: Number,
    pub late_mean: Span,
    pub cancels: Number,
    pub cancel_within: Span,
    pub returns: Number,
    pub return_mean: Span,
    pub duplicates: Number,
    pub broken: Number,
    pub guests: Number,
    pub incidents: String,
    pub incidents_per_day: Count,
    pub incidents_after: Span,
    pub incidents_gap: Span,
    pub incident_kinds: Texts,
    pub incident_shapes: Texts,
    pub burst_customers: Vec<Count>,
}

/// `[schema]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Schema {
    pub negative_quantity_is_return: bool,
    pub date_formats: Texts,
    pub payments: Texts,
    pub delimiter: String,
    pub limits: Limits,
    /// Absent when nothing is mapped.
    #[serde(default)]
    pub fields: BTreeMap<String, Mapping>,
}

/// `[schema.limits]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each key is explained in default.toml, once")]
pub struct Limits {
    pub price: Range<Money>,
    pub quantity: Range<Count>,
    pub total: Range<Money>,
    pub id_bytes: Range<Count>,
}

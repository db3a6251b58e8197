//! What is promised of Kafka, on Apache Kafka itself.
//!
//! The suite brings its broker along: `vitrine kafka up` starts it on a free port in a folder of its own, once a run, and a guard
//! outside of this process stops it when the run ends, however it ends. Where there is neither Kafka nor what fetches it, the
//! tests say `skipped: ...` and pass; `VITRINE_REQUIRE_KAFKA=1`, which CI sets, makes that a failure.

#[path = "kafka/broker.rs"]
pub mod broker;
#[path = "kafka/read.rs"]
pub mod read;
#[path = "kafka/local.rs"]
mod local;
#[path = "kafka/secrets.rs"]
mod secrets;
#[cfg(feature = "oidc")]
#[path = "kafka/oidc.rs"]
mod oidc;
#[cfg(feature = "tls")]
#[path = "kafka/tls.rs"]
mod tls;
#[path = "kafka/produce.rs"]
mod produce;
#[path = "kafka/sink.rs"]
mod sink;
#[path = "kafka/source.rs"]
mod source;
#[path = "kafka/kills.rs"]
mod kills;
#[path = "kafka/health.rs"]
mod health;
#[path = "kafka/serving.rs"]
mod serving;

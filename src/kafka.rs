//! What everything that speaks to Kafka shares: configuration of clients, topics, and a broker for development.
//!
//! Reading is in [`source`](crate::source), writing in [`sink`](crate::sink). Only folders called `kafka` name the client
//! library, so that all else builds and is tested without it (`--no-default-features`).

pub mod client;
pub mod admin;
pub mod names;
pub mod topics;
pub mod produce;
pub mod local;

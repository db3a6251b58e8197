//! Vitrine: streams of sales in; exact windows, features and events out.
//!
//! The shell around the pure core of `dataflows`: all that touches the world.

pub mod cli;
pub mod settings;
pub mod generate;
pub mod source;
pub mod engine;
pub mod sink;
pub mod console;
pub mod telemetry;
pub mod error;

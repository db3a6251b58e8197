//! End-to-end tests, through public doors only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clock;
mod settings;
mod oracle;
mod golden;
mod health;
mod serving;
mod invariance;
mod cache;
mod cli;
mod profiles;
mod score;
#[cfg(feature = "kafka")]
mod kafka;
mod readme;
mod tidy;

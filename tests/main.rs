//! End-to-end tests, through public doors only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod settings;
mod oracle;
mod cli;
mod golden;

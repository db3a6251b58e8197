//! End-to-end tests, through public doors only.

mod settings;
mod cli;

//! End-to-end tests, through public doors only.

mod clock;
mod settings;

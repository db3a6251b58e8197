//! End-to-end tests, through public doors only.

mod oracle;
mod golden;

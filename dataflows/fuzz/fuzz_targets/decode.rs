//! Any bytes at all, as JSON lines and as CSV, native and mapped: see `laws.rs` for what must hold.
#![no_main]

#[path = "../laws.rs"]
mod laws;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| laws::hold(bytes));
